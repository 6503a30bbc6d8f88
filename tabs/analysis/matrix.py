"""A confusion matrix whose cells are buttons: rows gold, columns predicted."""

from __future__ import annotations

import html
from collections.abc import Sequence

from core.analysis.confusion import ClassReport, ConfusionMatrix
from core.i18n import Locale, translate
from core.tasks.bio import OUTSIDE
from tabs._kit import foot, pictures
from tabs.analysis.choosing import label


def draw_matrix(
    matrix: ConfusionMatrix,
    *,
    gold: str,
    predicted: str,
    caption: str,
    locale: Locale,
    data: str,
    filters: bool = True,
) -> str:
    """The matrix with counts and the share of each row.

    Args:
        matrix: counts (L, L).
        gold: the label that is filtered by, '' for none; its row is marked.
        predicted: likewise.
        caption: what is counted.
        locale: language of the words.
        data: where the rows are from, see `choosing.label`.
        filters: whether cells set the query fields ``gold`` and ``predicted``.
    """
    names = [
        translate("analysis.outside", locale) if one == OUTSIDE else label(one, locale, data) for one in matrix.labels
    ]
    corner = translate("analysis.matrix.corner", locale)
    head = "".join(
        f'<th scope="col">{_side(name, one, "predicted", predicted, filters)}</th>'
        for name, one in zip(names, matrix.labels, strict=True)
    )
    lines = []
    for row, (name, one) in enumerate(zip(names, matrix.labels, strict=True)):
        cells = []
        for column, (other, second) in enumerate(zip(names, matrix.labels, strict=True)):
            count, share = int(matrix.counts[row, column]), float(matrix.shares[row, column])
            chosen = one == gold and second == predicted
            fields = {"gold": "" if chosen else one, "predicted": "" if chosen else second, "page": 1, "row": -1}
            told = translate(
                "analysis.matrix.cell", locale, gold=name, predicted=other, count=count, share=f"{share:.1%}"
            )
            style = f"lab-cell{' lab-diagonal' if row == column else ''}"
            content = f"<strong>{count:,}</strong><small>{share:.0%}</small>"
            pick = f' data-pick="{foot.attribute(fields)}" aria-pressed="{str(chosen).lower()}"' if filters else ""
            tag = "button" if filters else "div"
            kind = ' type="button"' if filters else ' role="img"'
            cells.append(
                f'<td><{tag}{kind} class="{style}" style="--weight:{share:.4f}"{pick} title="{html.escape(told)}"'
                f' aria-label="{html.escape(told)}">{content}</{tag}></td>'
            )
        side = _side(name, one, "gold", gold, filters)
        lines.append(f'<tr><th scope="row">{side}</th>{"".join(cells)}</tr>')
    return (
        f'<figure class="lab-matrix"><figcaption>{html.escape(caption)}</figcaption><div class="lab-scroll"><table>'
        f"<thead><tr><td>{html.escape(corner)}</td>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div></figure>"
    )


def _side(name: str, one: str, field: str, chosen: str, filters: bool) -> str:
    """The name of a row or a column; a click filters by that side alone."""
    if not filters or one == OUTSIDE:
        return f"<span>{html.escape(name)}</span>"
    other = "predicted" if field == "gold" else "gold"
    fields = {field: "" if one == chosen else one, other: "", "page": 1, "row": -1}
    return foot.pick_button(html.escape(name), fields, style=f"lab-chip{' lab-chosen' if one == chosen else ''}")


def draw_classes(report: ClassReport, locale: Locale, data: str) -> str:
    """Precision, recall and F1 of each label."""
    names = ("label", "precision", "recall", "f1", "support")
    rows: list[Sequence[str]] = [
        (label(one, locale, data), f"{precision:.3f}", f"{recall:.3f}", f"{f1:.3f}", f"{support:,}")
        for one, precision, recall, f1, support in zip(
            report.labels, report.precision, report.recall, report.f1, report.support, strict=True
        )
    ]
    means = (translate("analysis.report.macro_f1", locale), "", "", f"{report.macro_f1:.3f}", "")
    return pictures.table(
        [translate(f"analysis.report.{name}", locale) for name in names],
        [*rows, means],
        caption=translate("analysis.report.classes", locale),
        numeric=(1, 2, 3, 4),
    )
