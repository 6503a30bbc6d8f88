"""Held-out data as it lies in a data folder: found by the name of its part, in whatever form it was published."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from core.bundled.corpus import SOURCES, read_documents
from core.bundled.splits import split_jnli
from core.data.examples import (
    Article,
    ChoiceQuestion,
    LabelledPair,
    LabelledText,
    Passage,
    ReadingQuestion,
    RetrievalQuestion,
    ScoredPair,
    TaggedText,
)
from core.data.files import read_file
from core.data.loading import read_examples
from core.data.rows import Table, make_table
from core.data.source import DataSource
from core.data.splits import normalize_content
from core.tasks.registry import find_task

log = logging.getLogger(__name__)

Example = TypeVar("Example")

HELD_OUT = ("dev", "valid", "validation", "val", "test", "hidden")
TRAIN = ("train",)
ENDINGS = (".jsonl", ".jsonl.gz", ".json", ".json.gz", ".parquet", ".tsv", ".csv")

# The survey's five marks, from × to ◎; the middle one says neither.
MARKS: Mapping[str, str] = MappingProxyType(
    {"0": "negative", "1": "negative", "2": "", "3": "positive", "4": "positive"}
)
POLARITIES: Mapping[str, str] = MappingProxyType({"mixed": "", "neutral": "", "none": ""})

TEXT_CHARACTERS = 2_000  # of a document of running text: many documents say more than one long one
CORPUS_CHARACTERS = 24_000  # of each corpus


@dataclass(frozen=True, slots=True)
class Corpus:
    """Texts of one corpus of ``pretrain_heldout`` and its share of the mix."""

    name: str
    share: float
    texts: tuple[str, ...]


def find_part(data: Path, folder: str, names: Sequence[str]) -> Path | None:
    """The file of the first part there is, such as ``dev.jsonl.gz`` or JGLUE's own ``valid-v1.3.json``."""
    for name in names:
        for ending in ENDINGS:
            if (path := data / folder / f"{name}{ending}").is_file():
                return path
            if versions := sorted((data / folder).glob(f"{name}-v*{ending}")):
                return versions[-1]
    return None


def read_part(
    data: Path, folder: str, task: str, names: Sequence[str] = HELD_OUT, *, labels: Mapping[str, str] | None = None
) -> list[Any]:
    """The examples of a part, for a task; none when the part is not there. `labels` renames labels, '' leaves out."""
    path = find_part(data, folder, names)
    return [] if path is None else _read(read_file(str(path)), task, labels=labels)


def read_sentiment(data: Path, names: Sequence[str] = HELD_OUT) -> tuple[list[LabelledText], list[LabelledText]]:
    """Comments on the economy and sentences of annual reports, each positive or negative."""
    return (
        read_part(data, "economy_watchers", "classification", names, labels=MARKS),
        read_part(data, "chabsa", "classification", names, labels=POLARITIES),
    )


def read_inference(data: Path) -> list[LabelledPair]:
    """The test pairs of JNLI, all of them, where they are to hand; else the validation pairs that no training sees."""
    if (path := find_part(data, "jglue/jnli", ("test", "hidden"))) is not None:
        return _read(read_file(str(path)), "pair-classification")
    if (path := find_part(data, "jglue/jnli", HELD_OUT)) is None:
        return []
    table = read_file(str(path))
    _, kept = split_jnli([row.values for row in table.rows])
    chosen = {id(values) for values in kept}
    rows = [row for row in table.rows if id(row.values) in chosen]
    return _read(make_table(table.source, rows, table.broken), "pair-classification")


def read_similarity(data: Path, names: Sequence[str] = HELD_OUT) -> list[ScoredPair]:
    """The pairs of JSTS."""
    return read_part(data, "jglue/jsts", "similarity", names)


def pair_subject(first: str, second: str) -> frozenset[str]:
    """What two pairs share that hold the same sentences, in either order."""
    return frozenset((normalize_content(first), normalize_content(second)))


def read_choices(data: Path) -> list[ChoiceQuestion]:
    """The questions of JCommonsenseQA."""
    return read_part(data, "jglue/jcommonsenseqa", "multiple-choice")


def read_entities(data: Path, names: Sequence[str] = HELD_OUT) -> list[TaggedText]:
    """The sentences of the Wikipedia NER data set by Stockmark."""
    return read_part(data, "stockmark_ner", "tagging", names)


def read_articles(data: Path) -> list[Article]:
    """The articles of Wikinews."""
    return read_part(data, "wikinews_headline", "headline")


def read_questions(data: Path) -> list[ReadingQuestion]:
    """The questions of JaQuAD with their passages."""
    return read_part(data, "jaquad", "reading")


def read_searches(data: Path) -> list[RetrievalQuestion]:
    """The same questions, each to be answered by one of all the passages."""
    path = find_part(data, "jaquad", HELD_OUT)
    if path is None:
        return []
    rows = [row.values for row in read_file(str(path)).rows]
    return [
        RetrievalQuestion(str(row["question"]), Passage(str(row.get("title") or ""), str(row["context"])))
        for row in rows
        if row.get("question") and row.get("context")
    ]


def read_corpora(data: Path) -> list[Corpus]:
    """Running text that no training saw: the first documents of each corpus, the beginning of each."""
    corpora = []
    for source in SOURCES:
        path = data / "pretrain_heldout" / f"{source.name}.jsonl.gz"
        if not path.is_file():
            continue
        texts: list[str] = []
        room = CORPUS_CHARACTERS
        for lines in read_documents(path):
            if room <= 0:
                break
            texts.append("\n".join(lines)[:TEXT_CHARACTERS])
            room -= len(texts[-1])
        corpora.append(Corpus(source.name, source.share, tuple(texts)))
    return corpora


def mix(corpora: Sequence[Corpus], losses: Sequence[float]) -> float:
    """The mean of the corpora's losses by their shares of the mix; NaN without a corpus."""
    total = sum(corpus.share for corpus in corpora)
    weighted = sum(corpus.share * loss for corpus, loss in zip(corpora, losses, strict=True))
    return weighted / total if total else math.nan


def map_corpora(corpora: Sequence[Corpus], score: Callable[[tuple[str, ...]], float]) -> float:
    """Score the texts of each corpus, and mix."""
    return mix(corpora, [score(corpus.texts) for corpus in corpora])


def _read(table: Table, task: str, *, labels: Mapping[str, str] | None = None) -> list[Any]:
    source = DataSource(table.source, label_names=labels or {})
    examples, broken = read_examples(find_task(task), table, source, part="test")
    if broken:
        log.warning("%s: %d rows cannot be used, the first in line %d", table.source, len(broken), broken[0].line)
    return examples
