"""Questions asked before their answers are drawn: one at a time, each with its verdict."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

from core.i18n import Locale, translate
from tabs._kit.exhibit import Exhibit, Prediction
from tabs._kit.words import both


@dataclass(frozen=True)
class Guess:
    """What a visitor chose: a question of the exhibit, and one of its options, both from 0."""

    question: int
    option: int


def read_guess(exhibit: Exhibit, question: Any, option: Any) -> Guess | None:
    """What the page's script sent; None for what is no answer to any question of this exhibit."""
    if not (_is_count(question) and _is_count(option) and question < len(exhibit.predictions)):
        return None
    return Guess(question, option) if option < exhibit.predictions[question].options else None


def ask(exhibit: Exhibit) -> str:
    """The questions, all but the first one hidden; with more than one, a button brings the next."""
    several = len(exhibit.predictions) > 1
    questions = "".join(_question(exhibit, number, several=several) for number in range(len(exhibit.predictions)))
    return f'<div class="lab-predict" role="group">{questions}</div>'


def judge(exhibit: Exhibit, result: Any, guess: Guess | None, locale: Locale) -> str:
    """Whether the guess was right, what is right, and why; empty without a guess."""
    if guess is None:
        return ""
    prediction = exhibit.predictions[guess.question]
    right = prediction.answer(result)
    stem = f"{exhibit.slug}.{prediction.stem}"
    key = "kit.predicted_right" if right == guess.option else "kit.predicted_wrong"
    told = translate(key, locale, answer=translate(f"{stem}.{right}", locale))
    because = translate(f"{stem}.because", locale)
    onward = f" {_next_button()}" if len(exhibit.predictions) > guess.question + 1 else ""
    return (
        f'<div class="lab-verdict" role="status" data-question="{guess.question}" data-option="{guess.option}">'
        f"<strong>{html.escape(told)}</strong> {html.escape(because)}{onward}</div>"
    )


def _question(exhibit: Exhibit, number: int, *, several: bool) -> str:
    prediction: Prediction = exhibit.predictions[number]
    stem = f"{exhibit.slug}.{prediction.stem}"
    options = "".join(
        f'<button type="button" data-predicted="{n}">{both(f"{stem}.{n}")}</button>' for n in range(prediction.options)
    )
    count = f' <span class="lab-tag">{number + 1} / {len(exhibit.predictions)}</span>' if several else ""
    another = _next_button() if several else ""
    return (
        f'<div data-question="{number}"{" hidden" if number else ""}><strong>{both("kit.predict")}</strong>{count}'
        f' {both(stem)}<div class="lab-options">{options}{another}</div></div>'
    )


def _next_button() -> str:
    return f'<button type="button" class="lab-another" data-another>{both("kit.another")}</button>'


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
