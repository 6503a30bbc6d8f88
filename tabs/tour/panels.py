"""The answers as panels: one for each task, and below them one task step by step."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from core.i18n import Locale, translate, words
from core.presets import HEADS
from core.tasks.tour import Inference, Likeness, Name, Names, Refusal, Sentiment, Tour, Written
from core.text.input import visible
from tabs._kit import pictures

# Section of the book and tasks of each panel, in the order in which they stand.
PANELS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("sentiment", "1.1.1", ("sentiment",)),
    ("inference", "1.1.2", ("inference",)),
    ("likeness", "1.1.3", ("similarity", "embedding")),
    ("names", "1.1.4", ("names",)),
    ("headline", "1.1.5", ("headline",)),
)
# The types of the book's data set (6.2.1); the place is the colour.
TYPES = ("地名", "人名", "施設名", "製品名", "その他の組織名", "法人名", "イベント名", "政治的組織名")

Answer = TypeVar("Answer")


def draw_panels(result: Tour, locale: Locale) -> str:
    """All panels, side by side where there is room."""
    pictured: Mapping[str, str] = {
        "sentiment": _either(result.sentiment, _draw_sentiment, locale),
        "inference": _either(result.inference, _draw_inference, locale),
        "likeness": _either(result.similarity, _draw_similarity, locale)
        + _either(result.embedding, _draw_embedding, locale),
        "names": _either(result.names, lambda names, locale: _draw_names(names, result.texts.sentence, locale), locale),
        "headline": _either(result.headline, _draw_headline, locale),
    }
    panels = "".join(_panel(result, *panel, pictured[panel[0]], locale) for panel in PANELS)
    told = _count(result, locale)
    table = (
        f'<details class="lab-fold"><summary>{html.escape(told)}</summary>{_summarize(result, told, locale)}</details>'
    )
    return f'<div class="lab-abreast" style="--lab-narrow:230px">{panels}</div>{table}'


def draw_steps(result: Tour, locale: Locale) -> str:
    """Section 1.2: from characters to pieces, ids, logits and probabilities, with this sentence's numbers."""
    found = result.sentiment
    if isinstance(found, Refusal):
        return ""
    boxes = [
        pictures.Box(visible(piece), str(number), state="special" if piece in ("[CLS]", "[SEP]") else "")
        for piece, number in zip(found.pieces, found.ids, strict=True)
    ]
    names = [_word("label", label, locale) for label in found.labels]
    logits = ", ".join(f"{name} {logit:+.2f}" for name, logit in zip(names, found.logits, strict=True))
    below = " + ".join(f"exp({logit:.2f})" for logit in found.logits)
    lines = [f"logits = [{logits}]"] + [
        f"p({name}) = exp({logit:.2f}) / ({below}) = {probability:.3f}"
        for name, logit, probability in zip(names, found.logits, found.probabilities, strict=True)
    ]
    return (
        pictures.heading(translate("tour.steps", locale))
        + pictures.note(translate("tour.steps.tokenizer", locale, count=len(found.ids)))
        + pictures.token_boxes(boxes, title=translate("tour.steps.pieces", locale))
        + pictures.note(translate("tour.steps.model", locale))
        + pictures.formula(lines)
    )


def _panel(result: Tour, name: str, section: str, tasks: tuple[str, ...], drawn: str, locale: Locale) -> str:
    silent = (set(tasks) & set(result.cut)) - {"headline"}  # which says by itself how much it has read
    cut = pictures.note(translate("tour.cut", locale), kind="caution") if silent else ""
    answered = _answered(result, tasks)
    models = " ".join(
        f'<span class="lab-tag">{html.escape(_describe(getattr(result.sources, task), locale))}</span>'
        for task in answered
    )
    told = pictures.note(translate(f"tour.note.{name}", locale)) if answered else ""  # it speaks of the answer
    return (
        f'<section class="lab-card-open"><span class="lab-badge">{section}</span>'
        f"{pictures.heading(translate(f'tour.panel.{name}', locale))}"
        f"{drawn}{cut}{told}"
        f'<div class="lab-chips">{models}</div></section>'
    )


def _answered(result: Tour, tasks: Iterable[str]) -> list[str]:
    return [task for task in tasks if not isinstance(getattr(result, task), Refusal)]


def _count(result: Tour, locale: Locale) -> str:
    """What the table holds: how many models answered, for how many of the panels."""
    answered = [found for *_, tasks in PANELS if (found := _answered(result, tasks))]
    models = sum(map(len, answered))
    return translate("tour.summary", locale, tasks=len(PANELS), answered=len(answered), models=models)


def _either(answer: Answer | Refusal, draw: Callable[[Answer, Locale], str], locale: Locale) -> str:
    """The picture of an answer, or the reason why there is none."""
    if isinstance(answer, Refusal):
        return pictures.note(_explain(answer, locale), kind="caution")
    return draw(answer, locale)


def _explain(refusal: Refusal, locale: Locale) -> str:
    params = dict(refusal.params)
    if refusal.key == "error.model.not_shipped":
        params["source"] = _word("model", str(params["source"]), locale)
    return translate(refusal.key, locale, **params)


def _summarize(result: Tour, caption: str, locale: Locale) -> str:
    """All answers in one table, the likeliest ones only."""
    told = {
        "sentiment": _tell(result.sentiment, _tell_sentiment, locale),
        "inference": _tell(result.inference, _tell_inference, locale),
        "similarity": _tell(result.similarity, lambda found, _: f"{found.pair:.2f} / 5", locale),
        "embedding": _tell(result.embedding, lambda found, _: f"{found.pair:+.3f}", locale),
        "names": _tell(result.names, lambda found, locale: _tell_names(found, result.texts.sentence, locale), locale),
        "headline": _tell(result.headline, lambda found, _: visible(found.text), locale),
    }
    rows = [(translate(f"tour.task.{task}", locale), answer) for task, answer in told.items()]
    columns = [translate(f"tour.column.{name}", locale) for name in ("task", "answer")]
    return pictures.table(columns, rows, caption=caption)


def _tell(answer: Answer | Refusal, tell: Callable[[Answer, Locale], str], locale: Locale) -> str:
    return "–" if isinstance(answer, Refusal) else tell(answer, locale)


def _tell_sentiment(found: Sentiment, locale: Locale) -> str:
    return _tell_best(found.labels, found.probabilities, locale)


def _tell_inference(found: Inference, locale: Locale) -> str:
    answers = [_tell_best(found.labels, row, locale) for row in found.probabilities]
    return "  ".join(f"({number}) {answer}" for number, answer in enumerate(answers, 1))


def _tell_best(labels: Sequence[str], probabilities: Sequence[float], locale: Locale) -> str:
    best = max(probabilities)
    return f"{_word('label', labels[probabilities.index(best)], locale)} {share(best)}"


def _tell_names(found: Names, sentence: str, locale: Locale) -> str:
    names = [f"{visible(sentence[n.start : n.end])} ({_word('type', n.label, locale)})" for n in found.found]
    return ", ".join(names) or translate("tour.names.none", locale)


def _draw_sentiment(found: Sentiment, locale: Locale) -> str:
    title = translate("tour.sentiment.bars", locale)
    names = [_word("label", label, locale) for label in found.labels]
    bars = [pictures.Bar(name, p, share(p)) for name, p in zip(names, found.probabilities, strict=True)]
    rows = [(name, f"{p:.4f}") for name, p in zip(names, found.probabilities, strict=True)]
    columns = [translate(f"tour.column.{name}", locale) for name in ("label", "probability")]
    numbers = pictures.table(columns, rows, caption=title, numeric=(1,))
    return pictures.twin(pictures.bars(bars, title=title, high=1.0), numbers, locale)


def _draw_inference(found: Inference, locale: Locale) -> str:
    title = translate("tour.inference.bars", locale)
    names = [_word("label", label, locale) for label in found.labels]
    drawn = "".join(
        pictures.bars(
            [pictures.Bar(name, p, share(p)) for name, p in zip(names, row, strict=True)],
            title=f"{number} {visible(hypothesis)}",
            high=1.0,
        )
        for number, (hypothesis, row) in enumerate(zip(found.hypotheses, found.probabilities, strict=True), 1)
    )
    rows = [
        (visible(hypothesis), *(f"{p:.4f}" for p in row))
        for hypothesis, row in zip(found.hypotheses, found.probabilities, strict=True)
    ]
    numbers = pictures.table(
        [translate("tour.column.hypothesis", locale), *names], rows, caption=title, numeric=(1, 2, 3)
    )
    return pictures.twin(drawn, numbers, locale)


def _draw_similarity(found: Likeness, locale: Locale) -> str:
    values = [(value, f"{value:.2f} / 5") for value in (found.pair, found.unrelated)]
    return _draw_likeness(values, translate("tour.similarity.bars", locale), locale, high=5.0)


def _draw_embedding(found: Likeness, locale: Locale) -> str:
    values = [(value, f"{value:+.3f}") for value in (found.pair, found.unrelated)]
    return _draw_likeness(values, translate("tour.embedding.bars", locale), locale, high=1.0, signed=True)


def _draw_likeness(
    values: list[tuple[float, str]], title: str, locale: Locale, *, high: float, signed: bool = False
) -> str:
    names = [translate(f"tour.likeness.{name}", locale) for name in ("pair", "unrelated")]
    bars = [
        pictures.Bar(name, value if signed else min(max(value, 0.0), high), told)
        for name, (value, told) in zip(names, values, strict=True)
    ]
    rows = [(name, f"{value:.4f}") for name, (value, _) in zip(names, values, strict=True)]
    columns = [translate(f"tour.column.{name}", locale) for name in ("pair", "score")]
    numbers = pictures.table(columns, rows, caption=title, numeric=(1,))
    # Likeness has a colour of its own, so that no score is taken for a probability.
    drawn = pictures.bars(bars, title=title, high=high, signed=signed, scale="similarity")
    return pictures.twin(drawn, numbers, locale)


def _draw_names(found: Names, sentence: str, locale: Locale) -> str:
    title = translate("tour.names.spans", locale)
    parts, place = [], 0
    for name in found.found:
        parts += [html.escape(visible(sentence[place : name.start])), _mark(name, sentence, locale)]
        place = name.end
    parts.append(html.escape(visible(sentence[place:])))
    drawn = f'<figure class="lab-text"><figcaption>{html.escape(title)}</figcaption><p>{"".join(parts)}</p></figure>'
    if not found.found:
        drawn += pictures.note(translate("tour.names.none", locale))
    columns = [translate(f"tour.column.{name}", locale) for name in ("span", "name", "type", "confidence", "pieces")]
    rows = [
        (
            f"{name.start}–{name.end}",
            visible(sentence[name.start : name.end]),
            _word("type", name.label, locale),
            f"{name.confidence:.4f}",
            " ".join(name.pieces),
        )
        for name in found.found
    ]
    return pictures.twin(drawn, pictures.table(columns, rows, caption=title, numeric=(3,)), locale)


def _mark(name: Name, sentence: str, locale: Locale) -> str:
    """A name in the colour of its type, with the type in words and how sure the model is."""
    color = f"var(--lab-c{TYPES.index(name.label)})" if name.label in TYPES else "var(--lab-accent-ground)"
    kind = html.escape(_word("type", name.label, locale))
    return (
        f'<span class="lab-piece" style="background:{color}">{html.escape(visible(sentence[name.start : name.end]))} '
        f'<small style="color:inherit">{kind} {min(int(100 * name.confidence), 99)}%</small></span>'
    )


def _draw_headline(found: Written, locale: Locale) -> str:
    title = translate("tour.headline.written", locale)
    text = visible(found.text) if found.text else translate("tour.headline.empty", locale)
    drawn = (
        f'<figure class="lab-text"><figcaption>{html.escape(title)}</figcaption><p><strong>{html.escape(text)}</strong>'
        "</p></figure>"
    )
    return drawn + pictures.note(translate("tour.headline.read", locale, read=found.read, total=found.total))


def share(probability: float) -> str:
    """A probability as a percentage; never 100 % for what is not certain."""
    return f"{min(100 * probability, 99.9):.1f}%"


def _describe(source: str, locale: Locale) -> str:
    preset = next(preset for preset in HEADS if preset.id == source)
    name = _word("model", source, locale) if preset.bundled else source.rpartition("/")[2]
    where = translate("kit.bundled" if preset.bundled else "kit.hub", locale)
    return translate("kit.model_badge", locale, name=name, where=where, megabytes=f"{preset.megabytes:g}")


def _word(kind: str, name: str, locale: Locale) -> str:
    """The word for a label, a type or a model; a model may have labels that nobody foresaw."""
    key = {"label": f"tour.label.{name}", "type": f"tour.type.{name}", "model": f"tour.model.{name}"}[kind]
    return translate(key, locale) if key in words(locale) else name
