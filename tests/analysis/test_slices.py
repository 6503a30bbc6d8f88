"""Two models on the same rows, parts of the table, and tags."""

from __future__ import annotations

import json
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import f1_score

from core.analysis.comparison import compare_tables
from core.analysis.slices import (
    Slice,
    score_slices,
    slice_by_column,
    slice_by_gold,
    slice_by_length,
    slice_by_presence,
)
from core.analysis.tags import LONGEST_HISTORY, MOST_TAGS, Tags, read_tags
from core.errors import InvalidInput
from tests.analysis.tables import drawn_table, label_table, number_table


def test_fixed_and_broken_by_hand() -> None:
    first = label_table([("零", "a", "a"), ("一", "a", "b"), ("二", "b", "b"), ("三", "b", "c"), ("四", "a", "a")])
    second = label_table([("三", "b", "a"), ("二", "b", "a"), ("一", "a", "a"), ("零", "a", "a"), ("五", "a", "a")])
    found = compare_tables(first, second)
    assert found.first.tolist() == [0, 1, 2, 3]
    assert found.second.tolist() == [3, 2, 1, 0]
    assert found.both_right.tolist() == [0]
    assert found.fixed.tolist() == [1]
    assert found.broken.tolist() == [2]
    assert found.both_wrong.tolist() == [3]
    assert found.changed.tolist() == [1, 2, 3]
    assert (found.only_first, found.only_second) == (1, 1)
    assert found.accuracies == (0.5, 0.5)
    assert found.p_value == 1.0


def test_mcnemar_is_the_exact_binomial_test() -> None:
    golds = [(f"文{n}", "a") for n in range(20)]
    first = label_table([(text, gold, "a" if n in (0, 1) else "b") for n, (text, gold) in enumerate(golds)])
    second = label_table([(text, gold, "a" if 1 <= n <= 10 else "b") for n, (text, gold) in enumerate(golds)])
    found = compare_tables(first, second)
    assert (len(found.fixed), len(found.broken)) == (9, 1)
    assert found.p_value == pytest.approx(binomtest(9, 10).pvalue)
    assert found.p_value == pytest.approx(2 * (1 + 10) / 2**10)
    assert compare_tables(first, first).p_value == 1.0


def test_rows_that_occur_twice_are_paired_in_their_order() -> None:
    first = label_table([("同", "a", "a"), ("同", "a", "b")])
    second = label_table([("同", "a", "b"), ("同", "a", "b"), ("同", "b", "b")])
    found = compare_tables(first, second)
    assert found.second.tolist() == [0, 1]  # not the third, whose gold label is another
    assert (len(found.broken), len(found.both_wrong), found.only_second) == (1, 1, 1)


def test_what_has_nothing_in_common_is_refused() -> None:
    table = label_table([("零", "a", "a")])
    with pytest.raises(InvalidInput, match=r"error\.analysis\.other_task"):
        compare_tables(table, number_table([1.0], [2.0]))
    with pytest.raises(InvalidInput, match=r"error\.analysis\.no_shared_rows"):
        compare_tables(table, label_table([("一", "a", "a")]))


def test_slices_by_length_by_hand() -> None:
    table = label_table([("あ" * n, "a", "a" if n < 5 else "b") for n in (1, 2, 3, 4, 5, 6, 7, 8)])
    parts = slice_by_length(table)
    assert [(part.by, part.value, part.places.tolist()) for part in parts] == [
        ("characters", "1–2", [0, 1]),
        ("characters", "3–4", [2, 3]),
        ("characters", "5–6", [4, 5]),
        ("characters", "7–8", [6, 7]),
    ]
    assert [one.metric for one in score_slices(table, parts, metric="accuracy")] == [1, 1, 0, 0]
    same = label_table([("ああ", "a", "a")] * 5)
    assert [len(part.places) for part in slice_by_length(same)] == [5]
    with pytest.raises(InvalidInput, match=r"error\.analysis\.no_tokens"):
        slice_by_length(table, unit="tokens")


@given(st.lists(st.integers(0, 12), min_size=1, max_size=40), st.integers(1, 6))
@settings(deadline=None)
def test_slices_by_length_hold_every_row_once(lengths: list[int], parts: int) -> None:
    table = label_table([("あ" * length, "a", "a") for length in lengths])
    found = slice_by_length(table, parts=parts)
    assert 1 <= len(found) <= parts
    assert sorted(place for part in found for place in part.places.tolist()) == list(range(len(lengths)))
    longest = [max(lengths[place] for place in part.places) for part in found]
    assert all(min(lengths[p] for p in part.places) > before for part, before in zip(found[1:], longest, strict=False))


def test_slices_by_gold_word_and_column() -> None:
    table = label_table(
        [("猫", "b", "b"), ("犬", "a", "a"), ("猫", "b", "a")],
        columns={"source": ["x", "", "x"], "id": ["1", "2", "3"]},
    )
    assert [(part.value, part.places.tolist()) for part in slice_by_gold(table)] == [("a", [1]), ("b", [0, 2])]
    having, lacking = slice_by_presence(np.array([True, False, True]), "猫")
    assert (having.by, having.places.tolist(), lacking.places.tolist()) == ("猫", [0, 2], [1])
    assert [(part.value, len(part.places)) for part in slice_by_column(table, "source")] == [("x", 2), ("", 1)]
    with pytest.raises(InvalidInput, match=r"error\.analysis\.unknown_column"):
        slice_by_column(table, "gone")
    many = label_table([("猫", "a", "a")] * 60, columns={"id": [str(n) for n in range(60)]})
    with pytest.raises(InvalidInput, match=r"error\.analysis\.many_values"):
        slice_by_column(many, "id")


def test_scores_equal_scikit_learns_and_intervals_hold_them() -> None:
    table = drawn_table(400)
    whole = Slice("all", "", np.arange(400))
    (score,) = score_slices(table, [whole], metric="macro_f1")
    assert score.metric == pytest.approx(f1_score(table.gold.tolist(), table.predicted.tolist(), average="macro"))
    assert score.lower < score.metric < score.upper
    # The bootstrap written out: resampled rows give the same spread as resampled cells of the matrix.
    generator = np.random.default_rng(1)
    drawn = [generator.integers(400, size=400) for _ in range(300)]
    spread = np.std([f1_score(table.gold_codes[d], table.predicted_codes[d], average="macro") for d in drawn])
    assert (score.upper - score.lower) / (2 * 1.96) == pytest.approx(spread, rel=0.2)
    assert score_slices(table, [whole], metric="macro_f1") == (score,)  # drawn by the seed


def test_residuals_of_slices() -> None:
    table = number_table([1.0] * 50, np.linspace(0.0, 4.0, 50).tolist())
    (mae,) = score_slices(table, [Slice("all", "", np.arange(50))], metric="mae")
    (rmse,) = score_slices(table, [Slice("all", "", np.arange(50))], metric="rmse")
    sizes = np.abs(table.residual)
    assert mae.metric == pytest.approx(sizes.mean())
    assert rmse.metric == pytest.approx(math.sqrt((sizes**2).mean()))
    assert (mae.upper - mae.lower) / (2 * 1.96) == pytest.approx(sizes.std() / math.sqrt(50), rel=0.15)
    assert rmse.lower < rmse.metric < rmse.upper


def test_slices_that_have_no_metric() -> None:
    (empty,) = score_slices(drawn_table(5), [Slice("x", "y", np.array([], dtype=np.int64))], metric="accuracy")
    assert (empty.rows, math.isnan(empty.metric)) == (0, True)
    with pytest.raises(InvalidInput, match=r"error\.analysis\.no_numbers"):
        score_slices(drawn_table(5), [], metric="mae")
    with pytest.raises(InvalidInput, match=r"error\.analysis\.no_labels"):
        score_slices(number_table([1.0], [2.0]), [], metric="macro_f1")


def test_large_slices_are_quick() -> None:
    table = number_table([1.0] * 50_000, np.linspace(0.0, 4.0, 50_000).tolist())
    started = time.process_time()
    score_slices(table, slice_by_length(table), metric="mae")
    assert time.process_time() - started < 6


def test_tags_by_hand() -> None:
    tags = Tags().give("皮肉", [3, 5]).toggle("否定", 3).toggle("皮肉", 5)
    assert tags.marks == {3: ("否定", "皮肉")}
    assert tags.counts() == {"否定": 1, "皮肉": 1}
    assert tags.undo().marks == {3: ("否定", "皮肉"), 5: ("皮肉",)}
    assert tags.undo().undo().undo().marks == {}
    assert tags.undo().redo().marks == tags.marks
    assert tags.undo().toggle("否定", 9).redo().marks == {3: ("否定", "皮肉"), 5: ("皮肉",), 9: ("否定",)}
    assert Tags().undo() == Tags()
    assert tags.rows_with("皮肉") == (3,)


def test_a_tag_for_all_rows_of_a_filter_is_undone_at_once_and_exactly() -> None:
    tags = Tags().give("x", [2]).give("x", range(4))
    assert tags.counts() == {"x": 4}
    assert tags.undo().rows_with("x") == (2,)  # what had it before keeps it
    assert tags.give("x", range(4)) is tags  # nothing new, nothing to undo


ACTIONS = st.lists(
    st.tuples(st.sampled_from(["give", "take", "toggle", "undo", "redo"]), st.sampled_from("ab"), st.integers(0, 3))
)


@given(ACTIONS)
@settings(deadline=None)
def test_undoing_everything_leaves_nothing_and_redoing_brings_it_back(actions: list[tuple[str, str, int]]) -> None:
    tags = Tags()
    for act, tag, row in actions:
        match act:
            case "give":
                tags = tags.give(tag, [row, row + 1])
            case "take":
                tags = tags.take(tag, [row, row + 1])
            case "toggle":
                tags = tags.toggle(tag, row)
            case "undo":
                tags = tags.undo()
            case _:
                tags = tags.redo()
    marks, steps = dict(tags.marks), len(tags.done)
    assert sum(tags.counts().values()) == sum(map(len, marks.values()))
    for _ in range(steps):
        tags = tags.undo()
    assert tags.marks == {}
    for _ in range(steps):
        tags = tags.redo()
    assert tags.marks == marks
    assert read_tags(json.loads(json.dumps(tags.as_plain()))).marks == marks


def test_tags_are_bounded() -> None:
    for tag in ("", "  ", "x" * 41):
        with pytest.raises(InvalidInput, match=r"error\.analysis\.tag"):
            Tags().give(tag, [1])
    tags = Tags()
    for number in range(MOST_TAGS):
        tags = tags.give(f"t{number}", [0])
    with pytest.raises(InvalidInput, match=r"error\.analysis\.many_tags"):
        tags.give("more", [0])
    assert tags.give("t1", [7]).counts()["t1"] == 2
    for _ in range(LONGEST_HISTORY + 20):
        tags = tags.toggle("t1", 1)
    assert len(tags.done) == LONGEST_HISTORY


@pytest.mark.parametrize("kept", [None, [], {"a": ["x"]}, {"1": "x"}, {"1": [3]}, {"-1": ["x"]}, {"1": ["x" * 99]}])
def test_what_a_browser_kept_may_be_anything(kept: object) -> None:
    assert read_tags(kept) == Tags()
