"""The bundled samples: their form, their numbers, and that each row was written for itself."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.data.files import read_file
from core.data.samples import SAMPLES, has_test, read_sample
from core.data.splits import normalize_content

FOLDER = Path(__file__).parents[2] / "assets" / "samples"
NGRAM, ROWS_WITH_THE_SAME = 12, 3

SCHEMAS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "reviews": {"id": str, "text": str, "label": str, "domain": str, "tone": str, "split": str},
    "inference": {"id": str, "sentence1": str, "sentence2": str, "label": str},
    "similarity": {"id": str, "sentence1": str, "sentence2": str, "score": (int, float)},
    "choices": {"id": str, "question": str, "choices": list, "label": int},
    "entities": {"id": str, "text": str, "entities": list},
    "articles": {"id": str, "category": str, "headline": str, "body": str},
    "passages": {"id": str, "title": str, "section": str, "text": str},
    "quiz": {"id": str, "question": str, "answers": list, "passage_id": str},
}
COUNTS = {
    "reviews": 600, "inference": 150, "similarity": 150, "choices": 60, "entities": 200, "articles": 60,
    "passages": 400, "quiz": 150,
}  # fmt: skip


def load(name: str) -> list[dict[str, Any]]:
    return [dict(row.values) for row in read_file(str(FOLDER / f"{name}.jsonl")).rows]


def texts(name: str, row: dict[str, Any]) -> Iterator[str]:
    """The written texts of a row, one by one."""
    for column in ("text", "sentence1", "sentence2", "question", "headline", "body"):
        if column in row:
            yield row[column]


@pytest.mark.parametrize("name", SAMPLES)
def test_every_row_has_the_columns_and_nothing_else(name: str) -> None:
    rows = load(name)
    assert len(rows) == COUNTS[name]
    assert read_file(str(FOLDER / f"{name}.jsonl")).broken == ()
    for row in rows:
        assert row.keys() == SCHEMAS[name].keys()
        for column, kind in SCHEMAS[name].items():
            assert isinstance(row[column], kind), (row["id"], column)
            if isinstance(row[column], str) and column != "section":
                assert row[column] == row[column].strip() != "", (row["id"], column)


@pytest.mark.parametrize("name", SAMPLES)
def test_no_row_stands_twice(name: str) -> None:
    rows = load(name)
    assert len({row["id"] for row in rows}) == len(rows)
    contents = Counter(tuple(map(normalize_content, texts(name, row))) for row in rows)
    assert max(contents.values()) == 1


def test_reviews_are_balanced_and_keep_a_test_part() -> None:
    rows = load("reviews")
    assert Counter(row["split"] for row in rows) == {"train": 400, "test": 200}
    for split in ("train", "test"):
        labels = Counter(row["label"] for row in rows if row["split"] == split)
        assert labels.keys() == {"positive", "negative"}
        assert min(labels.values()) >= 0.4 * sum(labels.values())
    assert {row["domain"] for row in rows} == {"film", "music", "food", "shop", "gadget"}
    assert {"plain", "mixed"} < {row["tone"] for row in rows}
    assert [name for name in SAMPLES if has_test(name)] == ["reviews"]
    assert len(read_sample("reviews", part="train").rows) == 400
    assert len(read_sample("reviews", part="test").rows) == len(read_sample("reviews", part="validation").rows) == 200


def test_every_premise_has_every_relation_equally_often() -> None:
    rows = load("inference")
    assert Counter(row["label"] for row in rows) == {"entailment": 50, "contradiction": 50, "neutral": 50}
    hypotheses = {row["sentence2"] for row in rows}
    assert len(hypotheses) == 150


def test_scores_cover_the_scale() -> None:
    scores = [row["score"] for row in load("similarity")]
    assert all(0 <= score <= 5 for score in scores)
    assert all(sum(low <= score < low + 1 for score in scores) >= 15 for low in range(5))


def test_the_right_choice_stands_anywhere() -> None:
    rows = load("choices")
    assert all(len(row["choices"]) == len(set(row["choices"])) == 5 for row in rows)
    assert all(isinstance(choice, str) and choice.strip() for row in rows for choice in row["choices"])
    positions = Counter(row["label"] for row in rows)
    assert positions.keys() == set(range(5))
    assert max(positions.values()) <= 20


def test_spans_cover_their_names() -> None:
    types: Counter[str] = Counter()
    for row in load("entities"):
        reached = 0
        for entity in sorted(row["entities"], key=lambda entity: entity["span"]):
            assert entity.keys() == {"name", "span", "type"}, row["id"]
            start, end = entity["span"]
            assert reached <= start < end <= len(row["text"]), row["id"]
            assert row["text"][start:end] == entity["name"], row["id"]
            reached = end
            types[entity["type"]] += 1
    assert types.keys() == {
        "人名", "法人名", "地名", "政治的組織名", "製品名", "施設名", "その他の組織名", "イベント名",
    }  # fmt: skip
    assert min(types.values()) >= 15


def test_headlines_are_shorter_than_their_articles() -> None:
    rows = load("articles")
    assert all(5 <= len(row["headline"]) <= 40 < 100 <= len(row["body"]) for row in rows)
    assert all(row["headline"] not in row["body"] for row in rows)
    assert len({row["category"] for row in rows}) >= 5


def test_answers_stand_in_their_passage() -> None:
    passages = {row["id"]: row for row in load("passages")}
    assert all(len(row["text"]) <= 400 for row in passages.values())
    for row in load("quiz"):
        assert row["answers"], row["id"]
        assert all(isinstance(answer, str) and answer for answer in row["answers"])
        # The first is the one to be found; the others are accepted as well.
        assert row["answers"][0] in passages[row["passage_id"]]["text"], row["id"]
        assert not any(answer in row["question"] for answer in row["answers"]), row["id"]


@pytest.mark.parametrize("name", SAMPLES)
def test_no_template_was_filled_in(name: str) -> None:
    """No twelve characters in a row stand in more than three rows; a premise shared by several pairs counts once."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for row in load(name):
        for text in texts(name, row):
            content = normalize_content(text)
            for start in range(len(content) - NGRAM + 1):
                # Keyed by the text, so that a premise written once and used three times is one.
                found[content[start : start + NGRAM]].add(content)
    repeated = {gram: len(contents) for gram, contents in found.items() if len(contents) > ROWS_WITH_THE_SAME}
    assert not repeated


def test_the_licence_is_stated() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert re.search(r"Licence: CC0", readme)
    for name in SAMPLES:
        assert re.search(rf"`{name}\.jsonl`.*\| {COUNTS[name]} \|", readme), name
        for column in SCHEMAS[name]:
            assert f"`{column}`" in readme, (name, column)


def test_samples_are_plain_utf8_lines() -> None:
    for name in SAMPLES:
        data = (FOLDER / f"{name}.jsonl").read_bytes()
        assert data.endswith(b"\n")
        assert b"\r" not in data
        assert all(json.loads(line) for line in data.decode("utf-8").splitlines())
