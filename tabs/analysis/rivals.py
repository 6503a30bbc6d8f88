"""5.3.2 Two models on the same rows: what the second one fixed, and what it broke."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core import query as queries
from core.analysis.rivals import GROUPS, Rivals, SharedRow, set_against
from core.analysis.sources import OFFERED, open_source, predict_source
from core.errors import InvalidInput
from core.i18n import Locale, translate
from core.jobs import Work
from tabs._kit import foot, pictures
from tabs._kit.exhibit import Exhibit, JobKind, Prediction, Step
from tabs._kit.room import Room
from tabs.analysis import choosing, uploading
from tabs.analysis.choosing import label
from tabs.analysis.rivals_script import snippet
from tabs.analysis.rows import QUOTED, mark

SLUG = "rivals"
CELLS = (("both_right", "broken"), ("fixed", "both_wrong"))  # rows: the first model right, wrong; columns: the second


@dataclass(frozen=True)
class Query:
    """Whose predictions are set against whose, and the group that is read."""

    source: str = choosing.source("tagging")
    other: str = queries.one_of("tagging-crf", *OFFERED, free=True)
    group: str = queries.one_of("fixed", *GROUPS)
    page: int = queries.within(1, 1, 100_000)


def explore(query: Query) -> Rivals:
    """Sizes of the four groups both_right, fixed, broken, both_wrong, the test between them, and ``rows`` of one."""
    return set_against(
        open_source(query.source),
        open_source(query.other),
        group=next(group for group in GROUPS if group == query.group),
        page=query.page,
    )


def show(result: Rivals, locale: Locale) -> tuple[str, ...]:
    """The four groups; the rows of one."""
    return _groups(result, locale), _rows(result, locale) + choosing.go_on(SLUG, result.sources[1], locale)


def _groups(result: Rivals, locale: Locale) -> str:
    names = [choosing.name_model(one.model or one.data, locale) for one in result.sources]
    figures = [
        (name, f"{accuracy:.1%} ({lower:.0%}–{upper:.0%})")
        for name, accuracy, (lower, upper) in zip(names, result.accuracies, result.intervals, strict=True)
    ]
    figures.append((translate("rivals.p", locale), _p(result.p_value)))
    sizes: dict[str, int] = dict(zip(GROUPS, result.counts, strict=True))
    told = translate("rivals.shared", locale, rows=f"{result.shared:,}", changed=f"{result.changed:,}")
    if any(result.alone):
        told += translate("rivals.alone", locale, first=f"{result.alone[0]:,}", second=f"{result.alone[1]:,}")
    head = "".join(
        f'<th scope="col">{html.escape(translate(f"rivals.second.{one}", locale, name=names[1]))}</th>'
        for one in ("right", "wrong")
    )
    body = "".join(
        f'<tr><th scope="row">{html.escape(translate(f"rivals.first.{side}", locale, name=names[0]))}</th>'
        + "".join(_cell(group, sizes[group], result, locale) for group in row)
        + "</tr>"
        for side, row in zip(("right", "wrong"), CELLS, strict=True)
    )
    caption = html.escape(translate("rivals.table", locale))
    fixed, broken = sizes["fixed"], sizes["broken"]
    verdict = "none" if fixed + broken == 0 else "unsure" if result.p_value > 0.05 else "sure"
    return (
        pictures.numbers(figures)
        + pictures.note(told)
        + _tell_same(result, locale)
        + f'<figure class="lab-matrix"><figcaption>{caption}</figcaption><div class="lab-scroll"><table>'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table></div></figure>"
        + pictures.note(translate(f"rivals.verdict.{verdict}", locale, fixed=fixed, broken=broken), kind="caution")
    )


def _tell_same(result: Rivals, locale: Locale) -> str:
    first, second = result.sources
    same = first.source == second.source
    return pictures.note(translate("rivals.same", locale), kind="caution") if same else ""


def _cell(group: str, count: int, result: Rivals, locale: Locale) -> str:
    name = html.escape(translate(f"rivals.group.{group}", locale))
    chosen = group == result.group
    share = count / max(result.shared, 1)
    return (
        f'<td><button type="button" class="lab-cell" style="--weight:{share:.4f}" aria-pressed="{str(chosen).lower()}"'
        f' data-pick="{foot.attribute({"group": group, "page": 1})}"><strong>{count:,}</strong>'
        f"<small>{name} {share:.0%}</small></button></td>"
    )


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _rows(result: Rivals, locale: Locale) -> str:
    group = translate(f"rivals.group.{result.group}", locale)
    heading = pictures.heading(translate("rivals.rows", locale, group=group))
    if not result.rows:
        return heading + pictures.note(translate("rivals.no_rows", locale))
    names = [choosing.name_model(one.model or one.data, locale) for one in result.sources]
    columns = [translate("analysis.column.index", locale), translate("analysis.column.gold", locale), *names]
    columns.append(translate("analysis.report.text", locale))
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in columns)
    body = "".join(_row(one, result, columns, locale) for one in result.rows)
    return (
        f'{heading}<table class="lab-rows lab-rivals"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
        + foot.pager("analysis.rows", result.page, result.pages, locale)
    )


def _row(one: SharedRow, result: Rivals, columns: Sequence[str], locale: Locale) -> str:
    kind, data = result.sources[0].kind, result.sources[0].data
    called = [html.escape(name) for name in columns]
    cells = "".join(
        f'<td class="lab-row-answer" data-name="{name}">'
        f"{mark(row.correct, locale)} {html.escape(_answer_of(row.predicted, row.texts, kind, data, locale))}"
        f"{_confidence(row.confidence)}</td>"
        for name, row in ((called[2], one.first), (called[3], one.second))
    )
    text = " ／ ".join(one.first.texts)
    text = text if len(text) <= QUOTED else text[: QUOTED - 1] + "…"
    gold = html.escape(_answer_of(one.first.gold, one.first.texts, kind, data, locale))
    return (
        f'<tr class="lab-row"><td class="lab-row-index">{one.first.index}</td>'
        f'<td class="lab-row-answer" data-name="{called[1]}">{gold}</td>{cells}'
        f'<td class="lab-row-text">{html.escape(text)}</td></tr>'
    )


def _answer_of(answer: str, texts: tuple[str, ...], kind: str, data: str, locale: Locale) -> str:
    if kind == "choice":
        return texts[int(answer) + 1] if int(answer) + 1 < len(texts) else answer
    if kind == "number":
        return f"{float(answer):.2f}"
    if kind == "entities":
        spans = [f"{texts[0][start:end]}/{label(name, locale, data)}" for start, end, name in json.loads(answer)]
        return "、".join(spans) or "–"
    return label(answer, locale, data)


def _confidence(value: float) -> str:
    return "" if math.isnan(value) else f" <small>{min(value, 0.999):.0%}</small>"


def evidence(result: Rivals) -> dict[str, Any]:
    """The four sizes, both accuracies, the test."""
    return {
        "counts": dict(zip(GROUPS, result.counts, strict=True)),
        "accuracies": [round(one, 4) for one in result.accuracies],
        "p": round(result.p_value, 4),
        "first": [one.first.index for one in result.rows[:10]],
    }


def build(room: Room) -> None:
    """Two sources of predictions of the same task."""
    with room.inputs():
        room.presets({"source": "tagging", "other": "tagging-crf", "page": 1})
        room.widget("source")
        room.widget("other")
        uploading.build(room, reset={"group": "fixed", "page": 1}, field="other", title="rivals.upload")
        room.picked("group")
        room.picked("page")
    with room.results():
        room.view()
        room.view()


def _predict(query: Query) -> Work:
    """Whichever of the two is not predicted yet, the first one first."""
    for source in (query.source, query.other):
        try:
            open_source(source)
        except InvalidInput as error:
            if error.key != choosing.PREDICTING.cures:
                raise
            return predict_source(source)
    return predict_source(query.other)


def _render(result: Mapping[str, Any], locale: Locale) -> str:
    return ""


def _answer(result: Rivals) -> int:
    """Whether the second model fixed more than it broke (0), broke more (1), or as much (2)."""
    _, fixed, broken, _ = result.counts
    return 2 if fixed == broken else int(broken > fixed)


EXHIBIT = Exhibit(
    slug=SLUG,
    sections=("5.3.2",),
    query=Query,
    explore=explore,
    show=show,
    snippet=snippet,
    evidence=evidence,
    build=build,
    prediction=Prediction(Query(group="broken"), 3, _answer),
    steps=(Step({"group": "broken"}), Step({"group": "both_wrong"})),
    jobs=(
        uploading.KIND,
        JobKind("predict-sample", _render, work=_predict, cures="error.analysis.not_predicted"),
    ),
)
