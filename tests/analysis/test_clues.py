"""Signs of a table together, and edits: each part is what its own module says, and a planted shortcut is found."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from core.analysis.clues import MOST_ROWS, find_clues
from core.analysis.probes import probe_length, probe_prior
from core.analysis.rewriting import MOST_ADDITIONS, compare_words, rewrite
from core.analysis.shortcuts import find_skewed_terms
from core.analysis.storage import Opened
from core.analysis.table import take_rows, thin_rows
from core.analysis.terms import count_terms, split_texts
from core.errors import InvalidInput
from core.jobs import finish
from core.tasks.attribution import attribute_words
from core.tasks.loaded import load_task_model
from tests.analysis.tables import binary_table, choice_table, number_table, pair_table, tagged_table

GOLDS = ["positive", "negative"] * 30
TEXTS = [f"{'星五つ、' if gold == 'positive' else '星一つ、'}店{n}の感想です" for n, gold in enumerate(GOLDS)]
PLANTED = binary_table(GOLDS, [0.9 if n % 3 else 0.2 for n in range(60)], texts=TEXTS)


def test_a_planted_sign_is_found_and_its_rule_is_perfect() -> None:
    found = find_clues(Opened(PLANTED, "t"), term="星五つ")
    assert found.skewed is not None
    first = found.skewed.terms[0]
    assert first.z > found.skewed.critical
    assert {one.term for one in found.skewed.terms if one.share == 1.0} & {"五", "星五", "星五つ", "五つ", "五つ、"}
    assert found.chosen is not None
    assert (found.chosen.label, found.chosen.rule.accuracy, found.chosen.rule.covered) == ("positive", 1.0, 30)
    with_it, without = found.chosen.slices
    assert (with_it.rows, without.rows) == (30, 30)
    assert all("星五つ" in row.texts[0] for row in found.chosen.rows)


def test_the_parts_are_those_of_their_modules() -> None:
    found = find_clues(Opened(PLANTED, "t"), longest=2, least_rows=4)
    counts = count_terms(finish(split_texts(PLANTED.joined_texts)), longest=2, least_rows=4)
    assert found.skewed == find_skewed_terms(PLANTED, counts, least_rows=4, limit=20)
    assert found.probes == (probe_prior(PLANTED), probe_length(PLANTED))
    assert all(one.z > 0 for one in found.errors)
    assert all(one.z < 0 for one in found.others)


def test_signs_of_the_model_are_those_of_its_answers() -> None:
    """Right labels go with 五, the model's answers with every third row, which no word tells."""
    texts = [f"{'赤' if n % 3 else '青'}い店{n}" for n in range(60)]
    table = binary_table(GOLDS, [0.9 if n % 3 else 0.2 for n in range(60)], texts=texts)
    by_model = find_clues(Opened(table, "t"), side="predicted")
    assert by_model.skewed is not None
    top = {(one.term, one.label) for one in by_model.skewed.terms if one.share == 1.0}
    assert any(term.startswith("赤") and label == "positive" for term, label in top)
    by_label = find_clues(Opened(table, "t"), side="gold")
    assert by_label.skewed is not None
    assert not any(one.term.startswith("赤") and one.z > by_label.skewed.critical for one in by_label.skewed.terms)


def test_only_the_wanted_text_of_a_pair_is_looked_at() -> None:
    rows = [("前提の猫", "仮説の犬", "entailment", "entailment"), ("前提の鳥", "仮説の魚", "neutral", "neutral")] * 6
    opened = Opened(pair_table(rows), "t")
    words = {
        part: {one.term for one in (find_clues(opened, part=part, longest=1).skewed or pytest.fail()).terms}
        for part in ("all", "first", "second")
    }
    assert "犬" in words["second"]
    assert "猫" not in words["second"]
    assert "猫" in words["first"]
    assert words["all"] >= {"猫", "犬"}
    assert {one.name for one in find_clues(opened).probes} == {"prior", "length", "second_text"}


def test_kinds_without_labels_still_have_words_of_the_errors() -> None:
    numbers = number_table([float(n % 5) for n in range(40)], [float(n % 5) + n % 2 for n in range(40)])
    found = find_clues(Opened(numbers, "t"))
    assert (found.skewed, found.probes, found.chosen) == (None, (), None)
    choices = choice_table([(("あ", "いい"), n % 2, (0.6, 0.4)) for n in range(12)])
    assert {one.name for one in find_clues(Opened(choices, "t")).probes} == {
        "prior", "longest_choice", "shortest_choice"
    }  # fmt: skip
    right = tagged_table([("何もない", [], [])] * 3)
    assert find_clues(Opened(right, "t")).errors == ()  # nothing was wrong


def test_too_few_rows_for_a_probe_are_no_failure() -> None:
    assert [one.name for one in find_clues(Opened(binary_table(["positive"], [0.9]), "t")).probes] == ["prior"]


def test_a_long_table_is_thinned_evenly() -> None:
    size = MOST_ROWS + 1_000
    table = binary_table(["positive", "negative"] * (size // 2), [0.5 + n / size / 3 for n in range(size)])
    thin = thin_rows(table, most=100)
    assert len(thin) == 100
    assert (thin.index[0], thin.index[-1]) == (0, size - 1)
    assert np.ptp(np.diff(thin.index)) <= 1
    assert find_clues(Opened(table, "t"), unit="characters", longest=1).counted == MOST_ROWS
    assert thin_rows(thin, most=100) is thin


def test_rows_taken_keep_everything_of_theirs() -> None:
    table = dataclasses.replace(PLANTED, tokens=np.arange(60), columns={"n": PLANTED.gold})
    some = take_rows(table, np.array([5, 2]))
    assert some.index.tolist() == [5, 2]
    assert some.texts == (TEXTS_OF[5], TEXTS_OF[2])
    assert some.tokens is not None
    assert some.tokens.tolist() == [5, 2]
    assert list(some.columns["n"]) == [GOLDS[5], GOLDS[2]]
    np.testing.assert_array_equal(some.probabilities, table.probabilities[[5, 2]])


TEXTS_OF = [(text,) for text in TEXTS]


@pytest.mark.parametrize(
    ("one", "other", "changes"),
    [
        (
            "苦情が減った。",
            "苦情が増えた。",
            [("same", "苦情が"), ("removed", "減っ"), ("added", "増え"), ("same", "た。")],
        ),
        ("猫。", "猫。", [("same", "猫。")]),
        ("猫 と 犬", "猫 と 犬 も", [("same", "猫 と "), ("removed", "犬"), ("added", "犬 も")]),
    ],
)
def test_changes_join_to_both_versions(one: str, other: str, changes: list[tuple[str, str]]) -> None:
    found = compare_words(one, other)
    assert list(found) == changes
    assert "".join(words for kind, words in found if kind != "added") == one
    assert "".join(words for kind, words in found if kind != "removed") == other


def test_a_rewriting_is_the_models_own_answers() -> None:
    found = rewrite("店は良かった。", "店は悪かった。", "sentiment", phrases=("好調。",))
    model = load_task_model("sentiment")
    assert found.additions[0].text == "店は良かった。好調。"
    assert found.label == found.labels[int(np.argmax(found.before.probabilities))]
    for verdict in (found.before, found.after, *found.additions):
        assert sum(verdict.probabilities) == pytest.approx(1.0)
    assert found.words[1].words == attribute_words(("店は悪かった。",), model, label=found.label).words
    assert found.before.probabilities[found.labels.index(found.label)] == pytest.approx(found.words[0].probability)


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"text": ""}, "error.text.empty"),
        ({"edited": "あ" * 501}, "error.text.too_long"),
        ({"source": "similarity"}, "error.analysis.no_classifier"),
        ({"source": "inference"}, "error.text.empty"),
        ({"phrases": ["あ"] * (MOST_ADDITIONS + 1)}, "error.analysis.many_phrases"),
    ],
)
def test_what_cannot_be_asked_is_told(given: dict[str, Any], key: str) -> None:
    asked: dict[str, Any] = {"text": "店", "edited": "家", "source": "sentiment"} | given
    source = str(asked.pop("source"))
    with pytest.raises(InvalidInput) as told:
        rewrite(str(asked.pop("text")), str(asked.pop("edited")), source, **asked)
    assert told.value.key == key
