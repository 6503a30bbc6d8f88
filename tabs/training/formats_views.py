"""Number formats as pictures: bits that can be turned, ranges on one axis, gradients over what fp16 can hold."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from core.i18n import Locale, translate, words
from core.training.loss_scaling import HIGHEST, LOWEST, Kept, ScaledGradients
from core.training.number_formats import FORMATS, FP16, NumberFormat, WrittenNumber
from tabs._kit import foot, pictures
from tabs._kit.charts import Line, line_chart

PARTS = ("sign", "exponent", "fraction")
COLOURS = (6, 0, 1)  # of the parts, in the palette
DECADES = (-46, 40)  # powers of ten of the axis of ranges
MARKED = (-40, -30, -20, -10, 0, 10, 20, 30)
FATES = ("zero", "subnormal", "normal", "infinite")
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def draw_bits(number: float, written: Sequence[WrittenNumber], locale: Locale) -> str:
    """A row of bits for each format, which a click turns, and below it the number that they stand for."""
    title = translate("number-formats.bits", locale, number=_number(number))
    rows = "".join(_bits(one, form, locale) for one, form in zip(written, FORMATS, strict=True))
    legend = "".join(
        f'<li><i class="lab-category-{colour}"></i>{_word(f"part.{part}", locale)}</li>'
        for part, colour in zip(PARTS, COLOURS, strict=True)
    )
    picture = (
        f'<figure class="lab-bits"><figcaption>{html.escape(title)}</figcaption>{rows}'
        f'<ul class="lab-legend lab-swatches">{legend}</ul></figure>'
    )
    names = [translate(f"number-formats.column.{name}", locale) for name in ("format", *PARTS)]
    names += [translate(f"number-formats.column.{name}", locale) for name in ("value", "error", "relative", "gap")]
    table = pictures.table(
        names,
        [
            [
                one.name,
                *_split(one.bits, form),
                _number(one.value),
                _number(one.error),
                _share(one.relative),
                _number(one.gap),
            ]
            for one, form in zip(written, FORMATS, strict=True)
        ],
        caption=title,
        numeric=(4, 5, 6, 7),
    )
    told = pictures.note(translate("number-formats.bits.note", locale))
    return (
        pictures.heading(translate("number-formats.bits.heading", locale))
        + pictures.twin(picture, table, locale)
        + told
    )


def _bits(one: WrittenNumber, form: NumberFormat, locale: Locale) -> str:
    groups, place = "", 0
    for part, colour, bits in zip(PARTS, COLOURS, _split(one.bits, form), strict=True):
        cells = ""
        for bit in bits:
            turned = _typed(one.flipped[place])
            hint = translate(
                "number-formats.turn",
                locale,
                format=one.name,
                part=_word(f"part.{part}", locale),
                bit=bit,
                value=turned,
            )
            cells += (
                f'<button type="button" class="lab-bit lab-category-{colour}"'
                f' data-pick="{foot.attribute({"number": turned})}"'
                f' title="{html.escape(hint)}" aria-label="{html.escape(hint)}">{bit}</button>'
            )
            place += 1
        groups += f"<span>{cells}</span>"
    kind = "" if one.kind == "normal" else f" · {_word(f'kind.{one.kind}', locale)}"
    away = ""
    if math.isfinite(one.relative):
        key = "away" if one.relative else "exact"
        away = f" · {translate(f'number-formats.{key}', locale, share=_share(one.relative))}"
    told = (_formula(one, form) + kind + away).removeprefix(" · ")
    return (
        f'<div class="lab-bit-row"><p><strong>{one.name}</strong> <output>{html.escape(_number(one.value))}</output>'
        f"<small>{html.escape(told)}</small></p><div>{groups}</div></div>"
    )


def _split(bits: str, form: NumberFormat) -> tuple[str, str, str]:
    return bits[:1], bits[1 : 1 + form.exponent_bits], bits[1 + form.exponent_bits :]


def _formula(one: WrittenNumber, form: NumberFormat) -> str:
    """The value by its parts, as ``+1.6 × 2⁻⁴``."""
    if one.kind in ("zero", "infinite", "nan"):
        return ""
    sign, exponent, fraction = _split(one.bits, form)
    power = max(int(exponent, 2), 1) - form.bias
    digits = int(fraction, 2) * form.epsilon + (1 if int(exponent, 2) else 0)
    return f"= {'−' if sign == '1' else '+'}{digits:.9g} × 2{_raise(power)}"


def draw_ranges(number: float, locale: Locale) -> str:
    """What each format reaches, on one logarithmic axis, and where the number lies."""
    title = translate("number-formats.ranges", locale)

    def place(value: float) -> float:
        low, high = DECADES
        return 100 * (min(max(math.log10(value), low), high) - low) / (high - low)

    size = abs(number)
    here = place(size) if size and math.isfinite(size) else None
    rows = ""
    for form in FORMATS:
        low, normal, high = place(form.smallest), place(form.smallest_normal), place(form.largest)
        mark = "" if here is None else f'<b style="left:{here:.2f}%"></b>'
        digits = translate("number-formats.digits", locale, digits=f"{(form.fraction_bits + 1) * math.log10(2):.1f}")
        rows += (
            f"<li><span><strong>{form.name}</strong> <small>{html.escape(digits)}</small></span>"
            '<span class="lab-range">'
            f'<i class="lab-range-below" style="left:{low:.2f}%;width:{normal - low:.2f}%"></i>'
            f'<i style="left:{normal:.2f}%;width:{high - normal:.2f}%"></i>{mark}</span></li>'
        )
    ticks = "".join(
        f'<span{_every(power)} style="left:{place(10.0**power):.2f}%">'
        f"{'1' if not power else f'10{_raise(power)}'}</span>"
        for power in MARKED
    )
    entries = [("", "range.normal"), ("lab-range-below", "range.subnormal")]
    legend = "".join(f'<li><i class="lab-range-key {style}"></i>{_word(key, locale)}</li>' for style, key in entries)
    if here is not None:
        legend += f'<li><i class="lab-range-mark"></i>{html.escape(_number(number))}</li>'
    picture = (
        f'<figure class="lab-ranges"><figcaption>{html.escape(title)}</figcaption><ol>{rows}'
        f'<li aria-hidden="true"><span></span><span class="lab-range-axis">{ticks}</span></li></ol>'
        f'<ul class="lab-legend lab-swatches">{legend}</ul></figure>'
    )
    names = ("format", "width", "smallest", "normal", "largest", "epsilon")
    table = pictures.table(
        [translate(f"number-formats.column.{name}", locale) for name in names],
        [
            [form.name, f"1 + {form.exponent_bits} + {form.fraction_bits}"]
            + [f"{value:.3g}" for value in (form.smallest, form.smallest_normal, form.largest, form.epsilon)]
            for form in FORMATS
        ],
        caption=title,
        numeric=(2, 3, 4, 5),
    )
    return pictures.heading(translate("number-formats.ranges.heading", locale)) + pictures.twin(picture, table, locale)


def draw_gradients(found: ScaledGradients, locale: Locale) -> str:
    """The figures, the histogram over what fp16 holds, both formats compared, and what every other scale would give."""
    half = found.kept[0]
    label = f"analysis.label.{found.label}"
    answer = translate(label, locale) if label in words(locale) else found.label
    figures = [
        (_word("figure.zero", locale), _share(half.zero)),
        (_word("figure.subnormal", locale), _share(half.subnormal)),
        (_word("figure.infinite", locale), f"{found.overflowed:,}"),
    ]
    asked = translate(
        "number-formats.asked",
        locale,
        answer=answer,
        loss=f"{found.loss:.3g}",
        count=f"{found.count:,}",
        zeros=f"{found.zeros:,}",
    )
    return (
        pictures.heading(translate("number-formats.gradients", locale))
        + pictures.note(asked)
        + pictures.numbers(figures)
        + _verdict(found, locale)
        + _histogram(found, locale)
        + _compared(found, locale)
        + _curve(found, locale)
    )


def _verdict(found: ScaledGradients, locale: Locale) -> str:
    """What would be done with this step."""
    power = _raise(found.scale)
    if found.overflowed:
        told = translate(
            "number-formats.skipped", locale, count=f"{found.overflowed:,}", power=power, half=_raise(found.scale - 1)
        )
        return pictures.note(told, kind="caution")
    half = found.kept[0]
    key = "kept" if half.zero + half.subnormal <= 0.01 else "lossy" if found.scale else "unscaled"
    return pictures.note(translate(f"number-formats.{key}", locale, power=power))


def _histogram(found: ScaledGradients, locale: Locale) -> str:
    """A column for each power of two, in the colour of what fp16 makes of it."""
    title = translate("number-formats.histogram", locale, power=_raise(found.scale))
    tallest = max(found.columns)
    columns, rows = "", []
    for place, share in enumerate(found.columns):
        power = LOWEST + place
        fate = find_fate(power)
        span = f"2{_raise(power)}"
        span = f"< 2{_raise(power + 1)}" if power == LOWEST else f"≥ {span}" if power == HIGHEST else span
        told = f"{span}: {_share(share)} · {_word(f'fate.{fate}', locale)}"
        columns += (
            f'<span class="lab-column lab-fate-{fate}" title="{html.escape(told)}">'
            f'<i style="height:{100 * share / tallest:.2f}%"></i></span>'
        )
        rows.append((span, _share(share), _word(f"fate.{fate}", locale)))
    ticks = "".join(
        f'<span{_every(power)} style="left:{100 * (power - LOWEST + 0.5) / len(found.columns):.2f}%">'
        f"2{_raise(power)}</span>"
        for power in range(LOWEST, HIGHEST + 1, 10)
    )
    legend = "".join(f'<li><i class="lab-fate-{fate}"></i>{_word(f"fate.{fate}", locale)}</li>' for fate in FATES)
    picture = (
        f'<figure class="lab-histogram lab-fates"><figcaption>{html.escape(title)}</figcaption>'
        f'<div class="lab-bins" role="img" aria-label="{html.escape(title)}">'
        f'<span class="lab-tallest">{tallest:.1%}</span>{columns}</div>'
        f'<div class="lab-x" aria-hidden="true">{ticks}</div><ul class="lab-legend lab-swatches">{legend}</ul></figure>'
    )
    names = [translate(f"number-formats.column.{name}", locale) for name in ("size", "share", "fate")]
    return pictures.twin(picture, pictures.table(names, rows, caption=title, numeric=(0, 1)), locale)


def find_fate(power: int) -> str:
    """What fp16 makes of sizes in [2^power, 2^(power + 1)); the very ends of two columns round into the next one."""
    if power < math.log2(FP16.smallest) - 1:
        return "zero"
    if power < math.log2(FP16.smallest_normal):
        return "subnormal"
    return "normal" if power <= FP16.bias else "infinite"


def _compared(found: ScaledGradients, locale: Locale) -> str:
    """fp16 and bf16 beside each other."""
    measures = (("zeros", "zero"), ("subnormals", "subnormal"), ("infs", "infinite"), ("mean", "error"))
    names = ["", *(one.name for one in found.kept)]
    rows = [
        (translate(f"number-formats.column.{word}", locale), *(_share(getattr(one, name)) for one in found.kept))
        for word, name in measures
    ]
    caption = translate("number-formats.compared", locale, power=_raise(found.scale))
    return pictures.table(names, rows, caption=caption, numeric=(1, 2), headed=True) + pictures.note(
        translate("number-formats.compared.note", locale)
    )


def _curve(found: ScaledGradients, locale: Locale) -> str:
    def line(fate: str, style: int) -> Line:
        def read(one: Kept) -> float:
            return {"zero": one.zero, "subnormal": one.subnormal, "infinite": one.infinite}[fate]

        points = [(float(scale), 100 * read(one)) for scale, one in enumerate(found.curve)]
        return Line(_word(f"fate.{fate}", locale), points, style)

    return pictures.heading(translate("number-formats.curve", locale)) + line_chart(
        [line("infinite", 1), line("zero", 0), line("subnormal", 2)],
        title=translate("number-formats.curve.title", locale),
        x_name=translate("number-formats.curve.axis", locale),
        locale=locale,
        low=0.0,
        high=100.0,
        here=float(found.scale),
        number="{:.3g} %".format,
    )


def _word(key: str, locale: Locale) -> str:
    return translate(f"number-formats.{key}", locale)


def _every(power: int) -> str:
    """The class of a tick that there is room for on a phone too."""
    return "" if power % 20 else ' class="lab-every"'


def _raise(power: int) -> str:
    return str(power).translate(RAISED)


def _typed(value: float) -> str:
    """A number as it stands in the box after a click: all its digits."""
    return repr(value)


def _number(value: float) -> str:
    if math.isnan(value):
        return "nan"
    return f"{value:.12g}".replace("-inf", "−∞").replace("inf", "∞")


def _share(value: float) -> str:
    """A share in percent with three digits; the smallest ones too."""
    if not math.isfinite(value):
        return "–"
    return f"{100 * value:.3g} %" if value == 0 or value >= 1e-6 else f"{100 * value:.1e} %"
