"""Rows of many shapes as the canonical columns of a task.

A column goes by what the visitor mapped, by its own name, or by a name that well-known data sets give it (JGLUE, JSNLI,
SQuAD, AIO, chABSA, stockmark). Some tasks need more than one row of the file: triples are gathered from labelled pairs,
hard negatives from the other passages.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from core.data.cells import read_label, read_list
from core.data.rows import Row, Table, make_table
from core.errors import InvalidInput
from core.tasks.task import Column

ALIASES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "text": ("sentence", "sent", "content", "body"),
        "label": ("labels", "sentence_polarity", "answer", "category", "class"),
        "sentence1": ("premise", "first"),
        "sentence2": ("hypothesis", "second"),
        "score": ("similarity", "label"),
        "choices": ("options",),
        "headline": ("title",),
        "body": ("content", "article", "text"),
        "context": ("evidence", "passage"),
        "answers": ("answer",),
    }
)
"""Other names of a canonical column, the likelier first."""

HARD_NEGATIVES = 4  # passages that look right but are not, for each question
_NUMBERED_CHOICE = re.compile(r"choice_?(\d+)")
_POSITIVE_LABEL, _NEGATIVE_LABEL = "entailment", "contradiction"


def fit_table(
    table: Table, columns: Sequence[Column], mapping: Mapping[str, str], *, pool: Table | None = None
) -> Table:
    """The rows of a table with the canonical columns of a task; values are passed on as they are.

    Args:
        table: rows as they stand in the file.
        columns: what the task reads.
        mapping: canonical names to the names in the file.
        pool: passages (title, text) to draw hard negatives from; by default the contexts of the table itself.

    Raises:
        InvalidInput: ``error.data.missing_column`` with ``column`` and the file's own ``columns``.
    """
    for name, found in mapping.items():
        if found and found not in table.columns:
            raise _missing(found or name, table)
    wanted = [column.name for column in columns]
    paired = _has(table, "sentence1", mapping)
    # Where sentences are trained on and scored pairs are what a model is judged by, pairs with a score stay pairs.
    judged = "score" in wanted and _has(table, "score", mapping)
    label = _locate(table, "label", mapping)
    labelled = label is not None and not _is_numeric(table, label)
    if "anchor" in wanted and not _has(table, "anchor", mapping) and (labelled or not judged):
        table = _gather_triples(table, mapping)
    elif "text" in wanted and not _has(table, "text", mapping) and paired and not judged:
        table = _list_sentences(table, mapping)
    elif "negatives" in wanted and not _has(table, "positive", mapping):
        table = _find_passages(table, mapping, pool)
    names = {name: _locate(table, name, mapping) for name in wanted}
    choices = sorted(
        (int(match[1]), name) for name in table.columns if (match := _NUMBERED_CHOICE.fullmatch(name)) is not None
    )
    for column in columns:
        if column.required and names[column.name] is None and not (column.name == "choices" and choices):
            raise _missing(column.name, table)
    rows = []
    for row in table.rows:
        values = {name: row.values.get(found) for name, found in names.items() if found is not None}
        if names.get("choices", "") is None:
            values["choices"] = [row.values[name] for _, name in choices if row.values.get(name) not in (None, "")]
        if "context" in values:
            values |= _read_context(values, row.values)
        rows.append(Row(row.line, values))
    return make_table(table.source, rows, table.broken)


def locate_columns(table: Table, columns: Sequence[Column], mapping: Mapping[str, str]) -> dict[str, str]:
    """What the file calls each canonical column, for those that stand there as they are."""
    found = {column.name: _locate(table, column.name, mapping) for column in columns}
    return {name: given for name, given in found.items() if given is not None}


def rename_labels(rows: Iterable[Row], columns: Sequence[Column], names: Mapping[str, str]) -> Iterator[Row]:
    """Rows with labels and types of entities under their new names; what becomes '' is left out."""
    for row in rows:
        values = dict(row.values)
        kept = True
        for column in columns:
            value = values.get(column.name)
            if column.kind == "label" and value not in (None, ""):
                values[column.name] = names.get(read_label(values, column.name), value)
                kept = kept and values[column.name] != ""
            elif column.kind == "entities" and isinstance(value, list):
                renamed = [_rename_type(entity, names) for entity in value]
                values[column.name] = [entity for entity in renamed if entity is not None]
        if kept:
            yield Row(row.line, values)


def _rename_type(entity: Any, names: Mapping[str, str]) -> Any:
    if not isinstance(entity, dict) or str(entity.get("type")) not in names:
        return entity
    renamed = names[str(entity["type"])]
    return entity | {"type": renamed} if renamed else None


def _missing(column: str, table: Table) -> InvalidInput:
    columns = ", ".join(table.columns)[:200]
    return InvalidInput("error.data.missing_column", column=column, columns=columns, source=table.source)


def _locate(table: Table, name: str, mapping: Mapping[str, str]) -> str | None:
    """What the file calls a canonical column; None where it has none."""
    if mapping.get(name):
        return mapping[name]
    names = [found for found in (name, *ALIASES.get(name, ())) if found in table.columns]
    if name == "score":  # JSTS calls it label, and so does everyone who means a class
        names = [found for found in names if found == name or _is_numeric(table, found)]
    return names[0] if names else None


def _is_numeric(table: Table, column: str | None) -> bool:
    """Whether the first value that a column has is a number."""
    values = (row.values.get(column or "") for row in table.rows)
    first = next((value for value in values if value not in (None, "")), None)
    try:
        return not isinstance(first, bool) and first is not None and isinstance(float(first), float)
    except (TypeError, ValueError, OverflowError):
        return False


def _has(table: Table, name: str, mapping: Mapping[str, str]) -> bool:
    return _locate(table, name, mapping) is not None


def _gather_triples(table: Table, mapping: Mapping[str, str]) -> Table:
    """For every premise, each sentence that follows from it with one that contradicts it (book 8.3.2)."""
    names = {name: _locate(table, name, mapping) for name in ("sentence1", "sentence2", "label")}
    for name, found in names.items():
        if found is None:
            raise _missing("anchor" if name == "sentence1" else name, table)
    by_premise: dict[str, dict[str, list[Row]]] = {}
    for row in table.rows:
        premise, label = (row.values.get(str(names[name])) for name in ("sentence1", "label"))
        if isinstance(premise, str):
            by_premise.setdefault(premise, {}).setdefault(str(label), []).append(row)
    rows = []
    for premise, groups in by_premise.items():
        negatives = groups.get(_NEGATIVE_LABEL, [])
        for number, row in enumerate(groups.get(_POSITIVE_LABEL, [])):
            negative = negatives[number % len(negatives)].values.get(str(names["sentence2"])) if negatives else ""
            values = {"anchor": premise, "positive": row.values.get(str(names["sentence2"])), "negative": negative}
            rows.append(Row(row.line, values))
    return make_table(table.source, rows, table.broken)


def _list_sentences(table: Table, mapping: Mapping[str, str]) -> Table:
    """Every different sentence of pairs, once."""
    seen: set[str] = set()
    rows = []
    for row in table.rows:
        for name in ("sentence1", "sentence2"):
            sentence = row.values.get(_locate(table, name, mapping) or "")
            if isinstance(sentence, str) and sentence not in seen:
                seen.add(sentence)
                rows.append(Row(row.line, {"text": sentence}))
    return make_table(table.source, rows, table.broken)


def _read_context(values: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """Context and answers in one form: ``answers`` a list of ``{text, answer_start}``, -1 when it does not stand there.

    SQuAD on the Hub has one object of two lists, quiz questions have bare strings; JSQuAD puts the title of the article
    before its context.
    """
    context = values["context"]
    if not isinstance(context, str):
        return {}
    title = row.get("title")
    prefix = f"{title} [SEP] " if isinstance(title, str) else ""
    shift = len(prefix) if prefix and context.startswith(prefix) else 0
    context = context[shift:]
    answers = []
    for answer in _list_answers(values.get("answers")):
        text = answer.get("text")
        start = answer.get("answer_start", answer.get("start"))
        if isinstance(text, str) and text:
            start = start - shift if isinstance(start, int) else -1
            if start < 0 or context[start : start + len(text)] != text:
                start = context.find(text)
            answers.append({"text": text, "answer_start": start})
    return {"context": context, "answers": answers}


def _list_answers(answers: Any) -> Iterator[dict[str, Any]]:
    if isinstance(answers, str) and answers.lstrip().startswith(("[", "{")):
        answers = read_list({"answers": answers}, "answers")
    if isinstance(answers, str):
        yield {"text": answers}
    elif isinstance(answers, dict):
        texts, starts = answers.get("text") or [], answers.get("answer_start") or []
        for number, text in enumerate(texts if isinstance(texts, list) else [texts]):
            yield {"text": text} | ({"answer_start": starts[number]} if number < len(starts) else {})
    elif isinstance(answers, list):
        for answer in answers:
            yield dict(answer) if isinstance(answer, dict) else {"text": answer}


def _find_passages(table: Table, mapping: Mapping[str, str], pool: Table | None) -> Table:
    """Questions with the passage that answers them and the ones that only look as if they did."""
    names = {name: _locate(table, name, mapping) for name in ("question", "answers")}
    for name, found in names.items():
        if found is None:
            raise _missing(name, table)
    if {"passages", "positive_passage_indices"} <= set(table.columns):
        return _take_passages(table, names)
    context = _locate(table, "context", mapping)
    if context is None:
        raise _missing("positive", table)
    questions = []
    for row in table.rows:
        read = _read_context({"context": row.values.get(context), "answers": row.values.get(str(names["answers"]))},
                             row.values)  # fmt: skip
        answers = [answer["text"] for answer in read.get("answers", ())]
        passage = {"title": str(row.values.get("title") or ""), "text": read.get("context", "")}
        questions.append((str(row.values.get(str(names["question"])) or ""), answers, passage))
    candidates = [passage for _, _, passage in questions]
    if pool is not None:
        candidates = [
            {"title": str(row.values.get("title") or ""), "text": str(row.values.get("text") or "")}
            for row in pool.rows
        ]
    unique = list({passage["text"]: passage for passage in candidates if passage["text"]}.values())
    negatives = find_negatives(
        [(question, answers, passage["text"]) for question, answers, passage in questions],
        [passage["text"] for passage in unique],
        count=HARD_NEGATIVES,
    )
    rows = [
        Row(
            row.line,
            {
                "question": question,
                "positive": passage,
                "negatives": [unique[number] for number in numbers],
                "answers": answers,
            },
        )
        for row, (question, answers, passage), numbers in zip(table.rows, questions, negatives, strict=True)
    ]
    return make_table(table.source, rows, table.broken)


def _take_passages(table: Table, names: Mapping[str, str | None]) -> Table:
    """The rows of aio-retriever, which come with a hundred passages and the numbers of the right and the wrong ones."""
    rows = []
    for row in table.rows:
        passages = read_list(row.values, "passages", required=False)

        def pick(column: str, passages: list[Any] = passages, values: Mapping[str, Any] = row.values) -> list[Any]:
            numbers = read_list(values, column, required=False)
            return [passages[number] for number in numbers if isinstance(number, int) and 0 <= number < len(passages)]

        positives = pick("positive_passage_indices")
        rows.append(
            Row(
                row.line,
                {
                    "question": row.values.get(str(names["question"])),
                    "positive": positives[0] if positives else None,
                    "negatives": pick("negative_passage_indices")[:HARD_NEGATIVES],
                    "answers": row.values.get(str(names["answers"])),
                },
            )
        )
    return make_table(table.source, rows, table.broken)


def find_negatives(
    questions: Sequence[tuple[str, Collection[str], str]], passages: Sequence[str], *, count: int
) -> list[list[int]]:
    """For each question the passages most like it by character bigrams (tf-idf, cosine) that do not answer it.

    Args:
        questions: (question, accepted answers, the passage that answers it).
        passages: different texts.
        count: at most so many each.

    Returns:
        Indices into `passages`, the most similar first; passages that hold an answer are left out.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    if not questions or not any(len(passage) > 1 for passage in passages):
        return [[] for _ in questions]
    vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(2, 2), sublinear_tf=True)
    table = vectorizer.fit_transform(passages).T.tocsr()  # (bigrams, passages)
    found: list[list[int]] = []
    for start in range(0, len(questions), 256):
        part = questions[start : start + 256]
        similarities = vectorizer.transform([question for question, _, _ in part]) @ table  # (questions, passages)
        for row, (_, answers, positive) in enumerate(part):
            likeness = similarities[[row]]
            order = likeness.indices[(-likeness.data).argsort(kind="stable")]
            numbers: list[int] = []
            for number in order:
                text = passages[number]
                if text != positive and not any(answer in text for answer in answers):
                    numbers.append(int(number))
                    if len(numbers) == count:
                        break
            found.append(numbers)
    return found
