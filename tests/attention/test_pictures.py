"""What the attention room shows is what the model computed."""

from __future__ import annotations

import base64
import html
import json
import re
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from core.errors import InvalidInput
from core.i18n import LOCALES, words
from core.jobs import UNFINISHED, JobRegistry, State
from core.models.ablation import head_importance
from core.models.loading import load_model
from core.workspaces import Workspaces, new_identity
from tabs.attention import (
    ablation,
    attribution,
    comparison,
    crossing,
    filling,
    input_layers,
    lens,
    masking,
    overview,
    steps,
)
from tabs.attention.reading import THUMBNAIL

TEXT = "猫は魚を食べた。"


@pytest.mark.parametrize("special", [False, True])
@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("pair", ["", "犬が好きです。"])
def test_rows_that_are_shown_sum_to_one(folder: Path, special: bool, merged: bool, pair: str) -> None:
    result = overview.explore(
        overview.Query(text=TEXT, pair=pair, model=str(folder), special=special, words=merged, layer=2)
    )
    np.testing.assert_allclose(result.weights.sum(axis=1), 1, atol=1e-5)
    assert (result.kept is None) == special


def test_what_is_hidden_and_what_is_kept_make_the_whole_row(folder: Path) -> None:
    whole = overview.explore(overview.Query(text=TEXT, model=str(folder), special=True))
    hidden = overview.explore(overview.Query(text=TEXT, model=str(folder)))
    special = [unit.special for unit in whole.units]
    content = [not mark for mark in special]
    assert hidden.kept is not None
    np.testing.assert_allclose(hidden.kept, 1 - whole.weights[content][:, special].sum(axis=1), atol=1e-5)
    np.testing.assert_allclose(hidden.weights * hidden.kept[:, None], whole.weights[content][:, content], atol=1e-5)
    assert hidden.special_share == whole.special_share


def test_the_share_that_was_left_is_told(folder: Path) -> None:
    result = overview.explore(overview.Query(text=TEXT, model=str(folder), focus=2))
    assert result.kept is not None
    for locale in LOCALES:
        drawn = "".join(overview.show(result, locale))
        assert f"{result.kept[2]:.0%}" in drawn
        assert words(locale)["attention.common.caveat"] in drawn
        assert 'data-goto="attribution"' in drawn


def test_a_direction_keeps_rows_of_one_sentence_and_columns_of_the_other(folder: Path) -> None:
    result = overview.explore(overview.Query(text=TEXT, pair="犬が好きです。", model=str(folder), direction="1-2"))
    assert {result.units[n].sequence for n in result.rows} == {0}
    assert {result.units[n].sequence for n in result.columns} == {1}


def test_a_head_the_model_lacks_becomes_its_last(folder: Path) -> None:
    result = overview.explore(overview.Query(text=TEXT, model=str(folder), layer=60, head=60, focus=500))
    assert (result.layer, result.head, result.focus) == (3, 4, len(result.units) - 1)


def test_a_long_text_is_seen_through_a_window(folder: Path) -> None:
    result = overview.explore(overview.Query(text=TEXT * 30, model=str(folder)))
    assert result.window.truncated
    drawn = "".join(overview.show(result, "en"))
    assert f"of {result.window.total}" in drawn
    assert f"&quot;first&quot;:{result.window.last}" in drawn
    later = overview.explore(overview.Query(text=TEXT * 30, model=str(folder), first=result.window.last))
    assert later.window.first == result.window.last


def read_values(drawn: str, element: str) -> tuple[dict[str, Any], npt.NDArray[np.float32]]:
    """What a picture hands to the page's script, and its numbers."""
    found = re.search(rf'<{element}[^>]* data-json="([^"]*)"', drawn)
    assert found
    data = json.loads(html.unescape(found[1]))
    return data, np.frombuffer(base64.b64decode(data["values"]), dtype="<f4").reshape(data["shape"])


@pytest.mark.parametrize("merged", [False, True])
def test_a_decoder_looks_back_only_and_the_page_says_so(decoder: Path, merged: bool) -> None:
    result = overview.explore(overview.Query(text=TEXT, model=str(decoder), words=merged, focus=2, layer=1, head=1))
    np.testing.assert_allclose(result.weights.sum(axis=1), 1, atol=1e-5)
    assert not np.triu(result.weights, k=1).any()
    assert (result.causal, result.specials) == (True, ())
    for locale in LOCALES:
        grid, one = overview.show(result, locale)
        assert html.escape(words(locale)["attention.causal"]) in grid
        assert html.escape(words(locale)["attention.no_special"]) in grid
        for drawn, element in ((grid, "lab-headgrid"), (one, "lab-heatmap")):
            _, values = read_values(drawn, element)
            above = np.triu(np.ones(values.shape[-2:], dtype=bool), k=1)
            assert np.isnan(values[..., above]).all()
            assert not np.isnan(values[..., ~above]).any()
        assert one.count("<small>–</small>") == len(result.units) - 3


@pytest.mark.parametrize("part", crossing.PARTS)
@pytest.mark.parametrize("target", ["", "猫と魚"])
def test_the_three_attentions_of_a_writer_are_drawn(writer: Path, part: str, target: str) -> None:
    query = crossing.Query(text=TEXT, target=target, model=str(writer), part=part, layer=1, head=1, focus=1)
    result = crossing.explore(query)
    np.testing.assert_allclose(result.reading.weights.sum(axis=1), 1, atol=1e-5)
    assert result.generated == (not target)
    assert result.reading.causal == (part == "decoder")
    for locale in LOCALES:
        views = crossing.show(result, locale)
        assert html.escape(words(locale)[f"cross-attention.note.{part}"]) in views[0]
        data, _ = read_values(views[1], "lab-heatmap")
        assert data["rows"] == [unit.label for unit in result.reading.units]
        assert data["columns"] == [unit.label for unit in result.reading.keys]


def test_long_texts_make_small_pictures_that_are_not_square(writer: Path) -> None:
    reading = crossing.explore(crossing.Query(text=TEXT * 30, target="猫と魚", model=str(writer))).reading
    assert reading.window.truncated
    rows, columns = reading.thumbnails.shape[-2:]
    assert rows == len(reading.units) < columns == THUMBNAIL < len(reading.keys)


def test_the_top_row_of_the_lens_is_the_output(decoder: Path) -> None:
    result = lens.explore(lens.Query(text=TEXT, model=str(decoder), focus=500))
    assert result.focus == len(result.lens.units) - 1
    for locale in LOCALES:
        drawn = "".join(lens.show(result, locale))
        first_row = drawn.partition("<tbody>")[2].partition("</tr>")[0]
        tokens = [html.unescape(token) for token in re.findall(r"<span>([^<]*)</span>", first_row)]
        assert tokens == [guess.token for guess in result.lens.final]
        assert html.escape(words(locale)["lens.caveat"]) in drawn


def test_a_long_text_is_looked_through_in_parts(decoder: Path) -> None:
    result = lens.explore(lens.Query(text=TEXT * 10, model=str(decoder)))
    assert result.lens.window.truncated
    assert len(result.lens.units) == lens.TOKENS
    assert f"&quot;first&quot;:{lens.TOKENS}" in "".join(lens.show(result, "ja"))


def test_a_row_follows_from_its_own_numbers(folder: Path) -> None:
    result = steps.explore(steps.Query(text=TEXT, model=str(folder), layer=2, head=3, focus=2))
    detail = result.detail
    np.testing.assert_allclose(result.weights, detail.weights, atol=1e-5)
    np.testing.assert_allclose(result.output, detail.output, atol=1e-5)
    np.testing.assert_allclose(result.scores * np.sqrt(len(detail.query)), detail.keys @ detail.query, rtol=1e-4)


def test_the_causal_switch_hides_what_comes_later(folder: Path) -> None:
    result = steps.explore(steps.Query(text=TEXT, model=str(folder), focus=3, causal=True, divide=False))
    assert not result.weights[4:].any()
    assert result.weights.sum() == pytest.approx(1)
    assert "−∞" in "".join(steps.show(result, "ja"))


def test_two_equal_sentences_do_not_differ(folder: Path) -> None:
    result = comparison.explore(comparison.Query(text=TEXT, other=TEXT, model=str(folder)))
    assert not result.difference.weights.any()
    assert result.touched is None
    query = comparison.Query(text="彼は猫が好きです。", other="彼女は猫が好きです。", model=str(folder))
    changed = comparison.explore(query)
    assert "彼/彼女" in comparison.show(changed, "ja")[1]
    assert changed.touched is not None


def test_two_sentences_with_nothing_in_common_are_explained(folder: Path) -> None:
    result = comparison.explore(comparison.Query(text="猫", other="私は犬が好きです。", model=str(folder)))
    if not result.difference.pairs:
        assert words("ja")["attention-compare.nothing"] in comparison.show(result, "ja")[0]


def test_without_an_intervention_nothing_moves(folder: Path) -> None:
    still = ablation.explore(ablation.Query(text=TEXT, model=str(folder), position=3, hidden="", heads=""))
    assert still.ablation.change == pytest.approx(0, abs=1e-6)
    moved = ablation.explore(ablation.Query(text=TEXT, model=str(folder), position=3, hidden="1", heads="1-1 2-4 99-1"))
    assert moved.ablation.hidden == (1,)
    assert moved.ablation.heads == ((0, 0), (1, 3))
    assert moved.ablation.log_change != 0


def test_one_head_alone_is_what_the_grid_says(folder: Path) -> None:
    result = ablation.explore(ablation.Query(text=TEXT, model=str(folder), position=3, hidden="", heads="2-4"))
    assert result.importance is not None
    assert result.ablation.log_change == pytest.approx(float(result.importance.grid[1, 3]), abs=1e-4)


LONG = "".join(f"{n}日目は、川沿いの道を歩いて図書館へ行き、本を借りた。" for n in range(1, 9))


def test_heads_that_take_long_are_measured_by_a_job(tmp_path: Path) -> None:
    """Above two seconds by the estimate, whatever the model: here the bundled one and a long text."""
    query = ablation.Query(text=LONG, position=3, hidden="", heads="")
    result = ablation.explore(query)
    assert result.seconds > ablation.AT_ONCE
    assert result.importance is None
    for locale in LOCALES:
        asked = ablation.show(result, locale)[2]
        assert f'data-start="{ablation.JOB}"' in asked
        assert str(round(result.seconds)) in asked
    (kind,) = ablation.EXHIBIT.jobs
    assert kind.work is not None
    registry = JobRegistry(Workspaces(tmp_path, lifetime=100, quota=1_000))
    job_id = registry.submit(new_identity(), kind=kind.name, work=partial(ablation.measure, query))
    while (job := registry.view(job_id)) and job.state in UNFINISHED:
        time.sleep(0.02)
    registry.close()
    assert job is not None
    assert (job.state, job.done, job.total) == (State.DONE, result.layers * result.heads, result.layers * result.heads)
    loaded = load_model(query.model)
    np.testing.assert_allclose(job.result["grid"], head_importance(LONG, loaded, position=3).grid, atol=1e-4)
    assert "<lab-heatmap" in kind.render(job.result, "ja")


def test_few_heads_and_a_short_sentence_are_measured_at_once(folder: Path) -> None:
    for query in (ablation.Query(), ablation.Query(text=TEXT, model=str(folder), position=3)):
        result = ablation.explore(query)
        assert result.seconds <= ablation.AT_ONCE
        assert result.importance is not None
        assert "data-start" not in "".join(ablation.show(result, "ja"))


def test_contributions_add_up_to_the_rise(folder: Path) -> None:
    result = attribution.explore(attribution.Query(text=TEXT, model=str(folder), position=3, steps=128))
    found = result.attribution
    assert found.scores.sum() == pytest.approx(found.log_probability - found.baseline_log_probability, abs=0.1)
    assert result.attention.sum() == pytest.approx(1, abs=1e-5)
    assert found.position not in result.others


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [([1, 2, 3], [10, 20, 90], 1), ([1, 2, 3], [3, 2, 1], -1), ([1, 2], [1, 2], None), ([1, 1, 1], [1, 2, 3], None)],
)
def test_rank_correlation(first: list[float], second: list[float], expected: float | None) -> None:
    found = attribution.rank_correlation(np.array(first), np.array(second))
    assert found == (expected if expected is None else pytest.approx(expected))


def test_a_pair_carries_both_segment_ids(folder: Path) -> None:
    result = input_layers.explore(input_layers.Query(text=TEXT, pair="犬が好きです。", model=str(folder)))
    assert set(result.segment_ids) == {0, 1}
    assert result.segment_ids[-1] == 1
    alone = input_layers.explore(input_layers.Query(text=TEXT, pair=" ", model=str(folder)))
    assert set(alone.segment_ids) == {0}


def test_a_click_on_a_bar_fills_the_blank(folder: Path) -> None:
    asked = filling.explore(filling.Query(text="猫は[MASK]を食べた。", model=str(folder), count=3))
    mask = asked.filling.masks[0]
    assert mask.original is None
    best = mask.candidates[0]
    picks = re.findall(r'data-pick="([^"]*)"', filling.show(asked, "ja")[1])
    assert len(picks) == 3
    assert best.sentence in picks[0]
    filled = filling.explore(filling.Query(text=best.sentence, model=str(folder), position=mask.position))
    original = filled.filling.masks[0].original
    assert original is not None


def test_the_token_that_stood_there_is_ranked(folder: Path) -> None:
    result = filling.explore(filling.Query(text=TEXT, model=str(folder), position=3, count=1))
    mask = result.filling.masks[0]
    assert mask.original is not None
    assert mask.original.token == "魚"
    assert f"{mask.original.probability:.1%}" in "".join(filling.show(result, "ja"))


def test_a_clicked_special_token_becomes_its_neighbour(folder: Path) -> None:
    for position in (0, 511):
        result = filling.explore(filling.Query(text=TEXT, model=str(folder), position=position))
        assert not result.filling.units[result.filling.masks[0].position].special


def test_a_row_without_anything_to_see_is_explained() -> None:
    result = masking.explore(masking.Query(valid=0))
    assert result.masked.empty_rows == tuple(range(6))
    for locale in LOCALES:
        assert "nan" in masking.show(result, locale)[0]
    assert "−∞" in masking.show(result, "en")[0]


def test_more_valid_tokens_than_there_are_mean_no_padding() -> None:
    result = masking.explore(masking.Query(length=3, valid=12))
    np.testing.assert_allclose(result.masked.weights, result.plain)


def test_input_longer_than_the_model_is_refused_where_no_window_helps(folder: Path) -> None:
    with pytest.raises(InvalidInput) as refusal:
        filling.explore(filling.Query(text=TEXT * 30, model=str(folder)))
    assert refusal.value.key == "error.model.too_many_tokens"


@pytest.mark.parametrize(
    ("module", "model", "scales"),
    [
        (steps, "folder", ["signed", "attention"]),
        (attribution, "folder", ["signed", "attention"]),
        (filling, "folder", ["probability"]),
        (ablation, "folder", ["probability", "probability"]),
        (lens, "decoder", ["probability"]),
    ],
    ids=lambda value: getattr(value, "__name__", "").rpartition(".")[2] or None,
)
def test_bars_have_the_colour_of_what_they_measure(
    module: Any, model: str, scales: list[str], request: pytest.FixtureRequest
) -> None:
    result = module.explore(module.Query(text=TEXT, model=str(request.getfixturevalue(model))))
    drawn = "".join(module.show(result, "ja"))
    assert re.findall(r'<figure class="lab-bars[^"]*" data-scale="([^"]*)"', drawn) == scales


@pytest.mark.parametrize(
    "fields",
    [
        {"text": TEXT * 30, "position": 3},
        {"text": TEXT * 30, "position": 3, "first": 40, "layer": 2},
        {"text": TEXT * 30, "position": -1},
        {"text": TEXT * 20 + "猫は[MASK]を食べた。" + TEXT * 20, "position": -1},
        {"text": "猫は[MASK]を食べた。" + TEXT * 20, "position": -1, "first": 40},
        {"text": TEXT, "position": 3},
    ],
    ids=range(6),
)
def test_a_prediction_in_a_long_text_is_traced_through_a_window(
    folder: Path, fields: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    query = attribution.Query(model=str(folder), steps=4, **fields)
    result = attribution.explore(query)
    found, window = result.attribution, result.window
    assert len(found.units) == len(result.attention) <= 64  # what this model takes
    drawn = attribution.show(result, "en")[0]
    assert (f"of {window.total}" in drawn) == window.truncated == (len(fields["text"]) > 60)
    if "[MASK]" in fields["text"]:
        assert found.units[found.position].label == "[MASK]"
    names: dict[str, Any] = {}
    exec(attribution.snippet(query).replace("max_length=128", "max_length=64"), names)
    assert capsys.readouterr().out
    shown = attribution.evidence(result)
    for name, row in names["result"].items():
        np.testing.assert_allclose(row, shown[name], atol=2e-4)
