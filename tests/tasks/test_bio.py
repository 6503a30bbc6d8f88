"""Labels of tokens and characters say the same as the spans they were made from."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from seqeval.metrics.sequence_labeling import precision_recall_fscore_support

from core.data.examples import EntitySpan
from core.tasks.bio import find_spans, score_entities, tag_characters, tag_tokens, token_labels
from tests.tasks.test_viterbi import TYPES

# 大谷 翔 ##平 は 岩手 県 水沢 市 出身 (book 6.2.2)
SPANS = ((0, 2), (2, 3), (3, 4), (4, 5), (5, 7), (7, 8), (8, 10), (10, 11), (11, 13))
GOLD = (EntitySpan(0, 4, "人名"), EntitySpan(5, 11, "地名"))


def draw_entities(generator: random.Random, length: int) -> tuple[EntitySpan, ...]:
    """Spans without overlaps, some of them side by side."""
    borders = sorted(generator.sample(range(length + 1), min(length + 1, 7)))
    return tuple(EntitySpan(a, b, generator.choice(TYPES)) for a, b in pairwise(borders) if generator.random() < 0.6)


def test_the_books_label_ids() -> None:
    labels = token_labels([*TYPES, "人名"])
    assert labels[0] == "O"
    order = ["その他の組織名", "イベント名", "人名", "地名", "政治的組織名", "施設名", "法人名", "製品名"]
    assert [labels[index] for index in range(1, 17, 2)] == [f"B-{name}" for name in order]
    assert [labels[index] for index in range(2, 17, 2)] == [f"I-{name}" for name in order]


def test_the_books_row_of_labels() -> None:
    expected = ["B-人名", "I-人名", "I-人名", "O", "B-地名", "I-地名", "I-地名", "I-地名", "O"]
    assert tag_tokens(GOLD, SPANS) == expected
    assert find_spans(expected, SPANS) == GOLD


def test_an_entity_that_cuts_a_token_labels_the_whole_token() -> None:
    labels = tag_tokens([EntitySpan(6, 9, "地名")], SPANS)
    assert [label for label in labels if label != "O"] == ["B-地名", "I-地名", "I-地名"]
    assert find_spans(labels, SPANS) == (EntitySpan(5, 10, "地名"),)


def test_a_token_of_two_entities_belongs_to_the_first() -> None:
    labels = tag_tokens([EntitySpan(8, 9, "地名"), EntitySpan(9, 11, "施設名")], SPANS)
    assert labels[6:8] == ["B-地名", "B-施設名"]


def test_an_entity_without_a_token_gets_no_label() -> None:
    assert tag_tokens([EntitySpan(2, 3, "人名")], [(0, 2), (3, 5)]) == ["O", "O"]


def test_white_space_belongs_to_the_entity_around_it() -> None:
    # "Ciao Smiles": the blank has no token, and comes back all the same.
    spans = [(0, 4), (5, 9), (9, 11)]
    entity = EntitySpan(0, 11, "製品名")
    assert find_spans(tag_tokens([entity], spans), spans) == (entity,)


def test_a_word_mark_inside_an_entity_does_not_break_it() -> None:
    spans = [(0, 0), (0, 2), (3, 3), (3, 5)]
    assert tag_tokens([EntitySpan(0, 5, "人名")], spans) == ["O", "B-人名", "I-人名", "I-人名"]


def test_tokens_of_one_character_give_no_overlapping_entities() -> None:
    # ㍿ is 株式 and 会社, both at [0, 1).
    spans = [(0, 1), (0, 1), (1, 3)]
    assert find_spans(["B-法人名", "B-地名", "I-地名"], spans) == (EntitySpan(0, 1, "法人名"), EntitySpan(1, 3, "地名"))
    assert find_spans(["B-法人名", "B-地名", "O"], spans) == (EntitySpan(0, 1, "法人名"),)


def test_an_inside_without_a_begin_opens_an_entity() -> None:
    labels = ["O", "I-人名", "I-地名", "I-地名", "B-地名"]
    assert find_spans(labels, SPANS) == (EntitySpan(2, 3, "人名"), EntitySpan(3, 5, "地名"), EntitySpan(5, 7, "地名"))
    assert find_spans([], []) == ()


@pytest.mark.parametrize("seed", range(20))
def test_spans_come_back_from_characters(seed: int) -> None:
    generator = random.Random(seed)
    entities = draw_entities(generator, 30)
    characters = [(place, place + 1) for place in range(30)]
    assert tag_tokens(entities, characters) == tag_characters(entities, 30)
    assert find_spans(tag_characters(entities, 30), characters) == entities


def test_the_books_scores() -> None:
    predicted = (EntitySpan(0, 4, "人名"), EntitySpan(5, 8, "地名"), EntitySpan(8, 11, "施設名"))
    report = score_entities([GOLD], [predicted])
    rows = {name: [round(row[key], 2) for key in ("precision", "recall", "f1-score")] for name, row in report.items()}
    assert rows["micro avg"] == [0.33, 0.5, 0.4]
    assert rows["macro avg"] == [0.33, 0.33, 0.33]
    assert rows["weighted avg"] == [0.5, 0.5, 0.5]
    assert rows["人名"] == [1, 1, 1] and rows["施設名"] == [0, 0, 0]
    assert report["人名"]["support"] == 1


def test_scores_are_seqevals_on_whole_texts() -> None:
    generator = random.Random(0)
    gold = [draw_entities(generator, 30) for _ in range(50)]
    predicted = [
        tuple(span for span in spans if generator.random() < 0.7) or draw_entities(generator, 30) for spans in gold
    ]
    report = score_entities(gold, predicted)
    rows = [[tag_characters(spans, 40) for spans in side] for side in (gold, predicted)]  # texts of 40 characters
    for average in ("micro", "macro", "weighted"):
        precision, recall, f1, _ = precision_recall_fscore_support(*rows, average=average, zero_division=0)
        row = report[f"{average} avg"]
        assert (row["precision"], row["recall"], row["f1-score"]) == pytest.approx((precision, recall, f1))
    right = sum(len(set(one) & set(other)) for one, other in zip(gold, predicted, strict=True))
    assert report["micro avg"]["precision"] == pytest.approx(right / sum(map(len, predicted)))
    assert report["micro avg"]["recall"] == pytest.approx(right / sum(map(len, gold)))


@pytest.mark.parametrize(("gold", "predicted"), [([()], [()]), ([], []), ([()], [GOLD]), ([GOLD], [()])])
def test_nothing_found_or_nothing_there_scores_zero(
    gold: list[tuple[EntitySpan, ...]], predicted: list[tuple[EntitySpan, ...]]
) -> None:
    row = score_entities(gold, predicted)["micro avg"]
    assert (row["precision"], row["recall"], row["f1-score"]) == (0, 0, 0)
