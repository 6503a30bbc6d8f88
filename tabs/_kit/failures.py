"""Failures in words: the one place where an error becomes what stands on the page."""

from __future__ import annotations

import html

from core.errors import write_trace
from core.i18n import Locale, translate
from tabs._kit.context import Context
from tabs._kit.events import as_told_here, sentence


def tell(error: Exception, context: Context, locale: Locale, button: str = "") -> str:
    """What went wrong, in words; where the mode allows it, the traceback of a defect in a fold. `button` is HTML."""
    told = as_told_here(error, context.limits)
    trace = write_trace(error) if context.limits.tracebacks else ""
    return notice(sentence(told, locale), button) + fold(trace, locale)


def notice(told: str, button: str = "") -> str:
    """A sentence above the views, which stay as they were; `button` is HTML."""
    return f'<div class="lab-error" role="alert">{html.escape(told)} {button}</div>'


def fold(trace: str, locale: Locale) -> str:
    """A traceback, closed; nothing for none."""
    if not trace:
        return ""
    return (
        f'<details class="lab-fold lab-trace"><summary>{html.escape(translate("kit.trace", locale))}</summary>'
        f'<pre class="lab-formula" tabindex="0">{html.escape(trace)}</pre></details>'
    )
