"""The labelled sets that the heads learn from: whose they are, and their rows in the form each head trains on.

They lie outside the project in a data folder, one subfolder each, as the cards of the heads name them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

from core.bundled.gathering import RUNNING_TEXT, Gathered, LabelledSet, Row, draw, read_lines
from core.bundled.made_pairs import gather_made_pairs
from core.bundled.splits import split_jnli
from core.data.examples import TaggedText
from core.data.splits import normalize_content
from core.search.windows import split_sentences
from core.settings import ROOT

SAMPLES = ROOT / "assets/samples"
JUDGES = "scored pairs of JSTS's training part"
TAUGHT_CHARACTERS = (20, 110)  # of a sentence that the tagger is taught with

ECONOMY_WATCHERS = LabelledSet(
    "economy_watchers", "comments on business, judged by their writers",
    "Economy Watchers Survey of the Cabinet Office of Japan, collected by retarfi", "CC BY 4.0",
)  # fmt: skip
CHABSA = LabelledSet("chabsa", "sentences of financial reports", "chABSA-dataset, TIS Inc.", "CC BY 4.0")
REVIEWS = LabelledSet("samples", "short reviews written for this project", "LLM Nyumon Lab", "CC0 1.0")
JSTS = LabelledSet(
    "jglue/jsts", "pairs of captions with their likeness", "JGLUE, Yahoo Japan and Waseda University", "CC BY-SA 4.0"
)
CAPTIONS = replace(JSTS, kind="captions, without their likeness")
JNLI = LabelledSet(
    "jglue/jnli", "pairs of captions (2,000 of the validation pairs)", "JGLUE, Yahoo Japan and Waseda University",
    "CC BY-SA 4.0",
)  # fmt: skip
JCOMMONSENSEQA = LabelledSet(
    "jglue/jcommonsenseqa", "five-choice questions", "JGLUE, Yahoo Japan and Waseda University", "CC BY-SA 4.0"
)
JSICK = LabelledSet("jsick", "pairs of captions", "JSICK, H. Yanaka and K. Mineshima", "CC BY-SA 4.0")
JAMP = LabelledSet("jamp", "pairs about time, made from templates", "Jamp, T. Sugimoto et al.", "CC BY-SA 4.0")
JANLI = LabelledSet("janli", "pairs made from templates", "JaNLI, H. Yanaka and K. Mineshima", "CC BY-SA 4.0")
STOCKMARK = LabelledSet(
    "stockmark_ner", "Wikipedia sentences with names of eight types", "Stockmark Inc.", "CC BY-SA 3.0"
)
ANNOTATED = LabelledSet(
    "wikipedia_annotated_corpus", "Wikipedia sentences with names of other types, learned first",
    "Wikipedia Annotated Corpus, Kyoto University", "CC BY-SA 4.0",
)  # fmt: skip
JAQUAD = LabelledSet("jaquad", "questions on Wikipedia paragraphs", "JaQuAD, SkelterLabs", "CC BY-SA 3.0")
WIKINEWS = LabelledSet(
    "wikinews_headline", "news and their headlines", "Wikinews contributors, jawikinews-headline-dataset", "CC BY 2.5"
)
PASSAGES = LabelledSet("passages", "paragraphs of Wikipedia", "Wikipedia contributors", "CC BY-SA 3.0")

TAUGHT = LabelledSet(
    "pretrain", "sentences of the running text with the names that `tagging-crf` finds in them", "see there",
    "CC BY-SA 4.0",
)  # fmt: skip


def gather_sentiment(data: Path, *, comments: int, seed: int) -> Gathered:
    """Business comments without the neutral ones, sentences of reports, and our reviews four times over."""
    names = {0: "negative", 1: "negative", 3: "positive", 4: "positive"}

    def comment_rows(part: str) -> Iterator[Row]:
        for row in read_rows(data, ECONOMY_WATCHERS, part):
            if row["label"] in names:
                yield {"text": row["text"], "label": names[row["label"]]}

    drawn = draw(list(comment_rows("train")), comments, seed=seed)
    reports = [
        {"text": row["sentence"], "label": row["sentence_polarity"]}
        for row in read_rows(data, CHABSA, "train")
        if row["sentence_polarity"] in names.values()
    ]
    reviews = [row for row in read_samples("reviews") if row["split"] == "train"]
    plain = [{"text": row["text"], "label": row["label"]} for row in reviews]
    return Gathered(
        [*drawn, *reports, *plain * 4],
        list(comment_rows("dev")),
        ((ECONOMY_WATCHERS, len(drawn)), (CHABSA, len(reports)), (REVIEWS, len(plain))),
    )


def gather_similarity(data: Path) -> Gathered:
    """JSTS, and JSICK's relatedness of 1 to 5 stretched to its scale of 0 to 5."""
    pairs = [_scored(row, float(row["label"])) for row in read_rows(data, JSTS, "train")]
    related = [_scored(row, (float(row["score"]) - 1) * 1.25) for row in read_rows(data, JSICK, "train")]
    return Gathered(
        [*pairs, *related],
        [_scored(row, float(row["label"])) for row in read_rows(data, JSTS, "valid")],
        ((JSTS, len(pairs)), (JSICK, len(related))),
    )


def gather_inference(data: Path, *, templates: int, made: int, seed: int) -> Gathered:
    """The part of JNLI that trains, three times over, JSICK, some pairs made from templates and some from running text.

    Captions alone teach captions: the last are there for every other kind of sentence.
    """
    train, kept = split_jnli(list(read_rows(data, JNLI, "valid")))
    jnli, jsick = [_labelled(row) for row in train], [_labelled(row) for row in read_rows(data, JSICK, "train")]
    jamp = draw([_labelled(row) for row in read_rows(data, JAMP, "train")], templates, seed=seed)
    # JaNLI does not part neutral from contradiction: only its entailments say something here.
    janli = draw(
        [_labelled(row) for row in read_rows(data, JANLI, "train") if row["label"] == "entailment"],
        templates // 4,
        seed=seed,
    )
    running = gather_made_pairs(data, pairs=made, seed=seed)
    counts = ((JNLI, len(jnli)), (JSICK, len(jsick)), (JAMP, len(jamp)), (JANLI, len(janli)), *running.counts)
    return Gathered([*jnli * 3, *jsick, *jamp, *janli, *running.train], [_labelled(row) for row in kept], counts)


def gather_choice(data: Path) -> Gathered:
    """JCommonsenseQA as it is."""
    train = list(read_rows(data, JCOMMONSENSEQA, "train"))
    return Gathered(train, list(read_rows(data, JCOMMONSENSEQA, "valid")), ((JCOMMONSENSEQA, len(train)),))


def gather_names(data: Path) -> Gathered:
    """Stockmark's names."""
    train = [_tagged(row) for row in read_rows(data, STOCKMARK, "train")]
    return Gathered(train, [_tagged(row) for row in read_rows(data, STOCKMARK, "dev")], ((STOCKMARK, len(train)),))


def gather_taught_names(data: Path, *, teacher: Path, sentences: int, seed: int) -> Gathered:
    """Stockmark's names, and sentences with the names that the tagger in a folder finds.

    Token by token a small model contradicts itself inside a name; a CRF's names are whole, and there is no end of them
    (distillation: Hinton et al. 2015).
    """
    from core.tasks.loaded import load_tokenizer_of, read_setup
    from core.tasks.registry import find_task

    read = read_setup(teacher)
    assert read is not None  # every head is exported with it
    task, setup = find_task(read[0]), read[1]
    model = task.load(str(teacher), setup).eval()
    found = {
        f"{sentence}。"
        for name in ("kyoto_wiki", "jaquad_train_contexts", "jawiki_country", "wikinews_train")
        for row in read_lines(data / "pretrain" / f"{name}.jsonl.gz")
        for line in row["text"].split("\n")
        for sentence in line.split("。")[:-1]
        if TAUGHT_CHARACTERS[0] <= len(sentence) <= TAUGHT_CHARACTERS[1]
    }
    texts = [TaggedText(text, ()) for text in draw(sorted(found), sentences, seed=seed)]
    predictions = task.predict(model, load_tokenizer_of(teacher), texts, setup)
    taught = [
        {"text": text.text, "entities": [{"span": span, "type": name} for *span, name in prediction.predicted]}
        for text, prediction in zip(texts, predictions, strict=True)
        if prediction.predicted
    ]
    gold = gather_names(data)
    return Gathered([*gold.train, *taught], gold.validation, (*gold.counts, (TAUGHT, len(taught))))


def gather_other_names(data: Path) -> Gathered:
    """The Wikipedia Annotated Corpus; names whose type could not be decided are left out."""

    def rows(part: str) -> list[Row]:
        found = []
        for row in read_rows(data, ANNOTATED, part):
            entities = [entity for entity in row["entities"] if entity["type"] != "OPTIONAL"]
            found.append(_tagged(row | {"entities": entities}))
        return found

    train = rows("train")
    return Gathered(train, rows("dev"), ((ANNOTATED, len(train)),))


def gather_sentences(data: Path, *, sentences: int, seed: int) -> Gathered:
    """Sentences of running text, and the captions of JSTS without their scores.

    Checkpoints are judged by scored pairs of the part that trains: the other part is there to be reported.
    """
    drawn: list[Row] = []
    for name, share in (
        ("kyoto_wiki", 0.3),
        ("jaquad_train_contexts", 0.2),
        ("real_persona_chat", 0.2),
        ("tanaka", 0.3),
    ):
        found = {
            sentence
            for row in read_lines(data / "pretrain" / f"{name}.jsonl.gz")
            for line in row["text"].split("\n")
            for sentence in _sentences(line)
        }
        drawn += [{"text": text} for text in draw(sorted(found), round(share * sentences), seed=seed)]
    captions = {row[name] for row in read_rows(data, JSTS, "train") for name in ("sentence1", "sentence2")}
    train = [*drawn, *({"text": text} for text in sorted(captions))]
    counts = ((RUNNING_TEXT, len(drawn)), (CAPTIONS, len(captions)))
    return Gathered(train, draw_judges(data, seed=seed), counts, JUDGES)


def draw_judges(data: Path, *, seed: int) -> list[Row]:
    """Scored pairs that checkpoints of sentence encoders are judged by."""
    rows = draw(list(read_rows(data, JSTS, "train")), 1_000, seed=seed)
    return [_scored(row, float(row["label"])) for row in rows]


def gather_triples(data: Path, *, seed: int) -> Gathered:
    """From labelled pairs, in both directions: a sentence, one that follows from it or that it follows from, and one
    that contradicts it or does neither.

    JNLI and JSTS tell of the same captions: a pair that likeness is judged by, for choosing or for reporting, is not
    trained on.
    """
    judges = draw_judges(data, seed=seed)
    judged = {_subject(row) for row in (*judges, *read_rows(data, JSTS, "valid"))}
    train = [row for row in split_jnli(list(read_rows(data, JNLI, "valid")))[0] if _subject(row) not in judged]
    by_anchor: dict[str, dict[str, list[str]]] = {}
    counts = []
    for labelled, rows in ((JNLI, train), (JSICK, list(read_rows(data, JSICK, "train")))):
        for row in rows:
            for first, second in ((row["sentence1"], row["sentence2"]), (row["sentence2"], row["sentence1"])):
                by_anchor.setdefault(first, {}).setdefault(row["label"], []).append(second)
        counts.append((labelled, len(rows)))
    triples = []
    for anchor, others in sorted(by_anchor.items()):
        against = [*others.get("contradiction", ()), *others.get("neutral", ())] or [""]
        for number, positive in enumerate(others.get("entailment", ())):
            triples.append({"anchor": anchor, "positive": positive, "negative": against[number % len(against)]})
    return Gathered(triples, judges, tuple(counts), JUDGES)


def gather_questions(data: Path, *, questions: int, validation: int, seed: int) -> Gathered:
    """JaQuAD's questions with the paragraph that each was written for, and others that share its words.

    These are the first that BM25 finds among the paragraphs which train, without the answer in them (book 9.4.3).
    """
    train = draw(list(read_rows(data, JAQUAD, "train")), questions, seed=seed)
    dev = draw(list(read_rows(data, JAQUAD, "dev")), validation, seed=seed)
    rows = [
        _searched(row) | {"negatives": others} for row, others in zip(train, find_hard_negatives(train), strict=True)
    ]
    return Gathered(rows, [_searched(row) for row in dev], ((JAQUAD, len(train)),))


def find_hard_negatives(questions: Sequence[Row], *, count: int = 4, searched: int = 12) -> list[list[Row]]:
    """For each question at most `count` of the paragraphs of all that BM25 ranks first and that cannot answer it."""
    from core.search.bm25 import build_bm25

    pool = list(dict.fromkeys((str(row["title"]), str(row["context"])) for row in questions))
    index = build_bm25([f"{title}\n{text}" for title, text in pool], terms="bigrams")
    found = index.search_all([str(row["question"]) for row in questions], k=searched)
    return [
        [
            {"title": title, "text": text}
            for title, text in (pool[hit.id] for hit in hits)
            if not any(answer["text"] in text for answer in row["answers"])
        ][:count]
        for row, hits in zip(questions, found, strict=True)
    ]


def _searched(row: Row) -> Row:
    return {"question": row["question"], "positive": {"title": row["title"], "text": row["context"]}}


def gather_reading(data: Path, *, whole: float, characters: int, seed: int) -> Gathered:
    """JaQuAD's questions; a share with the whole paragraph, the others with the sentences around the answer.

    A short passage costs a third of a whole one, and a model of this size learns to match long before it learns to
    search; the whole ones teach it that a window may hold no answer.
    """
    rng = random.Random(seed)
    rows = list(read_rows(data, JAQUAD, "train"))
    train = [
        _question(row if rng.random() < whole else crop_context(row, characters=characters, rng=rng))
        for row in draw(rows, len(rows), seed=seed)
    ]
    dev = draw(list(read_rows(data, JAQUAD, "dev")), 600, seed=seed)
    return Gathered(train, [_question(row) for row in dev], ((JAQUAD, len(train)),))


def crop_context(row: Row, *, characters: int, rng: random.Random) -> Row:
    """Keep the sentence of the answer and neighbours on random sides while all have at most so many characters."""
    answer = row["answers"][0]
    sentences = split_sentences(row["context"])
    borders = [0, *accumulate(map(len, sentences))]
    first = max(place for place, border in enumerate(borders[:-1]) if border <= answer["answer_start"])
    last = next(place for place in range(first, len(sentences)) if borders[place + 1] >= _end(answer))
    limit = rng.randint(characters // 3, characters)
    while True:
        sides = [
            (start, end)
            for start, end in ((first - 1, last), (first, last + 1))
            if start >= 0 and end < len(sentences) and borders[end + 1] - borders[start] <= limit
        ]
        if not sides:
            break
        first, last = rng.choice(sides)
    start = borders[first]
    placed = answer | {"answer_start": answer["answer_start"] - start}
    return row | {"context": row["context"][start : borders[last + 1]], "answers": [placed]}


def _end(answer: Mapping[str, Any]) -> int:
    return int(answer["answer_start"]) + len(answer["text"])


def gather_headlines(data: Path) -> Gathered:
    """Wikinews as it is."""
    train = list(read_rows(data, WIKINEWS, "train"))
    return Gathered(train, list(read_rows(data, WIKINEWS, "dev")), ((WIKINEWS, len(train)),))


def read_rows(data: Path, labelled: LabelledSet, part: str) -> Iterator[Row]:
    """Read one part of a set, compressed or not."""
    plain = data / labelled.folder / f"{part}.jsonl"
    yield from read_lines(plain if plain.exists() else plain.with_name(f"{part}.jsonl.gz"))


def read_samples(name: str) -> Iterator[Row]:
    """Read one of the files written for this project."""
    yield from read_lines(SAMPLES / f"{name}.jsonl")


def _sentences(line: str) -> Iterator[str]:
    """The sentences of a line that are long enough to say something and short enough to be read whole."""
    for sentence in line.split("。"):
        text = sentence.partition(":")[2] if sentence[1:2] == ":" else sentence
        if 8 <= len(text) <= 60:
            yield text.strip()


def _subject(row: Mapping[str, Any]) -> frozenset[str]:
    return frozenset((normalize_content(row["sentence1"]), normalize_content(row["sentence2"])))


def _scored(row: Mapping[str, Any], score: float) -> Row:
    return {"sentence1": row["sentence1"], "sentence2": row["sentence2"], "score": round(score, 4)}


def _labelled(row: Mapping[str, Any]) -> Row:
    return {name: row[name] for name in ("sentence1", "sentence2", "label")}


def _tagged(row: Mapping[str, Any]) -> Row:
    return {"text": row["text"], "entities": row["entities"]}


def _question(row: Mapping[str, Any]) -> Row:
    return {name: row[name] for name in ("title", "context", "question", "answers")}
