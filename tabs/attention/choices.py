"""What visitors choose by clicking in a picture: a layer, a head, a token, a part of a long text."""

from __future__ import annotations

import html
from collections.abc import Sequence

from core.i18n import Locale, translate
from core.models.inputs import Unit, Window
from tabs._kit import foot, pictures


def chips(name: str, options: Sequence[tuple[int, str]], *, chosen: int, title: str) -> str:
    """A row of buttons that set the field `name`; options are (value, label)."""
    buttons = "".join(
        foot.pick_button(html.escape(label), {name: value}, style=f"lab-chip{' lab-chosen' if value == chosen else ''}")
        for value, label in options
    )
    title = html.escape(title)
    return f'<div class="lab-chips" role="group" aria-label="{title}"><span>{title}</span>{buttons}</div>'


def head_chips(layers: int, heads: int, *, layer: int, head: int, locale: Locale) -> str:
    """Rows of buttons for the layer and the head, both counted from 1."""
    rows = (("layer", layers, layer), ("head", heads, head))
    return "".join(
        chips(name, [(n, str(n)) for n in range(1, count + 1)], chosen=chosen, title=translate(f"kit.{name}", locale))
        for name, count, chosen in rows
    )


def state(unit: Unit, *, chosen: bool = False, masked: bool = False) -> str:
    """How a unit's box is marked."""
    marks = {"special": unit.special, "unknown": unit.unknown, "chosen": chosen, "masked": masked}
    return " ".join(mark for mark, wanted in marks.items() if wanted)


def starts_word(units: Sequence[Unit], place: int) -> bool:
    """Whether a new word begins here, so that boxes of one word stand close together."""
    unit, before = units[place], units[place - 1] if place else None
    return before is None or unit.word is None or (unit.sequence, unit.word) != (before.sequence, before.word)


def window_note(window: Window, locale: Locale) -> str:
    """For a text that is seen in part: which part, and buttons to the parts before and after."""
    if not window.truncated:
        return ""
    told = translate("attention.common.window", locale, total=window.total, first=window.first + 1, last=window.last)
    moves = []
    if window.first:
        moves.append((max(window.first - window.shown, 0), "back"))
    if window.last < window.total:
        moves.append((window.last, "on"))
    buttons = "".join(
        foot.pick_button(html.escape(translate(f"attention.common.{way}", locale)), {"first": first})
        for first, way in moves
    )
    return pictures.note(told, kind="caution") + f'<div class="lab-chips">{buttons}</div>'
