"""What a data set looks like before anything is trained on it: its schema, its labels and lengths, its parts and what
they share, and its rows (book 5.1.1, 5.1.3, 5.2.2, 5.2.4).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from statistics import median
from typing import Any, Literal

from core.data.copies import plant_copies
from core.data.examples import ChoiceQuestion, LabelledPair, LabelledText, ScoredPair, TaggedText
from core.data.leaks import find_leaks, find_repeats
from core.data.memorizing import Memorized, score_memorizer
from core.data.own import DataSet, measuring_tokenizer
from core.data.rows import BrokenRow
from core.data.splits import Splits, choose_validation, texts_of
from core.data.statistics import count_lengths, measure_lengths
from core.tasks.registry import find_task
from core.tasks.task import ColumnKind
from core.tasks.tokenizing import encode_pieces, encode_texts
from core.values import as_json

PartName = Literal["train", "validation", "test"]
PARTS: tuple[PartName, ...] = ("train", "validation", "test")
BROKEN_TOLD = 20  # broken rows that are named; the others are counted
LEAKS_TOLD = 12
MOST_COMPARED = 2_000  # examples; in more of them only the exact leaks are looked for, and nothing is learned by heart
MOST_BINS = 40
BAND, HIGHEST = 0.5, 5.0  # of a score, on the scale of JSTS
NO_ENTITY = "-"
WIDTHS = (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1_000)  # of a bin, in tokens


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """How a validation part is drawn; `copies` is the share of rows that are put in twice before, see `plant_copies`.

    Leaks are near ones from the Jaccard similarity `likeness` on.
    """

    share: float = 0.2
    seed: int = 42
    grouped: bool = True
    copies: float = 0.0
    likeness: float = 0.8


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which rows: '' or ``all`` for every one. `fit`: those that lose tokens (``cut``), or those that do not."""

    part: Literal["all", "train", "validation", "test"] = "all"
    label: str = ""
    pattern: str = ""
    fit: Literal["all", "cut", "whole"] = "all"


@dataclass(frozen=True, slots=True)
class ColumnSummary:
    """A column: what it is to the task (None: not read), its name in the file, and what stands there in the first row.

    `values` are the different labels where it holds labels.
    """

    name: str
    kind: ColumnKind | None
    called: str
    first: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelCount:
    """How many rows of each part have a label, in the order of `PARTS`.

    Where the task has none, what takes its place: a range of scores, the place of the right choice, a type of entity
    (`NO_ENTITY` for none at all).
    """

    label: str
    counts: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens per row: bin ``i`` counts lengths from ``i * width`` to below the next; `cut` rows are too long."""

    width: int
    counts: tuple[int, ...]
    rows: int
    longest: int
    mean: float
    median: float
    cut: int


@dataclass(frozen=True, slots=True)
class SharedContent:
    """Two rows with the same (`similarity` 1) or nearly the same content on two sides."""

    parts: tuple[PartName, PartName]
    lines: tuple[int, int]
    texts: tuple[tuple[str, ...], tuple[str, ...]]
    similarity: float


@dataclass(frozen=True, slots=True)
class LeakReport:
    """Rows of validation and test that also stand in an earlier part; the first of them, the most alike first.

    `near` is None where there are too many rows to look for more than the same.
    """

    exact: int
    near: int | None
    told: tuple[SharedContent, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """A token of a row's text, and whether it is still there after cutting."""

    surface: str
    kept: bool


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A row: where it stands, its texts, its labels, its length in tokens.

    `place` names it in a link. Of the row that is read also the example as the task reads it, and each text's tokens.
    """

    place: int
    part: PartName
    line: int
    copied: bool
    texts: tuple[str, ...]
    labels: tuple[str, ...]
    tokens: int
    cut: bool
    record: Mapping[str, Any] = field(default_factory=dict)
    pieces: tuple[tuple[Piece, ...], ...] = ()


@dataclass(frozen=True, eq=False)
class Survey:
    """All of it. Labels count the rows that pass all filters but those of label and part; lengths those that pass all
    but `Chosen.fit`.
    """

    source: str
    called: str
    task: str
    parts: tuple[int, int, int]
    copied: int
    broken: int
    told: tuple[BrokenRow, ...]
    columns: tuple[ColumnSummary, ...]
    labels: tuple[LabelCount, ...]
    lengths: Lengths
    max_length: int
    plan: SplitPlan
    leaks: LeakReport
    memorized: Memorized | None
    chosen: Chosen
    rows: tuple[ShownRow, ...]
    page: int
    pages: int
    total: int
    opened: int | None

    @property
    def majority(self) -> float:
        """The share of the most frequent label among the rows that are counted, in [0, 1]; 0 without labels."""
        sums = [sum(one.counts) for one in self.labels]
        return max(sums, default=0) / max(sum(sums), 1)


def survey(
    data: DataSet,
    plan: SplitPlan,
    chosen: Chosen,
    *,
    max_length: int,
    page: int = 1,
    size: int = 10,
    row: int | None = None,
) -> Survey:
    """Split, count, filter, and turn to a page.

    A label of the filter that the data do not have is dropped, so that a link opens on other data too.

    Args:
        data: the examples.
        plan: how they are split.
        chosen: the filter.
        max_length: tokens that a model would be given, special tokens included.
        page: from 1; out of range the nearest.
        size: rows on a page.
        row: the place of the row to be read.
    """
    split = _split(data, plan)
    known = list_labels(data)
    if chosen.label not in known:
        chosen = Chosen(chosen.part, "", chosen.pattern, chosen.fit)
    matching = [place for place in split.order if not chosen.pattern or split.contains(place, chosen.pattern)]
    cut = [length > max_length for length in split.lengths]
    fitting = [place for place in matching if chosen.fit == "all" or cut[place] == (chosen.fit == "cut")]
    counts = Counter((label, split.parts[place]) for place in fitting for label in split.labels[place])
    among = [place for place in matching if _passes(split, place, chosen)]
    shown = [place for place in fitting if _passes(split, place, chosen)]
    pages = max(-(-len(shown) // size), 1)
    page = min(max(page, 1), pages)
    turned = shown[(page - 1) * size : page * size]
    return Survey(
        source=data.source,
        called=data.called,
        task=data.task,
        parts=_count_parts(Counter((None, part) for part in split.parts), None),
        copied=sum(split.copied),
        broken=len(data.broken),
        told=data.broken[:BROKEN_TOLD],
        columns=_describe_columns(data),
        labels=tuple(LabelCount(label, _count_parts(counts, label)) for label in known),
        lengths=_measure([split.lengths[place] for place in among], max_length),
        max_length=max_length,
        plan=plan,
        leaks=split.leaks,
        memorized=split.memorized,
        chosen=chosen,
        rows=tuple(_show(data, split, place, cut=cut[place], read=place == row, most=max_length) for place in turned),
        page=page,
        pages=pages,
        total=len(shown),
        opened=row if row in turned else None,
    )


def list_labels(data: DataSet) -> tuple[str, ...]:
    """The labels of a data set, or what takes their place, in a fixed order; empty where there are none."""
    found = {label for example in (*data.examples, *data.test) for label in labels_of(example)}
    if data.labels and data.task != "tagging":
        return tuple(label for label in data.labels if label in found)
    if any(isinstance(example, ScoredPair) for example in data.examples[:1]):
        return tuple(sorted(found, key=lambda band: float(band.partition("–")[0])))
    if any(isinstance(example, ChoiceQuestion) for example in data.examples[:1]):
        return tuple(sorted(found, key=int))
    return tuple(sorted(found, key=lambda label: (label == NO_ENTITY, label)))


def labels_of(example: Any) -> tuple[str, ...]:
    """The label of an example, or what takes its place; see `LabelCount`."""
    match example:
        case LabelledText() | LabelledPair():
            return (example.label,)
        case ScoredPair():
            low = BAND * (example.score // BAND) if example.score != HIGHEST else HIGHEST - BAND
            return (f"{low:.1f}–{low + BAND:.1f}",)
        case ChoiceQuestion():
            return (str(example.answer + 1),)
        case TaggedText():
            return tuple(dict.fromkeys(entity.label for entity in example.entities)) or (NO_ENTITY,)
        case _:
            return ()


@dataclass(frozen=True, eq=False)
class _Split:
    """All rows by their place: examples, then those that the source keeps apart, then copies; `order` is by part."""

    examples: tuple[Any, ...]
    parts: tuple[PartName, ...]
    lines: tuple[int, ...]
    lengths: tuple[int, ...]
    copied: tuple[bool, ...]
    labels: tuple[tuple[str, ...], ...]
    order: tuple[int, ...]
    leaks: LeakReport
    memorized: Memorized | None

    def contains(self, place: int, pattern: str) -> bool:
        return any(pattern in text for text in texts_of(self.examples[place]))


@lru_cache(maxsize=8)
def _split(data: DataSet, plan: SplitPlan) -> _Split:
    task = find_task(data.task)
    divided, originals = plant_copies(data.examples, share=plan.copies, seed=plan.seed)
    held_out = choose_validation(
        divided, share=plan.share, seed=plan.seed, label_of=task.label_of, grouped=plan.grouped
    )
    count, copies = len(data.examples), divided[len(data.examples) :]
    sides: list[PartName] = ["validation" if index in held_out else "train" for index in range(len(divided))]
    examples = (*data.examples, *data.test, *copies)
    apart: list[PartName] = ["test"] * len(data.test)
    parts = (*sides[:count], *apart, *sides[count:])
    lines = (*data.lines, *data.test_lines, *(data.lines[index] for index in originals))
    order = tuple(place for part in PARTS for place in range(len(examples)) if parts[place] == part)
    by_part = {part: [place for place in order if parts[place] == part] for part in PARTS}
    splits = Splits(*(tuple(examples[place] for place in by_part[part]) for part in PARTS))
    few = len(examples) <= MOST_COMPARED
    leaks = find_leaks(splits, similarity=plan.likeness) if few else find_repeats(splits)
    told = [
        SharedContent(
            (leak.first_part, leak.second_part),
            (lines[by_part[leak.first_part][leak.first]], lines[by_part[leak.second_part][leak.second]]),
            (
                texts_of(getattr(splits, leak.first_part)[leak.first]),
                texts_of(getattr(splits, leak.second_part)[leak.second]),
            ),
            leak.similarity,
        )
        for leak in sorted(leaks, key=lambda leak: -leak.similarity)[:LEAKS_TOLD]
    ]
    exact = sum(leak.exact for leak in leaks)
    memorized = None
    if few and splits.train and splits.validation and isinstance(splits.train[0], LabelledText):
        memorized = score_memorizer(
            splits.train,
            splits.validation,
            repeats={leak.second for leak in leaks if (leak.first_part, leak.second_part) == ("train", "validation")},
        )
    return _Split(
        examples=examples,
        parts=parts,
        lines=lines,
        lengths=(*data.lengths, *data.test_lengths, *measure_lengths(copies, measuring_tokenizer())),
        copied=tuple(place >= len(examples) - len(copies) for place in range(len(examples))),
        labels=tuple(map(labels_of, examples)),
        order=order,
        leaks=LeakReport(exact, len(leaks) - exact if few else None, tuple(told)),
        memorized=memorized,
    )


def _count_parts(counts: Mapping[tuple[Any, PartName], int], label: Any) -> tuple[int, int, int]:
    """How often a label stands in each of `PARTS`; `counts` gives 0 where it does not."""
    train, validation, test = (counts[label, part] for part in PARTS)
    return train, validation, test


def _passes(split: _Split, place: int, chosen: Chosen) -> bool:
    """Whether a row has the chosen part and label."""
    return chosen.part in ("all", split.parts[place]) and (not chosen.label or chosen.label in split.labels[place])


def _measure(lengths: Sequence[int], max_length: int) -> Lengths:
    longest = max(lengths, default=0)
    width = next((width for width in WIDTHS if longest / width < MOST_BINS), -(-longest // MOST_BINS))
    found = count_lengths(lengths, width=width)
    cut = sum(length > max_length for length in lengths)
    middle = float(median(lengths)) if lengths else 0.0
    return Lengths(width, found.counts, len(lengths), found.longest, found.mean, middle, cut)


def _describe_columns(data: DataSet) -> tuple[ColumnSummary, ...]:
    task = find_task(data.task)
    read = [
        ColumnSummary(
            column.name,
            column.kind,
            data.read_as.get(column.name, ""),
            _plain(data.first.get(data.read_as.get(column.name, ""))),
            list_labels(data) if column.kind == "label" and data.labels else (),
        )
        for column in task.columns
        if column.required or column.name in data.read_as
    ]
    return (*read, *(ColumnSummary(name, None, name, _plain(data.first.get(name))) for name in data.unread))


def _plain(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(as_json(value), ensure_ascii=False)


def _show(data: DataSet, split: _Split, place: int, *, cut: bool, read: bool, most: int) -> ShownRow:
    example = split.examples[place]
    return ShownRow(
        place=place,
        part=split.parts[place],
        line=split.lines[place],
        copied=split.copied[place],
        texts=texts_of(example),
        labels=split.labels[place],
        tokens=split.lengths[place],
        cut=cut,
        record=find_task(data.task).write(example) if read else {},
        pieces=_cut(example, most) if read else (),
    )


def _cut(example: Any, most: int) -> tuple[tuple[Piece, ...], ...]:
    """The tokens of the texts that a model reads together: of a choice question, with its longest choice."""
    first, *others = texts_of(example)
    tokenizer = measuring_tokenizer()
    ids, *other_ids = encode_pieces(tokenizer, [first, *others])
    second = max(range(len(others)), key=lambda index: len(other_ids[index]), default=None)
    seconds = None if second is None else [others[second]]
    (feature,) = encode_texts(tokenizer, [first], seconds, max_length=most)
    later = sum(feature["token_type_ids"])  # segment 1, with its end mark
    kept = [len(feature["input_ids"]) - later - 2, later - 1]
    rows = [ids] if second is None else [ids, other_ids[second]]
    return tuple(
        tuple(Piece(surface, number < room) for number, surface in enumerate(tokenizer.convert_ids_to_tokens(row)))
        for row, room in zip(rows, kept, strict=False)
    )
