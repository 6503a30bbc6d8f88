"""Trust, doubts, parts and rivals: counted by hand where that is possible, against their modules where not."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import numpy as np
import pytest

from core.analysis import cross_validation, doubts
from core.analysis.calibration import measure_reliability
from core.analysis.doubts import doubt_labels, find_crossed, keep_crossed, plant_errors
from core.analysis.parts import GOLD, LENGTH, WORD, cut_into_parts
from core.analysis.rivals import GROUPS, set_against
from core.analysis.sources import keep, new_name, open_source
from core.analysis.storage import Opened
from core.analysis.table import ErrorTable
from core.analysis.trust import STEPS, examine_trust
from core.errors import InvalidInput
from core.i18n import LOCALES, translate
from core.jobs import finish
from core.values import as_json
from tabs.analysis import calibration, label_errors, rivals, slices
from tests.analysis.tables import (
    binary_table,
    choice_table,
    drawn_table,
    label_table,
    number_table,
    pair_table,
    tagged_table,
)

SURE = binary_table(["positive"] * 6 + ["negative"] * 4, [0.95, 0.95, 0.95, 0.6, 0.6, 0.4, 0.95, 0.4, 0.4, 0.1])


def test_what_sounds_certain_is_counted() -> None:
    found = examine_trust(Opened(SURE, "t"), threshold=0.5)
    assert (found.sure, found.sure_right) == (5, 4)  # four times .95 for positive, once .9 for negative
    assert found.confidence == pytest.approx(np.mean([0.95, 0.95, 0.95, 0.6, 0.6, 0.6, 0.95, 0.6, 0.6, 0.9]))
    assert found.accuracy == pytest.approx(8 / 10)
    assert found.reliability.ece == pytest.approx(measure_reliability(SURE).ece)


def test_a_threshold_says_the_label_from_there_on() -> None:
    found = examine_trust(Opened(SURE, "t"), label="positive", threshold=0.9)
    assert found.sweep is not None
    assert (found.at, found.sweep.true_positives[found.at], found.sweep.false_positives[found.at]) == (90, 3, 1)
    assert examine_trust(Opened(SURE, "t"), label="nobody").label == SURE.labels[0]
    assert examine_trust(Opened(SURE, "t"), threshold=7.0).at == STEPS


def test_where_the_label_is_never_said_precision_is_a_dash_and_its_line_ends() -> None:
    found = examine_trust(Opened(SURE, "t"), label="positive", threshold=0.97)
    assert calibration.evidence(found)["at"] == {"precision": None, "recall": 0.0, "f1": 0.0}
    for locale in LOCALES:
        drawn = calibration.show(found, locale)[1]
        assert f"<dt>{translate('analysis.report.precision', locale)}</dt><dd>–</dd>" in drawn
        assert translate("calibration.undefined", locale, label="positive") in html.unescape(drawn)
        said = examine_trust(Opened(SURE, "t"), label="positive", threshold=0.9)
        assert translate("calibration.undefined", locale, label="positive") not in calibration.show(said, locale)[1]
    ends = [float(x) for x in re.findall(r'lab-stroke-0" d="M[^"]*L([\d.]+),[\d.]+"', calibration.show(found, "ja")[1])]
    assert ends == [95.0]  # the largest probability is .95


def test_a_gap_has_its_sign() -> None:
    """Right in four of five with .6, in one of one with .9, in three of four with .95."""
    drawn = calibration.show(examine_trust(Opened(SURE, "t")), "en")[0]
    told = re.findall(r'class="lab-(over|under)"[^>]*>([^<]*)<', drawn)
    assert told == [("under", "+20"), ("under", "+10"), ("over", "−20")]
    for name in ("bar", "said", "over", "under"):
        assert translate(f"calibration.legend.{name}", "en") in drawn


def test_probabilities_are_needed_and_labels_for_a_threshold() -> None:
    with pytest.raises(InvalidInput) as told:
        examine_trust(Opened(label_table([("文", "a", "b")]), "t"))
    assert told.value.key == "error.analysis.no_probabilities"
    assert examine_trust(Opened(choice_table([(("a", "b"), 1, (0.3, 0.7))]), "t")).sweep is None


def test_exchanged_labels_are_others_and_their_losses_follow() -> None:
    table = drawn_table(200, labels=3)
    planted, places = plant_errors(table, share=0.1, seed=3)
    assert len(places) == 20
    assert (planted.gold_codes[places] != table.gold_codes[places]).all()
    others = np.setdiff1d(np.arange(200), places)
    assert (planted.gold_codes[others] == table.gold_codes[others]).all()
    own = planted.probabilities[np.arange(200), planted.gold_codes]
    np.testing.assert_allclose(planted.loss, -np.log(np.maximum(own, np.finfo(float).eps)))
    assert (planted.correct == (planted.gold_codes == planted.predicted_codes)).all()
    assert [planted.labels[code] for code in planted.gold_codes] == list(planted.gold)
    again, same = plant_errors(table, share=0.1, seed=3)
    assert (same == places).all()
    assert list(again.gold) == list(planted.gold)
    assert plant_errors(table, share=0.0, seed=3)[0] is table


def test_a_good_model_finds_what_was_exchanged() -> None:
    golds = ["positive", "negative"] * 50
    table = binary_table(golds, [0.97 if gold == "positive" else 0.03 for gold in golds])
    found = doubt_labels(Opened(table, "t", origin="held_out"), planted=0.1, seed=1)
    assert (found.planted, found.found, found.found_first) == (10, 10, 10)
    assert all(one.planted for one in found.rows)
    assert all(one.suggested != one.row.gold for one in found.rows)
    none = doubt_labels(Opened(table, "t"))
    assert (none.planted, len(none.errors.suspects), none.rows) == (0, 0, ())


def test_suspects_come_page_by_page() -> None:
    opened = Opened(drawn_table(400, labels=2), "t")
    first, last = doubt_labels(opened), doubt_labels(opened, page=99)
    assert first.pages == last.page == -(-len(first.errors.suspects) // doubts.LISTED)
    assert first.rows[0].margin <= first.rows[-1].margin <= last.rows[0].margin


def test_without_probabilities_cross_validation_is_offered_and_works() -> None:
    golds = ["a", "b"] * 30
    texts = [f"{'良い' if gold == 'a' else '悪い'}店{n}" for n, gold in enumerate(golds)]
    opened = Opened(label_table([(text, gold, "a") for text, gold in zip(texts, golds, strict=True)]), "t")
    with pytest.raises(InvalidInput) as told:
        doubt_labels(opened, planted=0.1)
    assert told.value.key == "error.analysis.cross_instead"
    probabilities = np.array([[0.9, 0.1] if gold == "a" else [0.1, 0.9] for gold in golds])
    found = doubt_labels(opened, planted=0.1, probabilities=probabilities)
    assert found.found == found.planted == 6


@pytest.mark.parametrize(
    "table", [number_table([1.0], [1.0]), choice_table([(("a", "b"), 1, (0.3, 0.7))]), tagged_table([("文", [], [])])]
)
def test_only_labels_can_be_doubted(table: ErrorTable) -> None:
    with pytest.raises(InvalidInput) as told:
        doubt_labels(Opened(table, "t"))
    assert told.value.key == "error.analysis.no_labels"


def test_a_long_table_is_cross_validated_by_a_job_that_keeps_what_it_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_WORKSPACE", str(tmp_path))
    monkeypatch.setattr(doubts, "MOST_CROSSED", 10)
    golds = ["positive", "negative"] * 30
    texts = [f"{'良い' if gold == 'positive' else '悪い'}店{n}" for n, gold in enumerate(golds)]
    workspace, name = tmp_path / ("a" * 32), new_name("t.csv")
    workspace.mkdir()
    keep(workspace, name, Opened(binary_table(golds, [0.5 + n / 1000 for n in range(60)], texts=texts), "t.csv"))
    opened = open_source(name)
    with pytest.raises(InvalidInput) as told:
        find_crossed(opened, planted=0.1, seed=0)
    assert (told.value.key, told.value.params) == ("error.analysis.not_crossed", {"rows": 60})
    work = keep_crossed(opened, planted=0.1, seed=0)
    assert next(work).total == cross_validation.FOLDS
    assert finish(work) == 60
    found = find_crossed(opened, planted=0.1, seed=0)
    assert found.shape == (60, 2)
    assert all(path.is_relative_to(workspace) for path in tmp_path.rglob("*.npy"))  # erased with everything else
    doubted = doubt_labels(opened, planted=0.1, probabilities=found)
    assert doubted.errors.origin == "cross_validation"
    assert doubted.found == doubted.planted == 6
    with pytest.raises(InvalidInput):
        find_crossed(opened, planted=0.2, seed=0)


def test_parts_are_counted_by_hand() -> None:
    table = label_table(
        [
            ("短い", "a", {"a": 0.9, "b": 0.1}),
            ("これは長い文", "a", {"a": 0.2, "b": 0.8}),
            ("これも長い文", "b", {"a": 0.3, "b": 0.7}),
        ],
        columns={"店": ["x", "y", "x"], "id": ["1", "1", "1"]},
    )
    found = cut_into_parts(Opened(table, "t"), by=GOLD)
    assert [(one.value, one.rows, one.metric) for one in found.scores] == [("a", 2, 0.5), ("b", 1, 1.0)]
    assert found.whole.rows == 3
    assert found.whole.metric == pytest.approx(2 / 3)
    assert found.ways == (LENGTH, GOLD, WORD, "column:店")  # a column of one value cuts nothing
    by_column = cut_into_parts(Opened(table, "t"), by="column:gone")
    assert by_column.by == "column:店"
    assert [(one.value, one.rows) for one in by_column.scores] == [("x", 2), ("y", 1)]
    by_word = cut_into_parts(Opened(table, "t"), by=WORD, word="長い")
    assert [(one.value, one.rows) for one in by_word.scores] == [("with", 2), ("without", 1)]
    assert cut_into_parts(Opened(table, "t"), by=WORD, word=".い", regex=True).scores[0].rows == 3


def test_numbers_are_measured_by_their_distance() -> None:
    found = cut_into_parts(Opened(number_table([1.0, 2.0], [2.0, 2.5]), "t"), metric="accuracy")
    assert (found.metric, found.whole.metric) == ("mae", 0.75)


def test_the_four_groups_are_counted_by_hand() -> None:
    rows = [("一", "二", "a", "a"), ("三", "四", "a", "b"), ("五", "六", "b", "b"), ("七", "八", "b", "a")]
    newer = [("七", "八", "b", "b"), ("五", "六", "b", "a"), ("三", "四", "a", "b"), ("一", "二", "a", "a")]
    found = set_against(Opened(pair_table(rows), "t"), Opened(pair_table([*newer, ("九", "十", "a", "a")]), "u"))
    assert dict(zip(GROUPS, found.counts, strict=True)) == {
        "both_right": 1, "fixed": 1, "broken": 1, "both_wrong": 1
    }  # fmt: skip
    assert (found.shared, found.changed, found.alone, found.p_value) == (4, 2, (0, 1), 1.0)
    assert [one.first.texts for one in found.rows] == [("七", "八")]
    assert found.rows[0].second.predicted == "b"
    assert found.accuracies == (0.5, 0.5)


def test_other_tasks_cannot_be_set_against_each_other() -> None:
    with pytest.raises(InvalidInput) as told:
        set_against(Opened(number_table([1.0], [1.0]), "t"), Opened(SURE, "u"))
    assert told.value.key == "error.analysis.other_task"


@pytest.mark.parametrize("source", ["sentiment", "inference", "choice", "tagging", "similarity"])
def test_every_page_draws_every_source_that_it_can(source: str) -> None:
    """What it cannot do is refused in words, never by a defect."""
    refused = set()
    for module, fields in ((calibration, {}), (label_errors, {}), (slices, {}), (rivals, {"other": source})):
        query = module.EXHIBIT.query(source=source, **fields)
        try:
            result = module.EXHIBIT.explore(query)
        except InvalidInput as error:
            assert error.key in ("error.analysis.no_probabilities", "error.analysis.no_labels")
            refused.add(module.SLUG)
            continue
        json.dumps(as_json(result))
        for locale in LOCALES:
            drawn = "".join(module.EXHIBIT.show(result, locale))
            assert re.search("<(svg|ol|table)", drawn)
            assert "nan" not in re.sub("<[^>]*>", "", drawn)
    expected = {"choice": {"label-errors"}, "tagging": {"calibration", "label-errors"}}
    expected |= {"similarity": {"calibration", "label-errors"}}
    assert refused == expected.get(source, set())
