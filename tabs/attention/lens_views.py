"""The logit lens in pictures: what every layer would write after every token, and one prediction, layer by layer."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from core.i18n import Locale, translate
from tabs._kit import foot, pictures
from tabs.attention import blanks, choices, models

if TYPE_CHECKING:
    from tabs.attention.lens import View


SMALLEST = 1e-5  # a share below this is as good as none


def show(result: View, locale: Locale) -> tuple[str, ...]:
    """All layers and positions; then the position in focus."""
    return _draw_all(result, locale), _draw_one(result, locale)


def _draw_all(result: View, locale: Locale) -> str:
    lens, place = result.lens, result.focus
    final, stages = lens.final[place], len(lens.best) - 1
    figures = [
        (translate("lens.final", locale, label=lens.units[place].label), f"{final.token}  {_share(final.probability)}"),
        (translate("lens.settled", locale), _name(lens.settled[place], stages, locale)),
    ]
    return (
        pictures.numbers(figures)
        + choices.window_note(lens.window, locale)
        + _grid(result, locale)
        + pictures.note(translate("lens.grid.note", locale))
    )


def _grid(result: View, locale: Locale) -> str:
    """A table of buttons: a row for each stage, the model's own output first, a column for each token; and a list."""
    lens = result.lens
    title, stages = translate("lens.grid", locale), len(lens.best) - 1
    names = "".join(f'<th scope="col">{html.escape(unit.label)}</th>' for unit in lens.units)
    rows = "".join(
        f'<tr><th scope="row">{html.escape(_name(stage, stages, locale))}</th>'
        + "".join(f"<td>{_cell(result, stage, place)}</td>" for place in range(len(lens.units)))
        + "</tr>"
        for stage in reversed(range(stages + 1))
    )
    picture = (
        f'<div class="lab-align-scroll" tabindex="0" role="region"'
        f' aria-label="{html.escape(title)}"><table class="lab-align lab-lens"><thead><tr>'
        f"<th>{html.escape(translate('lens.read', locale))}</th>{names}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
    return pictures.heading(title) + pictures.twin(picture, _list_all(result, title, locale), locale)


def _list_all(result: View, title: str, locale: Locale) -> str:
    """What stands in the grid, token by token, from the output down."""
    lens = result.lens
    stages = len(lens.best) - 1
    columns = [translate("lens.read", locale)]
    columns += [translate(f"lens.column.{name}", locale) for name in ("stage", "best", "best_share", "rank")]
    rows = [
        (
            unit.label,
            _name(stage, stages, locale),
            lens.best[stage][place].token,
            f"{lens.best[stage][place].probability:.4f}",
            int(lens.ranks[stage, place]),
        )
        for place, unit in enumerate(lens.units)
        for stage in reversed(range(stages + 1))
    ]
    return pictures.table(columns, rows, caption=title, numeric=(3, 4))


def _cell(result: View, stage: int, place: int) -> str:
    lens = result.lens
    guess, rank = lens.best[stage][place], int(lens.ranks[stage, place])
    style = "lab-token lab-chosen" if place == result.focus else "lab-token"
    return (
        f'<button type="button" class="{style}" style="--weight:{guess.probability:.4f}" data-scale="probability"'
        f' data-pick="{foot.attribute({"focus": place})}"><span>{html.escape(guess.token)}</span>'
        f"<small>{_share(guess.probability)}{' ✓' if rank == 1 else ''}</small></button>"
    )


def _draw_one(result: View, locale: Locale) -> str:
    """The token that the model ends with, at one position: its probability and rank after each layer."""
    lens, place = result.lens, result.focus
    final, stages = lens.final[place], len(lens.best) - 1
    title = translate("lens.one", locale, label=lens.units[place].label, token=final.token)
    order = tuple(reversed(range(stages + 1)))
    bars = [
        pictures.Bar(
            _name(n, stages, locale),
            float(lens.shares[n, place]),
            translate("lens.bar", locale, share=_share(float(lens.shares[n, place])), rank=f"{lens.ranks[n, place]:,}"),
        )
        for n in order
    ]
    names = [translate(f"lens.column.{name}", locale) for name in ("stage", "rank", "share", "best", "best_share")]
    rows = [
        (
            _name(n, stages, locale),
            int(lens.ranks[n, place]),
            f"{lens.shares[n, place]:.4f}",
            lens.best[n][place].token,
            f"{lens.best[n][place].probability:.4f}",
        )
        for n in order
    ]
    numbers = pictures.table(names, rows, caption=title, numeric=(1, 2, 4))
    return (
        pictures.twin(pictures.bars(bars, title=title, high=1.0), numbers, locale)
        + pictures.note(translate("lens.caveat", locale), kind="caution")
        + models.honesty(result.parameters, locale)
    )


def _share(probability: float) -> str:
    """Short, for a cell: 34%, 2.0%, 0.036%."""
    if probability < SMALLEST:
        return f"< {100 * SMALLEST:g}%"
    return f"{probability:.0%}" if probability >= 0.1 else blanks.share(probability)


def _name(stage: int, stages: int, locale: Locale) -> str:
    """Stage 0 is what goes into the first layer, the last one what comes out of the model."""
    if stage == 0:
        return translate("lens.stage.input", locale)
    return translate("lens.stage.output" if stage == stages else "lens.stage.layer", locale, number=stage)
