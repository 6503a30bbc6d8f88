"""5.3.3 Edit and predict again: what one word does to an answer, and which words the answer rests on."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core import query as queries
from core.analysis.rewriting import LONGEST, Rewriting, rewrite
from core.analysis.sources import OFFERED
from core.i18n import Locale, translate
from core.presets import HEADS
from core.tasks.attribution import METHODS, WordAttribution
from tabs._kit import pictures
from tabs._kit.exhibit import Exhibit, Prediction, Step
from tabs._kit.room import Room
from tabs.analysis.choosing import SAMPLE, label
from tabs.analysis.rewriting_script import snippet
from tabs.analysis.rows import share

SLUG = "rewriting"
SOURCES = tuple(p.id for p in HEADS if p.id in OFFERED and p.task in ("classification", "pair-classification"))
COMPLAINT = "届いた箱がつぶれていて、問い合わせても返事がない。二度と買いません。"
PHRASES = "星１つ。\n星４つ。\n星５つ。\n☆４つ\n最高。\n増えた。\n好調。\n客が多い。"
SENTIMENT: Mapping[str, str] = {"source": "sentiment", "premise": ""}
STARS: Mapping[str, str] = {**SENTIMENT, "text": COMPLAINT, "edited": f"{COMPLAINT}星４つ。", "phrases": PHRASES}
MORE: Mapping[str, str] = {
    **SENTIMENT,
    "text": "苦情が減った。",
    "edited": "苦情が増えた。",
    "phrases": "売り上げも。\n困った。\nうれしい。",
}
NOT: Mapping[str, str] = {
    **SENTIMENT,
    "text": "売り上げは減った。",
    "edited": "売り上げは減らなかった。",
    "phrases": "心配はいらない。\n大丈夫だ。\n残念だ。",
}
NEGATED: Mapping[str, str] = {
    "source": "inference",
    "premise": "朝から降り続いていた雨は、昼過ぎにようやく上がった。",
    "text": "夕方より前に、雨はやんでいた。",
    "edited": "夕方より前に、雨はやんでいなかった。",
    "phrases": "よく晴れた。\n誰も知らない。\n雪ではない。",
}


@dataclass(frozen=True)
class Query:
    """Two versions of a text, what is tried at its end, and how words are scored."""

    text: str = queries.text(COMPLAINT, limit=LONGEST)
    edited: str = queries.text(f"{COMPLAINT}好調。", limit=LONGEST)
    premise: str = queries.text("", limit=LONGEST)
    phrases: str = queries.text(PHRASES, limit=LONGEST)
    method: str = queries.one_of("occlusion", *METHODS)
    source: str = queries.one_of("sentiment", *SOURCES, free=True)

    @property
    def additions(self) -> tuple[str, ...]:
        """One phrase a line; empty lines do not count."""
        return tuple(line.strip() for line in self.phrases.splitlines() if line.strip())


def explore(query: Query) -> Rewriting:
    """Probabilities of both versions and of each addition; ``words`` with their scores, by the label said at first."""
    return rewrite(
        query.text,
        query.edited,
        query.source,
        premise=query.premise,
        phrases=query.additions,
        method=next(method for method in METHODS if method == query.method),
    )


def show(result: Rewriting, locale: Locale) -> tuple[str, ...]:
    """The two answers; the additions; the words."""
    return _answers(result, locale), _additions(result, locale), _words(result, locale)


def _answers(result: Rewriting, locale: Locale) -> str:
    place = result.labels.index(result.label)
    before, after = result.before.probabilities, result.after.probabilities
    said = label(result.labels[after.index(max(after))], locale, SAMPLE)
    change = 100 * (after[place] - before[place])
    name = label(result.label, locale, SAMPLE)
    figures = [
        (translate("rewriting.before", locale), f"{name} {share(before[place])}"),
        (translate("rewriting.after", locale), f"{said} {share(max(after))}"),
        (
            translate("rewriting.change", locale, label=name),
            translate("rewriting.points", locale, points=f"{change:+.1f}"),
        ),
    ]
    title = translate("rewriting.bars", locale)
    bars = "".join(
        pictures.bars(
            [
                pictures.Bar(
                    translate(f"rewriting.{version}", locale), verdict.probabilities[n], share(verdict.probabilities[n])
                )
                for version, verdict in (("before", result.before), ("after", result.after))
            ],
            title=label(one, locale, SAMPLE),
            high=1.0,
        )
        for n, one in enumerate(result.labels)
    )
    rows = [
        (label(one, locale, SAMPLE), f"{p:.4f}", f"{q:.4f}", f"{q - p:+.4f}")
        for one, p, q in zip(result.labels, before, after, strict=True)
    ]
    columns = [translate(f"rewriting.{name}", locale) for name in ("label", "before", "after", "difference")]
    table = pictures.table(columns, rows, caption=title, numeric=(1, 2, 3))
    premise = (
        f'<p class="lab-note">{html.escape(translate("rewriting.given", locale, premise=result.premise))}</p>'
        if result.premise
        else ""
    )
    return (
        pictures.numbers(figures)
        + premise
        + _changes(result, locale)
        + pictures.twin(f'<div class="lab-columns">{bars}</div>', table, locale)
    )


def _changes(result: Rewriting, locale: Locale) -> str:
    tags = {"same": "span", "removed": "del", "added": "ins"}
    drawn = "".join(f"<{tags[kind]}>{html.escape(words)}</{tags[kind]}>" for kind, words in result.changes)
    title = translate("rewriting.changes", locale)
    return f'<figure class="lab-text lab-changes"><figcaption>{html.escape(title)}</figcaption><p>{drawn}</p></figure>'


def _additions(result: Rewriting, locale: Locale) -> str:
    if not result.additions:
        return ""
    place = result.labels.index(result.label)
    name = label(result.label, locale, SAMPLE)
    first = result.before.probabilities[place]
    bars = [pictures.Bar(translate("rewriting.nothing", locale), first, share(first))]
    rows = []
    for phrase, verdict in zip(result.phrases, result.additions, strict=True):
        now = verdict.probabilities[place]
        said = result.labels[verdict.probabilities.index(max(verdict.probabilities))]
        flipped = (
            translate("rewriting.flipped", locale, label=label(said, locale, SAMPLE)) if said != result.label else ""
        )
        points = f"{share(now)} ({100 * (now - first):+.0f})"
        bars.append(pictures.Bar(f"+ {phrase}", now, points, pick={"edited": verdict.text}, note=flipped))
        rows.append((phrase, label(said, locale, SAMPLE), f"{now:.4f}", f"{now - first:+.4f}"))
    title = translate("rewriting.additions", locale, label=name)
    columns = [translate(f"rewriting.{one}", locale) for one in ("phrase", "said", "probability", "difference")]
    table = pictures.table(columns, rows, caption=title, numeric=(2, 3))
    return (
        pictures.heading(translate("rewriting.additions.heading", locale))
        + pictures.twin(pictures.bars(bars, title=title, high=1.0), table, locale)
        + pictures.note(translate("rewriting.additions.note", locale))
    )


def _words(result: Rewriting, locale: Locale) -> str:
    most = max((abs(word.score) for one in result.words for word in one.words), default=0.0) or 1.0
    strips = "".join(
        f"<figcaption>{html.escape(translate(f'rewriting.{version}', locale))}</figcaption>{_strip(one, most)}"
        for version, one in zip(("before", "after"), result.words, strict=True)
    )
    method = result.words[0].method
    unit = translate(f"rewriting.unit.{method}", locale, label=label(result.label, locale, SAMPLE))
    rows = [
        (translate(f"rewriting.{version}", locale), word.word, f"{word.score:+.4f}")
        for version, one in zip(("before", "after"), result.words, strict=True)
        for word in one.words
    ]
    columns = [translate(f"rewriting.{name}", locale) for name in ("version", "word", "score")]
    table = pictures.table(columns, rows, caption=unit, numeric=(2,))
    drawn = f'<figure class="lab-speaking">{strips}</figure>{pictures.note(unit)}'
    return (
        pictures.heading(translate("rewriting.words", locale))
        + pictures.twin(drawn, table, locale)
        + _sum(result, locale)
    )


def _strip(one: WordAttribution, most: float) -> str:
    parts = []
    for word in one.words:
        side = "for" if word.score >= 0 else "against"
        sign = "+" if word.score >= 0 else "−"
        parts.append(
            f'<span class="lab-speaks lab-{side}" style="--weight:{abs(word.score) / most:.4f}" tabindex="0"'
            f' title="{word.score:+.4f}">{html.escape(word.word)}<small>{sign}{abs(word.score):.2f}</small></span>'
        )
    return f"<p>{''.join(parts)}</p>"


def _sum(result: Rewriting, locale: Locale) -> str:
    """Integrated gradients promise a sum: said with this text's numbers."""
    one = result.words[1]
    if one.method == "occlusion":
        return pictures.note(translate("rewriting.no_sum", locale), kind="caution")
    total = sum(word.score for word in one.words)
    return pictures.formula([translate("rewriting.sum", locale, total=f"{total:+.3f}", rise=f"{one.rise:+.3f}")])


def evidence(result: Rewriting) -> dict[str, Any]:
    """The probabilities and the scores of the words."""
    return {
        "before": _by_label(result.labels, result.before.probabilities),
        "after": _by_label(result.labels, result.after.probabilities),
        "additions": [_by_label(result.labels, one.probabilities) for one in result.additions],
        "words": [[[word.word, round(word.score, 3)] for word in one.words] for one in result.words],
    }


def _by_label(labels: tuple[str, ...], probabilities: tuple[float, ...]) -> dict[str, float]:
    return {one: round(p, 4) for one, p in zip(labels, probabilities, strict=True)}


def build(room: Room) -> None:
    """Two versions, the premise of a pair; what is added, how words are scored, and whose answers, below."""
    with room.inputs():
        room.presets(STARS, MORE, NOT, NEGATED)
        room.widget("text", lines=2)
        room.widget("edited", lines=2)
        room.widget("method")
        with room.more():
            room.widget("premise", lines=2)
            room.widget("phrases", lines=4)
            room.widget("source")
    with room.results():
        for _ in range(3):
            room.view()


def _answer(result: Rewriting) -> int:
    """Whether the first label's probability rose (0), fell (1), or stayed within ten points (2)."""
    change = result.after.probabilities[0] - result.before.probabilities[0]
    return 2 if abs(change) < 0.1 else int(change < 0)


EXHIBIT = Exhibit(
    slug=SLUG,
    sections=("5.3.3",),
    query=Query,
    explore=explore,
    show=show,
    snippet=snippet,
    evidence=evidence,
    build=build,
    prediction=Prediction(Query(text=MORE["text"], edited=MORE["edited"], phrases=MORE["phrases"]), 3, _answer),
    lane="model",
    steps=(
        Step({"text": STARS["text"], "edited": STARS["edited"]}),
        Step({"text": NOT["text"], "edited": NOT["edited"]}),
        Step({"method": "integrated-gradients"}),
        Step({"source": "inference"}),
    ),
)
