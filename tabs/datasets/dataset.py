"""5.1.1–5.1.3, 5.2.2, 5.2.4 What a data set looks like before anything is trained on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core import query as queries
from core.data.benchmarks import SAMPLES
from core.data.fetching import JOB as FETCHED
from core.data.mapping import OFFERED, guess_task, match_columns
from core.data.own import new_name, open_data, take_in
from core.data.survey import PARTS, Chosen, SplitPlan, Survey, survey
from core.i18n import Locale, translate
from tabs._kit import pictures, uploading
from tabs._kit.exhibit import Exhibit, JobKind, Prediction, Step
from tabs._kit.room import Room
from tabs.datasets import choosing, hub_intake
from tabs.datasets.dataset_script import snippet
from tabs.datasets.dataset_views import NOTHING_CHOSEN, draw_benchmarks, draw_overview, draw_rows, draw_split

SLUG = "dataset"
SEEN_THROUGH, MISLED = 0.03, 0.08  # by how much a leak may flatter before it is a little, and a lot


@dataclass(frozen=True)
class Query:
    """The data, how they are split, and which of their rows are read. `share` and `copies` in percent."""

    source: str = choosing.source(*SAMPLES)
    pattern: str = queries.text("", limit=200)
    max_length: int = queries.within(64, 8, 512)
    share: int = queries.within(20, 0, 50, step=5)
    division: str = queries.one_of("grouped", "grouped", "random")
    copies: int = queries.within(0, 0, 50, step=5)
    likeness: float = queries.between(0.8, 0.5, 1.0, step=0.05)
    seed: int = queries.within(42, 0, 999)
    part: str = queries.one_of("all", "all", *PARTS)
    label: str = queries.text("", limit=200)
    fit: str = queries.one_of("all", "all", "cut", "whole")
    page: int = queries.within(1, 1, 1_000_000)
    row: int = queries.within(-1, -1, 100_000_000)

    @property
    def plan(self) -> SplitPlan:
        """How they are split."""
        return SplitPlan(
            share=self.share / 100,
            seed=self.seed,
            grouped=self.division == "grouped",
            copies=self.copies / 100,
            likeness=self.likeness,
        )

    @property
    def chosen(self) -> Chosen:
        """Which rows."""
        return Chosen(self.part, self.label, self.pattern, self.fit)  # type: ignore[arg-type]  # bounded above


def explore(query: Query) -> Survey:
    """Schema, labels and lengths (in tokens) of a data set, its parts and their leaks, and a page of ``rows``.

    Similarities and shares in [0, 1].
    """
    row = query.row if query.row >= 0 else None
    data = open_data(query.source)
    return survey(data, query.plan, query.chosen, max_length=query.max_length, page=query.page, row=row)


def show(result: Survey, locale: Locale) -> tuple[str, ...]:
    """Lengths and labels; the parts and their leaks; the rows; the benchmark."""
    return (
        draw_overview(result, locale),
        draw_split(result, locale),
        draw_rows(result, locale),
        draw_benchmarks(result, locale),
    )


def evidence(result: Survey) -> dict[str, Any]:
    """Rows of each part, labels, lengths, leaks, and the first rows with their tokens."""
    found = result.lengths
    told: dict[str, Any] = {
        "rows": list(result.parts),
        "broken": result.broken,
        "leaks": [result.leaks.exact, result.leaks.near],
        "labels": {one.label: list(one.counts) for one in result.labels},
        "lengths": {str(found.width * place): count for place, count in enumerate(found.counts) if count},
        "cut": found.cut,
        "shown": [[row.part, row.tokens, row.texts[0][:20]] for row in result.rows[:5]],
    }
    if result.memorized:
        told["memorized"] = [round(result.memorized.train, 4), round(result.memorized.held_out, 4)]
    return told


INTAKE = uploading.Intake(
    job="read-data",
    words="dataset.upload",
    tasks="data.task",
    fields="data.field",
    offered=OFFERED,
    guess=guess_task,
    match=match_columns,
    name=new_name,
    read=take_in,
    growth=2,
)


def _render(result: Mapping[str, Any], locale: Locale) -> str:
    return pictures.note(translate("dataset.upload.read", locale, rows=f"{result['rows']:,}"))


def build(room: Room) -> None:
    """The data, words to look for, the longest length, the share held out, a file; the rest is chosen in the views."""
    with room.inputs():
        choosing.chips(room, *SAMPLES, reset=NOTHING_CHOSEN)
        room.widget("max_length")
        room.widget("share")
        room.widget("pattern", lines=1)
        uploading.build(room, INTAKE, reset=NOTHING_CHOSEN)
        hub_intake.build(room, reset=NOTHING_CHOSEN)
        with room.more():
            room.widget("seed")
            room.widget("likeness")
        for name in ("source", "division", "copies", "part", "label", "fit", "page", "row"):
            room.picked(name)
    with room.results():
        for _ in range(4):
            room.view()


def _answer(result: Survey) -> int:
    """By how much leaks flatter the memorizer: hardly (0), a little (1), a lot (2)."""
    found = result.memorized
    if found is None or found.fresh is None:
        return 0
    flattered = found.held_out - found.fresh
    return 0 if flattered < SEEN_THROUGH else 1 if flattered < MISLED else 2


EXHIBIT = Exhibit(
    slug=SLUG,
    sections=("5.1.1", "5.1.2", "5.1.3", "5.2.2", "5.2.4"),
    query=Query,
    explore=explore,
    show=show,
    snippet=snippet,
    evidence=evidence,
    build=build,
    prediction=Prediction(Query(copies=20, division="random"), 3, _answer),
    steps=(
        Step({"max_length": 32, "fit": "cut"}),
        Step({"copies": 20, "division": "random"}),
        Step({"copies": 20, "division": "grouped"}),
        Step({"source": "inference"}),
    ),
    jobs=(JobKind(INTAKE.job, _render), JobKind(FETCHED, _render)),
)
