"""A batch as pictures: rows and their padding, the batches of an epoch, one row as tensors, an untrained answer."""

from __future__ import annotations

import html
import math

from core.i18n import Locale, translate
from core.training.minibatch import BatchRow, MiniBatch
from tabs._kit import foot, pictures
from tabs.datasets import choosing

POSITIONS = 96  # columns of the grid
BATCHES = 80  # columns of the epoch
QUOTED = 40  # characters


def draw_batch(seen: MiniBatch, chosen: int, locale: Locale) -> str:
    """How large it is and how much of it is padding; each row's tokens and padding; and all of them in a grid."""
    figures = [
        (translate("batch.figure.shape", locale), f"({', '.join(map(str, seen.shapes['input_ids']))})"),
        (translate("batch.figure.padding", locale), f"{seen.padding:.1%}"),
        (translate("batch.figure.random", locale), f"{seen.wasted:.1%}"),
        (translate("batch.figure.grouped", locale), f"{seen.wasted_grouped:.1%}"),
    ]
    title = translate("batch.rows", locale, number=f"{seen.number:,}", batches=f"{len(seen.sizes):,}")
    entries, numbers = [], []
    for place, row in enumerate(seen.rows):
        tokens, pads = len(row.tokens), seen.width - len(row.tokens)
        name = f"{place + 1} {choosing.name_label(row.label, seen.task, locale)}"
        mark = " ◂" if place == chosen else ""
        entries.append(pictures.Bar(name, tokens / seen.width, f"{tokens} + {pads}{mark}", pick={"row": place + 1}))
        numbers.append((name, _quote(row.text), tokens, pads, row.lost))
    names = [translate(f"batch.row.{name}", locale) for name in ("label", "text", "tokens", "pads", "lost")]
    twin = pictures.twin(
        pictures.bars(entries, title=title, high=1.0),
        pictures.table(names, numbers, caption=title, numeric=(2, 3, 4)),
        locale,
    )
    return pictures.numbers(figures) + twin + _grid(seen, chosen, locale)


def _grid(seen: MiniBatch, chosen: int, locale: Locale) -> str:
    """A row for each example, a column for each position; padding is grey."""
    shown = min(seen.width, POSITIONS)
    title = translate("batch.grid", locale)
    if shown < seen.width:
        title += translate("batch.grid.part", locale, shown=shown, width=seen.width)
    heads = "".join(f'<th scope="col">{position}</th>' for position in range(shown))
    body = ""
    for place, row in enumerate(seen.rows):
        cells = "".join(
            f'<td class="lab-special">{html.escape(token.text)}</td>'
            if token.special
            else f"<td>{html.escape(token.text)}</td>"
            for token in row.tokens[:shown]
        )
        pads = '<td class="lab-pad">[PAD]</td>' * max(shown - len(row.tokens), 0)
        style = ' class="lab-opened"' if place == chosen else ""
        body += f'<tr{style}><th scope="row">{place + 1}</th>{cells}{pads}</tr>'
    caption = html.escape(title)
    return (
        pictures.heading(title)
        + f'<div class="lab-table lab-headed lab-batch" tabindex="0" role="region" aria-label="{caption}"><table>'
        f'<caption>{caption}</caption><thead><tr><th scope="col">#</th>{heads}</tr></thead><tbody>{body}</tbody>'
        "</table></div>"
    )


def draw_epoch(seen: MiniBatch, locale: Locale) -> str:
    """A column for each batch in the order of the epoch: tokens below, padding above; a click opens the batch."""
    sizes = seen.sizes[:BATCHES]
    title = translate(f"batch.epoch.{'grouped' if seen.grouped else 'random'}", locale, batches=f"{len(seen.sizes):,}")
    if len(sizes) < len(seen.sizes):
        title += translate("batch.epoch.part", locale, shown=len(sizes))
    tallest = max(positions for _, positions in sizes)
    columns = ""
    for place, (tokens, positions) in enumerate(sizes):
        told = translate(
            "batch.epoch.one", locale, number=place + 1, tokens=f"{tokens:,}", pads=f"{positions - tokens:,}"
        )
        style = " lab-chosen" if place + 1 == seen.number else ""
        pads, own = (100 * part / tallest for part in (positions - tokens, tokens))
        columns += (
            f'<span class="lab-column lab-stack{style}" data-pick="{foot.attribute({"number": place + 1, "row": 1})}"'
            f' title="{html.escape(told)}"><i class="lab-pad" style="height:{pads:.2f}%"></i>'
            f'<i style="height:{own:.2f}%"></i></span>'
        )
    drawn = (
        f'<figure class="lab-histogram"><figcaption>{html.escape(title)}</figcaption>'
        f'<div class="lab-bins" role="img" aria-label="{html.escape(title)}">'
        f'<span class="lab-tallest">{tallest:,}</span>{columns}</div>'
        f'<p class="lab-axis">{html.escape(translate("batch.epoch.axis", locale))}</p></figure>'
    )
    names = [translate(f"batch.epoch.{name}", locale) for name in ("number", "tokens", "pads")]
    rows = [(place + 1, f"{tokens:,}", f"{positions - tokens:,}") for place, (tokens, positions) in enumerate(sizes)]
    twin = pictures.twin(drawn, pictures.table(names, rows, caption=title, numeric=(0, 1, 2)), locale)
    told = translate(
        "batch.epoch.told",
        locale,
        examples=f"{seen.examples:,}",
        random=f"{seen.wasted:.1%}",
        grouped=f"{seen.wasted_grouped:.1%}",
    )
    return pictures.heading(translate("batch.epoch", locale)) + twin + pictures.note(told)


def draw_tensors(seen: MiniBatch, chosen: int, locale: Locale) -> str:
    """One row: the text before, the numbers after, and its label's number."""
    row = seen.rows[chosen]
    number = seen.labels.index(row.label)
    told = translate(
        "batch.tensors.told",
        locale,
        row=chosen + 1,
        text=row.text,
        label=choosing.name_label(row.label, seen.task, locale),
        number=number,
    )
    lost = pictures.note(translate("batch.tensors.lost", locale, count=row.lost), kind="caution") if row.lost else ""
    title = translate("batch.tensors.caption", locale, row=chosen + 1, width=seen.width)
    lines: list[tuple[object, ...]] = [
        (position, token.text, token.id, 1, token.segment) for position, token in enumerate(row.tokens)
    ]
    pads = seen.width - len(row.tokens)
    if pads:
        lines.append((f"{len(row.tokens)}–{seen.width - 1}", f"[PAD] × {pads}", 0, 0, 0))
    names = [translate(f"batch.tensors.{name}", locale) for name in ("position", "token")]
    names += ["input_ids", "attention_mask", "token_type_ids"]
    if "token_type_ids" not in seen.shapes:
        names, lines = names[:-1], [line[:-1] for line in lines]
    shapes = ", ".join(f"{name} {_shape(shape)}" for name, shape in seen.shapes.items())
    return (
        pictures.heading(translate("batch.tensors", locale))
        + pictures.note(told)
        + lost
        + pictures.table(names, lines, caption=title, numeric=(0, 2, 3, 4))
        + pictures.note(translate("batch.tensors.shapes", locale, shapes=shapes))
    )


def draw_untrained(seen: MiniBatch, locale: Locale) -> str:
    """What the model says of the batch before its first step, and its loss beside that of knowing nothing."""
    named = [choosing.name_label(label, seen.task, locale) for label in seen.labels]
    right = sum(row.predicted == row.label for row in seen.rows)
    figures = [
        (translate("batch.untrained.loss", locale), f"{seen.loss:.3f}"),
        (translate("batch.untrained.chance", locale, labels=len(seen.labels)), f"{math.log(len(seen.labels)):.3f}"),
        (translate("batch.untrained.right", locale), f"{right} / {len(seen.rows)}"),
    ]
    names = [
        *(translate(f"batch.untrained.{name}", locale) for name in ("row", "gold", "predicted")),
        *named,
        translate("batch.untrained.row_loss", locale),
    ]
    rows = [_answer(place, row, seen, locale) for place, row in enumerate(seen.rows)]
    caption = translate("batch.untrained.caption", locale)
    return (
        pictures.heading(translate("batch.untrained", locale))
        + pictures.numbers(figures)
        + pictures.table(names, rows, caption=caption, numeric=(0, *range(3, 4 + len(named))))
        + pictures.note(translate("batch.untrained.note", locale))
    )


def _answer(place: int, row: BatchRow, seen: MiniBatch, locale: Locale) -> tuple[str, ...]:
    mark = "✓" if row.predicted == row.label else "✗"
    return (
        str(place + 1),
        choosing.name_label(row.label, seen.task, locale),
        f"{mark} {choosing.name_label(row.predicted, seen.task, locale)}",
        *(f"{row.scores[label]:.1%}" for label in seen.labels),
        f"{row.loss:.3f}",
    )


def _shape(shape: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def _quote(text: str) -> str:
    return text if len(text) <= QUOTED else text[: QUOTED - 1] + "…"
