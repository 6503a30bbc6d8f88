"""Rows of well-known data sets become the columns of a task."""

from __future__ import annotations

from typing import Any

import pytest

from core.data.rows import Row, make_table
from core.data.shapes import find_negatives, fit_table, rename_labels
from core.errors import InvalidInput
from core.tasks.task import Column

TEXT_LABEL = (Column("text", "text"), Column("label", "label"))
PAIR = (Column("sentence1", "text"), Column("sentence2", "text"), Column("label", "label"))
SCORED = (*PAIR[:2], Column("score", "number"))
CHOICE = (Column("question", "text"), Column("choices", "choices"), Column("label", "label"))
READING = (Column("question", "text"), Column("context", "text"), Column("answers", "answers"))
TRIPLE = (Column("anchor", "text"), Column("positive", "text"), Column("negative", "text", required=False))
RETRIEVAL = (
    Column("question", "text"),
    Column("positive", "passage"),
    Column("negatives", "passages", required=False),
    Column("answers", "answers", required=False),
)
OPTIONAL_PAIR = tuple(Column(column.name, column.kind, required=False) for column in SCORED)


def fit(rows: list[dict[str, Any]], columns: tuple[Column, ...], **mapping: str) -> list[dict[str, Any]]:
    table = make_table("file", [Row(number, row) for number, row in enumerate(rows, start=1)])
    return [dict(row.values) for row in fit_table(table, columns, mapping).rows]


@pytest.mark.parametrize(
    ("row", "columns", "expected"),
    [
        ({"id": 1, "text": "よい", "label": 3}, TEXT_LABEL, {"text": "よい", "label": 3}),
        ({"sentence": "よい", "label": "positive"}, TEXT_LABEL, {"text": "よい", "label": "positive"}),
        ({"sent": "よい", "label": "1"}, TEXT_LABEL, {"text": "よい", "label": "1"}),
        (
            {"sentence": "増収", "sentence_polarity": "mixed", "opinions": []},
            TEXT_LABEL,
            {"text": "増収", "label": "mixed"},
        ),
        (
            {"premise": "a", "hypothesis": "b", "label": "neutral"},
            PAIR,
            {"sentence1": "a", "sentence2": "b", "label": "neutral"},
        ),
        (
            {"sentence1": "a", "sentence2": "b", "label": 3.5},
            SCORED,
            {"sentence1": "a", "sentence2": "b", "score": 3.5},
        ),
        (
            {"sentence1": "a", "sentence2": "b", "label": "neutral", "score": 2},
            SCORED,
            {"sentence1": "a", "sentence2": "b", "score": 2},
        ),
        (
            {"q_id": 0, "question": "q", "choice1": "y", "choice0": "x", "choice2": None, "label": 1},
            CHOICE,
            {"question": "q", "choices": ["x", "y"], "label": 1},
        ),
        (
            {"question": "q", "choices": ["x", "y"], "answer": "B"},
            CHOICE,
            {"question": "q", "choices": ["x", "y"], "label": "B"},
        ),
        (
            {"question": "q", "context": "奈良の都", "answers": {"text": ["都"], "answer_start": [3]}},
            READING,
            {"question": "q", "context": "奈良の都", "answers": [{"text": "都", "answer_start": 3}]},
        ),
        (
            {"question": "q", "title": "T", "context": "T [SEP] 都", "answers": {"text": "都", "answer_start": [8]}},
            READING,
            {"question": "q", "context": "都", "answers": [{"text": "都", "answer_start": 0}]},
        ),
        (
            {"question": "q", "evidence": "奈良の都", "answers": ["都", "京"]},
            READING,
            {
                "question": "q",
                "context": "奈良の都",
                "answers": [{"text": "都", "answer_start": 3}, {"text": "京", "answer_start": -1}],
            },
        ),
        (
            {"question": "q", "context": "奈良の都", "answer": "都"},
            READING,
            {"question": "q", "context": "奈良の都", "answers": [{"text": "都", "answer_start": 3}]},
        ),
        (
            {"question": "q", "context": "都の都", "answers": '[{"text": "都", "answer_start": 2}]'},
            READING,
            {"question": "q", "context": "都の都", "answers": [{"text": "都", "answer_start": 2}]},
        ),
        (  # an offset that is wrong is mended
            {"question": "q", "context": "奈良の都", "answers": [{"text": "都", "answer_start": 0}]},
            READING,
            {"question": "q", "context": "奈良の都", "answers": [{"text": "都", "answer_start": 3}]},
        ),
        ({"title": "見出し", "content": "本文"}, (Column("body", "text"), Column("headline", "text")),
         {"body": "本文", "headline": "見出し"}),
    ],
)  # fmt: skip
def test_known_shapes(row: dict[str, Any], columns: tuple[Column, ...], expected: dict[str, Any]) -> None:
    assert fit([row], columns) == [expected]


def test_the_visitors_mapping_comes_first() -> None:
    row = {"text": "捨てる", "body": "よい", "stars": 5}
    assert fit([row], TEXT_LABEL, text="body", label="stars") == [{"text": "よい", "label": 5}]
    with pytest.raises(InvalidInput) as caught:
        fit([row], TEXT_LABEL, label="rating")
    assert caught.value.params == {"column": "rating", "columns": "text, body, stars", "source": "file"}


def test_a_missing_column_is_told_with_those_there_are() -> None:
    for columns, missing in ((TEXT_LABEL, "label"), (PAIR, "sentence1"), (CHOICE, "question"), (TRIPLE, "anchor")):
        with pytest.raises(InvalidInput) as caught:
            fit([{"text": "よい", "url": "x"}], columns)
        assert caught.value.key == "error.data.missing_column"
        assert caught.value.params == {"column": missing, "columns": "text, url", "source": "file"}
    with pytest.raises(InvalidInput):
        fit([{"question": "q", "label": 1}], CHOICE)


def test_triples_are_gathered_by_premise() -> None:
    rows = [
        {"premise": "犬が走る", "hypothesis": "動物が動く", "label": "entailment"},
        {"premise": "犬が走る", "hypothesis": "犬は寝ている", "label": "contradiction"},
        {"premise": "犬が走る", "hypothesis": "白い犬だ", "label": "neutral"},
        {"premise": "犬が走る", "hypothesis": "犬がいる", "label": "entailment"},
        {"premise": "雨だ", "hypothesis": "天気が悪い", "label": "entailment"},
        {"premise": "雪だ", "hypothesis": "暑い", "label": "contradiction"},
    ]
    assert fit(rows, TRIPLE) == [
        {"anchor": "犬が走る", "positive": "動物が動く", "negative": "犬は寝ている"},
        {"anchor": "犬が走る", "positive": "犬がいる", "negative": "犬は寝ている"},
        {"anchor": "雨だ", "positive": "天気が悪い", "negative": ""},
    ]


def test_pairs_are_sentences_unless_they_judge() -> None:
    text = (Column("text", "text", required=False), *OPTIONAL_PAIR)
    pairs = [
        {"sentence1": "a", "sentence2": "b", "label": "neutral"},
        {"sentence1": "a", "sentence2": "c", "label": "entailment"},
    ]
    assert [row["text"] for row in fit(pairs, text)] == ["a", "b", "c"]
    assert [row["text"] for row in fit(pairs, (Column("text", "text"),))] == ["a", "b", "c"]
    judging = [{"sentence1": "a", "sentence2": "b", "label": 2.5}]
    assert fit(judging, text) == [{"sentence1": "a", "sentence2": "b", "score": 2.5}]
    assert fit(judging, (*TRIPLE[:0], Column("anchor", "text", required=False), *OPTIONAL_PAIR)) == [
        {"sentence1": "a", "sentence2": "b", "score": 2.5}
    ]


def test_questions_get_the_passages_that_only_look_right() -> None:
    rows = [
        {"question": "奈良の都はどこ?", "title": "都", "context": "奈良の都は平城京。", "answers": ["平城京"]},
        {"question": "京都の都はどこ?", "title": "都", "context": "京都の都は平安京。", "answers": ["平安京"]},
        {"question": "犬は何を食べる?", "title": "犬", "context": "犬は肉を食べる。", "answers": ["肉"]},
        {"question": "奈良の都に何がある?", "title": "寺", "context": "奈良の都は平城京。", "answers": ["大仏"]},
    ]
    first, second, _, last = fit(rows, RETRIEVAL)
    assert first["positive"] == {"title": "都", "text": "奈良の都は平城京。"}
    assert first["answers"] == ["平城京"]
    assert first["negatives"][0] == {"title": "都", "text": "京都の都は平安京。"}
    assert all("平安京" not in passage["text"] for passage in second["negatives"])
    assert last["positive"]["text"] not in [passage["text"] for passage in last["negatives"]]


def test_negatives_never_answer() -> None:
    passages = ["奈良の都", "奈良の都の大仏", "犬と猫", "奈良の寺"]
    assert find_negatives([("奈良の都の何?", ["大仏"], "奈良の都")], passages, count=4) == [[3]]
    assert find_negatives([("奈良の都の何?", [], "")], passages, count=1)[0] in ([0], [1])
    assert find_negatives([], passages, count=4) == []
    assert find_negatives([("何?", [], "")], ["a"], count=4) == [[]]


def test_passages_of_aio_come_by_number() -> None:
    passages = [{"passage_id": n, "title": f"t{n}", "text": f"x{n}"} for n in range(6)]
    row = {
        "question": "q", "answers": ["a"], "passages": passages, "positive_passage_indices": [2],
        "negative_passage_indices": [0, 9, 1, 3, 4, 5],
    }  # fmt: skip
    (fitted,) = fit([row], RETRIEVAL)
    assert fitted["positive"]["title"] == "t2"
    assert [passage["title"] for passage in fitted["negatives"]] == ["t0", "t1", "t3", "t4"]
    (empty,) = fit([row | {"positive_passage_indices": []}], RETRIEVAL)
    assert empty["positive"] is None


def test_labels_get_other_names() -> None:
    rows = [Row(n, {"text": "x", "label": label}) for n, label in enumerate([0, "1", 2.0, None, "3"])]
    names = {"0": "negative", "1": "negative", "2": ""}
    renamed = list(rename_labels(rows, TEXT_LABEL, names))
    assert [row.values["label"] for row in renamed] == ["negative", "negative", None, "3"]
    columns = (Column("text", "text"), Column("entities", "entities"))
    entities = [{"name": "a", "type": "OPTIONAL"}, {"name": "b", "type": "PERSON"}, {"name": "c", "type": "X"}, 3]
    (row,) = rename_labels([Row(1, {"text": "x", "entities": entities})], columns, {"OPTIONAL": "", "PERSON": "人名"})
    assert row.values["entities"] == [{"name": "b", "type": "人名"}, {"name": "c", "type": "X"}, 3]
