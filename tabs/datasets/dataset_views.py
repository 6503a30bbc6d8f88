"""A surveyed data set as pictures: how long, which labels, which parts, which rows, and where it stands in JGLUE."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from typing import Any

from core.data.benchmarks import JGLUE, SAMPLES, Benchmark, find_benchmark
from core.data.survey import PARTS, Piece, SharedContent, ShownRow, Survey
from core.i18n import Locale, translate
from core.presets import is_own
from core.training.minibatch import TASKS as LABELLED
from core.training.recorded import SAMPLE, SENTIMENT
from tabs._kit import foot, pictures
from tabs._kit.words import both
from tabs.datasets import choosing

FIGURE_SPACE = "\u2007"  # as wide as a digit
QUOTED = 120  # characters of a text in a row that is not opened
TICKS = 6  # numbers below the lengths
FIRST: Mapping[str, Any] = {"page": 1, "row": -1}
NOTHING_CHOSEN: Mapping[str, Any] = {"part": "all", "label": "", "pattern": "", "fit": "all", **FIRST}
COPIES = (0, 10, 20)  # percent that a chip puts in
BOOK = ("reviews", "inference", "similarity", "choices", "entities")  # of which the book tells numbers


def draw_overview(result: Survey, locale: Locale) -> str:
    """What there is, its lengths with the longest that a model would be given, and its labels part by part."""
    found = result.lengths
    rows = sum(result.parts)
    figures = [
        (translate("dataset.figure.rows", locale), f"{rows:,}"),
        (translate("dataset.figure.median", locale), f"{found.median:g}"),
        (
            translate("dataset.figure.cut", locale, length=result.max_length),
            f"{_share(found.cut, found.rows)} ({found.cut:,})",
        ),
    ]
    if result.labels:
        figures.append((translate("dataset.figure.majority", locale), f"{result.majority:.0%}"))
    if result.broken:
        figures.append((translate("dataset.figure.broken", locale), f"{result.broken:,}"))
    name = choosing.name_data(result.source, result.called, locale)
    task = translate(f"data.task.{result.task}", locale)
    key = "dataset.told.own" if is_own(result.source) else "dataset.told.sample"
    told = pictures.note(translate(key, locale, name=name, task=task)) + _onward(result, locale)
    book = pictures.note(translate(f"dataset.book.{result.source}", locale)) if result.source in BOOK else ""
    drawn = [_lengths(result, locale), *([_labels(result, locale)] if result.labels else [])]
    pair = f'<div class="lab-columns">{"".join(f"<div>{one}</div>" for one in drawn)}</div>'
    broken = choosing.tell_broken(result.broken, result.told, locale)
    return pictures.numbers(figures) + told + broken + pair + book


def _onward(result: Survey, locale: Locale) -> str:
    """To the batches and to the launcher, with these data: a file of one's own, or the sample of the task."""
    source = result.source if is_own(result.source) else SENTIMENT if result.source == "reviews" else SAMPLE
    label = html.escape(translate("dataset.train", locale))
    params = {"task": result.task, "source": source, "run": "", "beside": ""}
    buttons = foot.goto_button(label, "training", params)
    if result.task in LABELLED:
        seen = {"source": result.source, "number": 1, "row": 1}
        buttons = foot.goto_button(html.escape(translate("dataset.batch", locale)), "batch", seen) + buttons
    return f'<div class="lab-chips">{buttons}</div>'


def _share(count: int, total: int) -> str:
    return f"{count / total:.1%}" if total else "–"


def _lengths(result: Survey, locale: Locale) -> str:
    """A column for each range of lengths; a click moves the line there."""
    found, most = result.lengths, result.max_length
    caption = translate("dataset.lengths", locale, rows=f"{found.rows:,}", which=_which(result, locale))
    if not found.rows:
        return pictures.note(translate("dataset.rows.none", locale), kind="caution")
    end = found.width * len(found.counts)
    tallest = max(found.counts)
    columns = []
    for place, count in enumerate(found.counts):
        low, high = place * found.width, (place + 1) * found.width - 1
        told = translate("dataset.lengths.bin", locale, low=low, high=high, count=f"{count:,}")
        style = " lab-over" if low > most else ""
        columns.append(
            f'<span class="lab-column{style}" data-pick="{foot.attribute({"max_length": max(high, 8)})}"'
            f' title="{html.escape(told)}"><i style="height:{100 * count / tallest:.2f}%"></i></span>'
        )
    beyond = most >= end
    at = 100.0 if beyond else 100 * (most + 1) / end
    side = " lab-left" if at > 60 else ""
    line = translate("dataset.lengths.line", locale, length=most) + (" →" if beyond else "")
    step = next(step for step in (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1_000, 10**7) if end / step <= TICKS)
    ticks = "".join(
        f'<span style="inset-inline-start:{100 * tick / end:.2f}%">{tick}</span>' for tick in range(0, end, step)
    )
    drawn = (
        f'<figure class="lab-histogram"><figcaption>{html.escape(caption)}</figcaption>'
        f'<div class="lab-bins" role="img" aria-label="{html.escape(caption)}">'
        f'<span class="lab-tallest">{tallest:,}</span>{"".join(columns)}'
        f'<span class="lab-limit{side}" style="inset-inline-start:{at:.2f}%"><b>{html.escape(line)}</b></span></div>'
        f'<div class="lab-ticks" aria-hidden="true">{ticks}</div>'
        f'<p class="lab-axis">{html.escape(translate("dataset.lengths.axis", locale))}</p></figure>'
    )
    numbers = [
        (f"{place * found.width}–{(place + 1) * found.width - 1}", f"{count:,}")
        for place, count in enumerate(found.counts)
        if count
    ]
    names = [translate(f"dataset.lengths.{name}", locale) for name in ("tokens", "rows")]
    return pictures.twin(drawn, pictures.table(names, numbers, caption=caption, numeric=(0, 1)), locale)


def _which(result: Survey, locale: Locale) -> str:
    """The filters that are set, in words."""
    chosen, told = result.chosen, []
    if chosen.part != "all":
        told.append(choosing.name_part(chosen.part, locale))
    if chosen.label:
        told.append(choosing.name_label(chosen.label, result.task, locale))
    if chosen.pattern:
        told.append(translate("dataset.which.pattern", locale, pattern=chosen.pattern))
    return translate("dataset.which.all", locale) if not told else translate("dataset.which.and", locale).join(told)


def _labels(result: Survey, locale: Locale) -> str:
    """Bars in one order for every part, by their share, so that parts of different size compare."""
    kind = "label" if result.task in ("classification", "pair-classification") else result.task
    title = translate(f"dataset.labels.{kind}", locale)
    shown = [number for number, size in enumerate(result.parts) if size]
    sums = [sum(one.counts[number] for one in result.labels) for number in range(len(PARTS))]
    high = max(
        (one.counts[number] / sums[number] for one in result.labels for number in shown if sums[number]), default=1.0
    )
    drawn = ""
    texts = {
        (one.label, number): f"{one.counts[number]:,} ({_share(one.counts[number], sums[number])})"
        for one in result.labels
        for number in shown
    }
    widest = max(map(len, texts.values()), default=0)  # or the bars of two parts would end at different places
    for number in shown:
        entries = [
            pictures.Bar(
                choosing.name_label(one.label, result.task, locale),
                one.counts[number] / max(sums[number], 1),
                texts[one.label, number].rjust(widest, FIGURE_SPACE),
            )
            for one in result.labels
        ]
        part = f"{choosing.name_part(PARTS[number], locale)} ({sums[number]:,})"
        drawn += pictures.bars(entries, title=f"{title} · {part}", high=high)
    names = [title, *(choosing.name_part(part, locale) for part in PARTS)]
    rows = [
        (choosing.name_label(one.label, result.task, locale), *(f"{count:,}" for count in one.counts))
        for one in result.labels
    ]
    return pictures.twin(drawn, pictures.table(names, rows, caption=title, numeric=(1, 2, 3)), locale)


def draw_split(result: Survey, locale: Locale) -> str:
    """The parts side by side, what of the later ones also stands in an earlier one, and what that does to a score."""
    plan, leaks = result.plan, result.leaks
    total = sum(result.parts)
    boxes = "".join(
        f'<span class="lab-part-box lab-category-{number}" style="flex-grow:{size}">'
        f"<b>{html.escape(choosing.name_part(part, locale))}</b> <small>{size:,} ({_share(size, total)})</small></span>"
        for number, (part, size) in enumerate(zip(PARTS, result.parts, strict=True))
        if size
    )
    division = "grouped" if plan.grouped else "random"
    chips = _group(
        "dataset.division",
        [
            _chip({"division": one, **FIRST}, translate(f"dataset.division.{one}", locale), chosen=one == division)
            for one in ("grouped", "random")
        ],
        locale,
    ) + _group(
        "dataset.copies",
        [
            _chip(
                {"copies": percent, **FIRST},
                translate(f"dataset.copies.{'some' if percent else 'none'}", locale, percent=percent),
                chosen=percent == round(100 * plan.copies),
            )
            for percent in COPIES
        ],
        locale,
    )
    near = "–" if leaks.near is None else f"{leaks.near:,}"
    figures = [
        (translate("dataset.leaks.exact", locale), f"{leaks.exact:,}"),
        (translate("dataset.leaks.near", locale, likeness=f"{plan.likeness:g}"), near),
    ]
    notes = "" if leaks.near is not None else pictures.note(translate("dataset.leaks.large", locale), kind="caution")
    if not leaks.exact and not leaks.near:
        key = "dataset.leaks.none.own" if is_own(result.source) else "dataset.leaks.none"
        notes += pictures.note(translate(key, locale))
    return (
        pictures.heading(translate("dataset.split", locale))
        + f'<div class="lab-parts">{boxes}</div><div class="lab-filters">{chips}</div>'
        + pictures.numbers(figures)
        + notes
        + _memorized(result, locale)
        + _shared(leaks.told, leaks.exact + (leaks.near or 0), locale)
    )


def _memorized(result: Survey, locale: Locale) -> str:
    found = result.memorized
    if found is None:
        return ""
    title = translate("dataset.memorized", locale)
    told: list[tuple[str, float | None]] = [("train", found.train), ("held_out", found.held_out)]
    if found.repeats:
        told += [("repeated", found.repeated), ("fresh", found.fresh)]
    entries = [
        pictures.Bar(translate(f"dataset.memorized.{name}", locale, count=found.repeats), value, f"{value:.1%}")
        for name, value in told
        if value is not None
    ]
    names = [translate(f"dataset.memorized.{name}", locale) for name in ("rows", "right")]
    table = pictures.table(names, [(bar.label, bar.text) for bar in entries], caption=title, numeric=(1,))
    return pictures.twin(pictures.bars(entries, title=title, high=1.0), table, locale) + pictures.note(
        translate("dataset.memorized.note", locale)
    )


def _shared(told: Sequence[SharedContent], count: int, locale: Locale) -> str:
    if not told:
        return ""
    rows = [
        (
            f"{one.similarity:.2f}" if one.similarity < 1 else translate("dataset.leaks.same", locale),
            *(
                f"{choosing.name_part(part, locale)} {line:,}：{_quote(texts, 60)}"
                for part, line, texts in zip(one.parts, one.lines, one.texts, strict=True)
            ),
        )
        for one in told
    ]
    names = [translate(f"dataset.leaks.{name}", locale) for name in ("similarity", "earlier", "later")]
    caption = translate("dataset.leaks.told", locale, shown=len(rows), count=f"{count:,}")
    table = pictures.table(names, rows, caption=caption)
    return f'<details class="lab-fold"><summary>{html.escape(caption)}</summary>{table}</details>'


def _quote(texts: Sequence[str], most: int) -> str:
    text = " ／ ".join(texts)
    return text if len(text) <= most else text[: most - 1] + "…"


def draw_rows(result: Survey, locale: Locale) -> str:
    """The columns, chips that filter, a page of rows, and the one that is read."""
    told = translate("dataset.rows.count", locale, total=f"{result.total:,}", rows=f"{sum(result.parts):,}")
    head = pictures.heading(translate("dataset.rows", locale)) + _schema(result, locale)
    filters = f'<div class="lab-filters">{_filters(result, locale)}</div>'
    if not result.rows:
        return head + filters + pictures.note(translate("dataset.rows.none", locale), kind="caution")
    names = ["part", *(["label"] if result.labels else []), "tokens", "text"]
    heads = "".join(
        f'<th scope="col" class="lab-row-{name}">{html.escape(translate(f"dataset.row.{name}", locale))}</th>'
        for name in names
    )
    body = "".join(_row(row, result, len(names), locale) for row in result.rows)
    return (
        f'{head}{filters}<p class="lab-note" role="status">{html.escape(told)}</p>'
        f'<table class="lab-rows"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'
        + foot.pager("dataset.rows", result.page, result.pages, locale, also={"row": -1})
    )


def _schema(result: Survey, locale: Locale) -> str:
    """What each column is to the task, its name in the file where that is another, and what the first row holds."""
    rows = []
    for column in result.columns:
        kind = translate(f"dataset.kind.{column.kind or 'unread'}", locale)
        if column.values:
            kind += f" ({', '.join(column.values[:8])}{'…' if len(column.values) > 8 else ''})"
        name = column.name if column.called in ("", column.name) else f"{column.name} ← {column.called}"
        rows.append((name, kind, _quote((column.first,), 60)))
    names = [translate(f"dataset.schema.{name}", locale) for name in ("column", "kind", "first")]
    return pictures.table(names, rows, caption=translate("dataset.schema", locale))


def _filters(result: Survey, locale: Locale) -> str:
    chosen = result.chosen
    parts = ["all", *(part for part, size in zip(PARTS, result.parts, strict=True) if size)]
    drawn = _group(
        "dataset.part",
        [_chip({"part": one, **FIRST}, choosing.name_part(one, locale), chosen=one == chosen.part) for one in parts],
        locale,
    )
    if result.labels:
        chips = [
            _chip(
                {"label": "" if one.label == chosen.label else one.label, **FIRST},
                choosing.name_label(one.label, result.task, locale),
                chosen=one.label == chosen.label,
            )
            for one in result.labels
        ]
        drawn += _group("dataset.label", chips, locale)
    drawn += _group(
        "dataset.fit",
        [
            _chip(
                {"fit": one, **FIRST},
                translate(f"dataset.fit.{one}", locale, length=result.max_length),
                chosen=one == chosen.fit,
            )
            for one in ("all", "cut", "whole")
        ],
        locale,
    )
    if chosen.pattern:
        told = translate("dataset.which.pattern", locale, pattern=chosen.pattern)
        drawn += _group("dataset.pattern.short", [_chip({"pattern": "", **FIRST}, f"{told} ✕", chosen=True)], locale)
    return drawn


def _row(row: ShownRow, result: Survey, columns: int, locale: Locale) -> str:
    opened = row.place == result.opened
    part = choosing.name_part(row.part, locale)
    line = translate("dataset.row.copy", locale, line=f"{row.line:,}") if row.copied else f"{row.line:,}"
    named = result.task not in ("classification", "pair-classification")  # elsewhere a bare number says little
    labels = ", ".join(choosing.name_label(one, result.task, locale) if named else one for one in row.labels)
    label = f'<td class="lab-row-label">{html.escape(labels)}</td>' if result.labels else ""
    mark = f' <span class="lab-wrong">{html.escape(translate("dataset.row.cut", locale))}</span>' if row.cut else ""
    unit = html.escape(translate("dataset.row.tokens", locale))
    pick = foot.attribute({"row": -1 if opened else row.place})
    drawn = (
        f'<tr class="lab-row{" lab-opened" if opened else ""}"><td class="lab-row-part">{html.escape(part)}'
        f" <small>{html.escape(line)}</small></td>{label}"
        f'<td class="lab-row-tokens" data-name="{unit}">{row.tokens}{mark}</td>'
        f'<td class="lab-row-text"><button type="button" data-pick="{pick}" aria-expanded="{str(opened).lower()}">'
        f"{html.escape(_quote(row.texts, QUOTED))}</button></td></tr>"
    )
    if opened:
        drawn += f'<tr class="lab-detail"><td colspan="{columns}">{_detail(row, result, locale)}</td></tr>'
    return drawn


def _detail(row: ShownRow, result: Survey, locale: Locale) -> str:
    """The example as the task reads it, and its tokens, those struck out that the longest length cuts off."""
    record = html.escape(json.dumps(dict(row.record), ensure_ascii=False, indent=1))
    title = translate("dataset.row.pieces", locale, tokens=row.tokens, length=result.max_length)
    pieces = "".join(f"<p>{''.join(map(_piece, text))}</p>" for text in row.pieces)
    record = f'<pre class="lab-formula lab-record" tabindex="0">{record}</pre>'
    return f'{record}<figure class="lab-cut-text"><figcaption>{html.escape(title)}</figcaption>{pieces}</figure>'


def _piece(piece: Piece) -> str:
    style = "lab-piece" if piece.kept else "lab-piece lab-gone"
    return f'<span class="{style}">{html.escape(piece.surface)}</span>'


def draw_benchmarks(result: Survey, locale: Locale) -> str:
    """The sets of JGLUE, of which the page has samples of the same form."""
    names = ("set", "task", "train", "validation", "test", "metric")
    heads = "".join(f'<th scope="col">{html.escape(translate(f"dataset.jglue.{name}", locale))}</th>' for name in names)
    current = find_benchmark(result.source)
    body = "".join(_benchmark(one, one == current, locale) for one in JGLUE)
    further = "".join(
        foot.pick_button(both(f"data.sample.{name}"), {"source": name, **NOTHING_CHOSEN})
        for name in SAMPLES
        if find_benchmark(name) is None
    )
    caption = html.escape(translate("dataset.jglue.caption", locale))
    return (
        pictures.heading(translate("dataset.jglue", locale))
        + f'<div class="lab-table lab-jglue" tabindex="0" role="region" aria-label="{caption}"><table>'
        f"<caption>{caption}</caption><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
        + f'<div class="lab-chips" role="group"><span>{html.escape(translate("dataset.jglue.further", locale))}</span>'
        f"{further}</div>"
    )


def _benchmark(one: Benchmark, current: bool, locale: Locale) -> str:
    numbers = [
        f"{one.train:,}",
        " + ".join(f"{count:,}" for count in one.validation),
        "–" if one.test is None else f"{one.test:,}",
    ]
    metrics = ", ".join(translate(f"dataset.metric.{name}", locale) for name in one.metrics)
    task = html.escape(translate(f"dataset.jglue.task.{one.name}", locale))
    english = html.escape(translate("dataset.jglue.english", locale, name=one.english))
    button = ""
    if one.sample:
        params = foot.attribute({"source": one.sample, **NOTHING_CHOSEN})
        style = "lab-chip lab-chosen" if current else "lab-chip"
        button = (
            f'<br><button type="button" class="{style}" data-pick="{params}" aria-pressed="{str(current).lower()}">'
            f"{html.escape(translate(f'data.sample.{one.sample}', locale))}</button>"
        )
    cells = "".join(f'<td class="lab-number">{number}</td>' for number in numbers)
    return (
        f'<tr><td><b>{one.name}</b>{button}</td><td class="lab-jglue-task">{task}<br><small>{english}</small></td>'
        f"{cells}<td>{html.escape(metrics)}</td></tr>"
    )


def _group(key: str, chips: Sequence[str], locale: Locale) -> str:
    title = html.escape(translate(key, locale))
    return f'<div class="lab-chips" role="group" aria-label="{title}"><span>{title}</span>{"".join(chips)}</div>'


def _chip(fields: Mapping[str, Any], name: str, *, chosen: bool) -> str:
    style = "lab-chip lab-chosen" if chosen else "lab-chip"
    return (
        f'<button type="button" class="{style}" data-pick="{foot.attribute(fields)}"'
        f' aria-pressed="{str(chosen).lower()}">{html.escape(name)}</button>'
    )
