"""What a model says of the same few validation examples each time it is evaluated: how it learns, in examples."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

from core.i18n import Locale, translate, words

QUOTED = 60  # characters of a text
ANSWER = 40  # characters of an answer
SHOWN = 6  # evaluations: the first, the last, and evenly spaced ones between
NEAR = 0.5  # a number this close to the right one counts as right
# Whose answers are not simply right or wrong: texts of one's own, likenesses on another scale than that of the answer.
UNJUDGED = frozenset({"headline", "simcse", "simcse-supervised", "masked-lm", "causal-lm", "span-corruption"})
TEXTS = ("text", "sentence1", "question", "body", "anchor")  # the column that an example is known by


def draw_samples(record: Mapping[str, Any], locale: Locale) -> str:
    """A table: a row for each example, a column for each evaluation; '' before the first."""
    evaluations = [one for one in record["evaluations"] if one["samples"]]
    if not evaluations:
        return ""
    shown, judged = _thin(evaluations), record["config"]["task"] not in UNJUDGED
    head = [translate(f"training.sample.{name}", locale) for name in ("text", "gold")]
    head += [translate("training.sample.step", locale, step=one["step"]) for one in shown]
    rows = []
    for place, sample in enumerate(shown[0]["samples"]):
        told = [one["samples"][place] for one in shown if place < len(one["samples"])]
        cells = "".join(f"<td>{_draw_answer(one, locale, judged=judged)}</td>" for one in told)
        text = html.escape(_shorten(quote(sample["row"]), QUOTED))
        gold = html.escape(_shorten(write_answer(sample["gold"], sample["row"], locale), ANSWER))
        rows.append(f'<tr><th scope="row">{text}</th><td>{gold}</td>{cells}</tr>')
    title = html.escape(translate("training.samples", locale))
    names = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in head)
    return (
        f'<div class="lab-table lab-samples" tabindex="0" role="region" aria-label="{title}"><table>'
        f"<caption>{title}</caption><thead><tr>{names}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def quote(row: Mapping[str, Any]) -> str:
    """The text that an example is known by; of a pair both."""
    name = next((name for name in TEXTS if row.get(name)), None)
    if name is None:
        return " ".join(str(value) for value in row.values() if isinstance(value, str))
    second = row.get("sentence2") if name == "sentence1" else None
    return f"{row[name]} ／ {second}" if second else str(row[name])


def write_answer(answer: Any, row: Mapping[str, Any], locale: Locale) -> str:
    """An answer in words: a label, a number, a choice, names in their text, or a text."""
    if isinstance(answer, bool) or answer is None:
        return "–"
    if isinstance(answer, list):
        text = str(row.get("text", ""))
        return "、".join(f"{text[start:end]}（{label}）" for start, end, label in answer) or "–"
    if isinstance(answer, float):
        return f"{answer:.2f}" if math.isfinite(answer) else "–"
    choices = row.get("choices")
    if isinstance(choices, Sequence) and not isinstance(choices, str) and isinstance(answer, int):
        return str(choices[answer]) if 0 <= answer < len(choices) else "–"
    return name_label(str(answer), locale)


def name_label(label: str, locale: Locale) -> str:
    """What the page calls a label."""
    key = f"training.label.{label}"
    return translate(key, locale) if key in words(locale) else label


def _draw_answer(sample: Mapping[str, Any], locale: Locale, *, judged: bool) -> str:
    gold, predicted = sample["gold"], sample["predicted"]
    right = (
        abs(gold - predicted) <= NEAR
        if isinstance(gold, float) and isinstance(predicted, int | float)
        else gold == predicted
    )
    told = html.escape(_shorten(write_answer(predicted, sample["row"], locale), ANSWER))
    probability = sample["scores"].get(str(predicted)) if sample["scores"] else None
    share = f" <small>{probability:.0%}</small>" if probability is not None else ""
    if not judged:
        return told + share
    style, mark = ("lab-right", "✓") if right else ("lab-wrong", "✗")
    return f'<span class="{style}">{mark} {told}</span>{share}'


def _thin(evaluations: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    if len(evaluations) <= SHOWN:
        return list(evaluations)
    places = {round(n * (len(evaluations) - 1) / (SHOWN - 1)) for n in range(SHOWN)}
    return [evaluations[place] for place in sorted(places)]


def _shorten(text: str, most: int) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"
