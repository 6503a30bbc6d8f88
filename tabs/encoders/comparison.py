"""5.6 The encoders of the book side by side: where their parameters lie, and what they reach."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

from core import query as queries
from core.i18n import Locale, translate
from core.models.encoder_scores import HUMAN, PUBLISHED, TASKS, Scores, rank, read_measured
from core.models.parameters import BUNDLED, NAMES, PARTS, Anatomy, count_parameters
from tabs._kit import foot, pictures
from tabs._kit.exhibit import Exhibit, Prediction, Step
from tabs._kit.room import Room
from tabs.encoders.script import snippet

SLUG = "encoders"


@dataclass(frozen=True)
class Query:
    """How the bars are scaled, whose tensors are listed, which task ranks the models, and what its bars tell."""

    measure: str = queries.one_of("parameters", "parameters", "share")
    model: str = queries.one_of("luke", *NAMES)
    task: str = queries.one_of("jcommonsenseqa", *TASKS)
    judged: str = queries.one_of("score", "score", "gap")


@dataclass(frozen=True)
class Comparison:
    """The parameters of every encoder by part; `rows` with their scores, the best on `task` first.

    `pairs` is how many pairs of JNLI ours was measured on.
    """

    anatomies: tuple[Anatomy, ...]
    rows: tuple[Scores, ...]
    pairs: int
    measure: str
    model: str
    task: str
    judged: str

    def find(self, name: str) -> Anatomy:
        """One of the encoders."""
        return next(anatomy for anatomy in self.anatomies if anatomy.name == name)


def explore(query: Query) -> Comparison:
    """``anatomies``: parameters by part and by tensor; ``rows``: scores in [0, 1] on the tasks of chapter 5."""
    measured = read_measured()
    rows = rank((*PUBLISHED, measured.scores), query.task)
    anatomies = tuple(count_parameters(name) for name in NAMES)
    return Comparison(anatomies, rows, measured.pairs, query.measure, query.model, query.task, query.judged)


def show(result: Comparison, locale: Locale) -> tuple[str, ...]:
    """The parts of all; the tensors of one; the scores."""
    return _parts(result, locale), _tensors(result, locale), _scores(result, locale)


def _parts(result: Comparison, locale: Locale) -> str:
    bert, luke = result.find("bert"), result.find("luke")
    figures = pictures.numbers(
        [
            (_name("bert", locale), _millions(bert.total)),
            (_name("luke", locale), _millions(luke.total)),
            (translate("encoders.entities_of_luke", locale), _millions(luke.count("entities"))),
        ]
    )
    title = translate(f"encoders.parts.{result.measure}", locale)
    caution = pictures.note(translate("encoders.parts.note", locale))
    return figures + pictures.twin(_stacks(result, title, locale), _counts(result, title, locale), locale) + caution


def _stacks(result: Comparison, title: str, locale: Locale) -> str:
    """A bar for each encoder, divided into its parts; a click on its name lists its tensors."""
    most = max(anatomy.total for anatomy in result.anatomies)
    lines = []
    for anatomy in result.anatomies:
        whole = anatomy.total if result.measure == "share" else most
        left, pieces, told = 0.0, [], []
        for number, part in enumerate(PARTS):
            count = anatomy.count(part)
            if not count:
                continue
            width = 100 * count / whole
            words = f"{_part(part, locale)} {_amount(count, anatomy, result.measure)}"
            pieces.append(
                f'<i class="lab-bar-part lab-category-{number}" style="left:{left:.3f}%;width:{width:.3f}%"'
                f' title="{html.escape(words)}"></i>'
            )
            left += width
            told.append(words)
        chosen = anatomy.name == result.model
        lines.append(
            f'<li><button type="button" class="lab-bar-name{" lab-chosen" if chosen else ""}"'
            f' data-pick="{foot.attribute({"model": anatomy.name})}" aria-pressed="{str(chosen).lower()}">'
            f"{html.escape(_name(anatomy.name, locale))}</button>"
            f'<span class="lab-bar-track">{"".join(pieces)}</span>'
            f"<output>{_millions(anatomy.total)}</output><small>{html.escape(' · '.join(told))}</small></li>"
        )
    legend = "".join(
        f'<li><i class="lab-swatch lab-category-{number}"></i>{html.escape(_part(part, locale))}</li>'
        for number, part in enumerate(PARTS)
    )
    return (
        f'<figure class="lab-bars lab-anatomy"><figcaption>{html.escape(title)}</figcaption>'
        f'<ul class="lab-legend">{legend}</ul><ol>{"".join(lines)}</ol></figure>'
    )


def _counts(result: Comparison, title: str, locale: Locale) -> str:
    names = [translate(f"encoders.column.{name}", locale) for name in ("model", "repository")]
    parts = [_part(part, locale) for part in PARTS]
    rows = [
        (
            _name(anatomy.name, locale),
            anatomy.repository,
            *(_amount(count, anatomy, result.measure, exact=True) for count in anatomy.counts),
            f"{anatomy.total:,}",
        )
        for anatomy in result.anatomies
    ]
    columns = [*names, *parts, translate("encoders.column.total", locale)]
    return pictures.table(columns, rows, caption=title, numeric=tuple(range(2, len(columns))))


def _tensors(result: Comparison, locale: Locale) -> str:
    """What the parts of one encoder are made of, the largest first."""
    anatomy = result.find(result.model)
    columns = [translate(f"encoders.column.{name}", locale) for name in ("tensor", "count", "shape", "layers", "part")]
    rows = [
        (
            tensor.name,
            f"{tensor.parameters:,}",
            " × ".join(f"{side:,}" for side in tensor.shape),
            tensor.layers,
            _part(tensor.part, locale),
        )
        for tensor in sorted(anatomy.tensors, key=lambda tensor: -tensor.parameters)
    ]
    caption = translate("encoders.tensors", locale, model=_name(anatomy.name, locale), repository=anatomy.repository)
    table = pictures.table(columns, rows, caption=caption, numeric=(1, 2, 3), headed=True)
    onward = [
        foot.goto_button(html.escape(translate("encoders.to_tokenizers", locale)), "tokenizers", {}),
        foot.goto_button(html.escape(translate("encoders.to_disentangled", locale)), "disentangled", {}),
    ]
    told = pictures.note(translate(f"encoders.about.{anatomy.name}", locale))
    return table + told + f'<div class="lab-chips">{"".join(onward)}</div>'


def _scores(result: Comparison, locale: Locale) -> str:
    place = TASKS.index(result.task)
    task = translate(f"encoders.task.{result.task}", locale)
    title = translate(f"encoders.scores.{result.judged}", locale, task=task)
    entries = []
    for row in result.rows:
        score = row.scores[place]
        if score is not None:
            value = 1 - score if result.judged == "gap" else score
            entries.append(pictures.Bar(_name(row.encoder, locale), value, f"{value:.3f}"))
    scale: pictures.Scale = "loss" if result.judged == "gap" else "probability"
    high = None if result.judged == "gap" else 1.0
    bars = pictures.bars(entries, title=title, high=high, scale=scale)
    columns = [
        translate("encoders.column.model", locale),
        *(translate(f"encoders.short.{task}", locale) for task in TASKS),
        translate("encoders.column.source", locale),
    ]
    rows = [
        (
            _name(row.encoder, locale),
            *("–" if score is None else f"{score:.3f}" for score in row.scores),
            translate(f"encoders.source.{row.source}", locale),
        )
        for row in result.rows
    ]
    caption = translate("encoders.scores", locale)
    table = pictures.table(columns, rows, caption=caption, numeric=tuple(range(1, len(TASKS) + 1)))
    told = pictures.note(translate("encoders.scores.note", locale, pairs=f"{result.pairs:,}"))
    return pictures.heading(caption) + bars + table + told


def _name(encoder: str, locale: Locale) -> str:
    return translate(f"encoders.model.{encoder}", locale)


def _part(part: str, locale: Locale) -> str:
    return translate(f"encoders.part.{part}", locale)


def _millions(count: int) -> str:
    return f"{count / 1e6:.1f} M"


def _amount(count: int, anatomy: Anatomy, measure: str, *, exact: bool = False) -> str:
    if measure == "share":
        return f"{count / anatomy.total:.1%}"
    return f"{count:,}" if exact else _millions(count)


def evidence(result: Comparison) -> dict[str, Any]:
    """The parameters of every encoder by part, and the scores on the task, the best first."""
    place = TASKS.index(result.task)
    return {
        "parameters": {
            anatomy.name: {part: count for part, count in zip(PARTS, anatomy.counts, strict=True) if count}
            for anatomy in result.anatomies
        },
        "scores": {row.encoder: row.scores[place] for row in result.rows if row.scores[place] is not None},
    }


def build(room: Room) -> None:
    """Four choices; the bars, the tensors, the scores."""
    with room.inputs():
        for name in ("measure", "model", "task", "judged"):
            room.widget(name)
    with room.results():
        for _ in range(3):
            room.view()


def _how_much_more(result: Comparison) -> int:
    """LUKE's parameters over BERT's: nearly as many (0), half as many again (1), more than twice as many (2)."""
    ratio = result.find("luke").total / result.find("bert").total
    return 0 if ratio < 1.2 else 1 if ratio < 2 else 2


def _where(result: Comparison) -> int:
    """Where most of BERT's parameters lie: word embeddings (0), attention (1), feed-forward networks (2)."""
    counts = [result.find("bert").count(part) for part in ("words", "attention", "feed_forward")]
    return counts.index(max(counts))


def _best(result: Comparison) -> int:
    """The best model on the task, people aside: BERT (0), RoBERTa (1), LUKE (2), DeBERTa V2 (3)."""
    first = next(row.encoder for row in result.rows if row.encoder not in (HUMAN, BUNDLED))
    return ("bert", "roberta", "luke", "deberta").index(first.removesuffix("-v2"))


EXHIBIT = Exhibit(
    slug=SLUG,
    sections=("5.6.1", "5.6.2", "5.6.3"),
    query=Query,
    explore=explore,
    show=show,
    snippet=snippet,
    evidence=evidence,
    build=build,
    prediction=Prediction(Query(measure="share"), 3, _how_much_more),
    further=(
        Prediction(Query(model="bert"), 3, _where, name="where"),
        Prediction(Query(task="jnli"), 4, _best, name="best"),
    ),
    lane="model",
    steps=(Step({"model": "deberta"}), Step({"measure": "share"}), Step({"judged": "gap"})),
)
