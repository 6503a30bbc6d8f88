"""Small markup of the tokens room: pieces in a row, words with their cuts, texts with marked parts, steps to click."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.i18n import Locale, translate, words
from core.text.input import visible
from tabs._kit import foot, pictures


def piece(surface: str, *, link: str = "", hint: str = "", style: str = "") -> str:
    """One piece, reachable by keyboard when it lights others."""
    attributes = f' data-link="{html.escape(link)}" tabindex="0"' if link else ""
    title = f' title="{html.escape(hint)}"' if hint else ""
    return f'<span class="lab-piece {style}"{attributes}{title}>{html.escape(surface)}</span>'


def cuts(rows: Iterable[tuple[str, int, Sequence[str]]], *, new: str = "") -> str:
    """Words with their count and their pieces; the piece called `new` stands out."""
    lines = "".join(
        f'<li><span class="lab-cut-word">{html.escape(visible(word))} <small>×{count:,}</small></span><span>'
        + "".join(piece(visible(part), style="lab-chosen" if part == new else "") for part in parts)
        + "</span></li>"
        for word, count, parts in rows
    )
    return f'<ol class="lab-cuts">{lines}</ol>'


def row_of(parts: Iterable[str], *, new: str = "") -> str:
    """Pieces one after the other."""
    inner = "".join(piece(visible(part), style="lab-chosen" if part == new else "") for part in parts)
    return f'<div class="lab-pieces">{inner}</div>'


def text_row(parts: Iterable[tuple[str, bool, str]], *, title: str) -> str:
    """A text that wraps: (text, whether this stage changed it, what lights up with it)."""
    inner = "".join(
        f'<{"mark" if changed else "span"} data-link="{html.escape(link)}">{html.escape(visible(text))}'
        f"</{'mark' if changed else 'span'}>"
        for text, changed, link in parts
    )
    return f'<figure class="lab-text"><figcaption>{html.escape(title)}</figcaption><p>{inner}</p></figure>'


def chips(options: Iterable[tuple[str, Mapping[str, Any], bool]], *, title: str) -> str:
    """Buttons that set fields: (label, fields, whether it is the one chosen)."""
    buttons = "".join(
        foot.pick_button(html.escape(label), params, style=f"lab-chip{' lab-chosen' if chosen else ''}")
        for label, params, chosen in options
    )
    return f'<div class="lab-chips" role="group" aria-label="{html.escape(title)}">{buttons}</div>'


def stepper(step: int, last: int, locale: Locale) -> str:
    """Buttons to the first, previous, next and last step."""
    ways = {"first": 0, "back": max(step - 1, 0), "on": min(step + 1, last), "last": last}
    return chips(
        ((translate(f"tokens.step.{name}", locale), {"step": target}, False) for name, target in ways.items()),
        title=translate("tokens.steps", locale),
    )


def word_or(stem: str, name: str, locale: Locale) -> str:
    """The word ``stem.name``, or the name itself where the catalogue has none (a rule of somebody's tokenizer)."""
    key = f"{stem}.{name}"
    return translate(key, locale) if key in words(locale) else name


def folded(summary: str, inner: str) -> str:
    """A part that is closed at first; `inner` is HTML."""
    return f"<details class=lab-fold><summary>{html.escape(summary)}</summary>{inner}</details>"


def left_out(shown: int, total: int, locale: Locale) -> str:
    """A sentence for a list that is shown in part."""
    return pictures.note(translate("tokens.left_out", locale, shown=shown, total=total)) if total > shown else ""
