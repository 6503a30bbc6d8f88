"""5.2.3, 5.2.5–5.2.7 One batch as the model is given it: tokens, padding, tensors, and what an untrained model says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from core import query as queries
from core.data.benchmarks import TASKS
from core.data.own import find_own
from core.data.source import DataSource
from core.errors import InvalidInput
from core.i18n import Locale
from core.presets import ENCODERS, ids, is_own
from core.tasks.registry import find_task
from core.training.config import RunConfig
from core.training.minibatch import MiniBatch, look_at_batch
from core.training.recorded import SHARE, sample_source
from tabs._kit.exhibit import Exhibit, Prediction, Step
from tabs._kit.room import Room
from tabs.datasets import choosing
from tabs.datasets.batch_script import write_script
from tabs.datasets.batch_views import draw_batch, draw_epoch, draw_tensors, draw_untrained

SAMPLES = ("reviews", "inference")
LITTLE, HALF = 0.2, 0.4  # shares of padding


@dataclass(frozen=True)
class Query:
    """The data, the batches, which of them, and which of its rows is written out. `number` and `row` count from 1."""

    source: str = choosing.source(*SAMPLES)
    model: str = queries.one_of("encoder", *ids(ENCODERS), free=True)
    batch_size: int = queries.within(8, 1, 32)
    max_length: int = queries.within(128, 8, 512)
    grouping: bool = queries.flag()
    number: int = queries.within(1, 1, 1_000_000)
    row: int = queries.within(1, 1, 32)
    seed: int = queries.within(42, 0, 999)


@dataclass(frozen=True)
class Batch:
    """A batch, and which of its rows (from 0) is written out."""

    source: str
    seen: MiniBatch
    row: int


def make_config(query: Query) -> RunConfig:
    """What a run on these data with these settings would be.

    Raises:
        InvalidInput: the data are not here any more, or there are none of this name.
    """
    if is_own(query.source):
        own = find_own(query.source)
        task, data = own.task, DataSource(str(own.path), columns=dict(own.columns), validation_share=SHARE)
    elif query.source in SAMPLES:
        task = TASKS[query.source]
        data = sample_source(task, sentiment=True)
    else:
        raise InvalidInput("error.dataset.unknown", name=query.source[:40], known=", ".join(SAMPLES))
    settings = replace(
        find_task(task).defaults,
        batch_size=query.batch_size,
        max_length=query.max_length,
        length_grouping=query.grouping,
        seed=query.seed,
    )
    return RunConfig(task, data, model=query.model, hyperparameters=settings)


def explore(query: Query) -> Batch:
    """The ``seen`` batch: rows of tokens, shapes of the tensors, shares of padding in [0, 1], losses in nats."""
    seen = look_at_batch(make_config(query), number=query.number)
    return Batch(query.source, seen, min(query.row, len(seen.rows)) - 1)


def show(result: Batch, locale: Locale) -> tuple[str, ...]:
    """The batch; the epoch; one row as tensors; what the untrained model says."""
    seen = result.seen
    return (
        draw_batch(seen, result.row, locale),
        draw_epoch(seen, locale),
        draw_tensors(seen, result.row, locale),
        draw_untrained(seen, locale),
    )


def snippet(query: Query) -> str:
    """Tokens, order, padding and a forward pass."""
    return write_script(make_config(query), query.model, query.number)


def evidence(result: Batch) -> dict[str, Any]:
    """Shapes, the first row's ids, shares of padding, and the untrained model's answers."""
    seen = result.seen
    return {
        "shapes": {name: list(shape) for name, shape in seen.shapes.items()},
        "input_ids": [token.id for token in seen.rows[0].tokens],
        "labels": [row.label for row in seen.rows],
        "wasted": [round(seen.wasted, 4), round(seen.wasted_grouped, 4)],
        "loss": round(seen.loss, 4),
        "scores": [[round(row.scores[label], 4) for label in seen.labels] for row in seen.rows],
    }


def build(room: Room) -> None:
    """The data and how batches are made; which batch and which row is chosen in the pictures."""
    with room.inputs():
        choosing.chips(room, *SAMPLES, reset={"number": 1, "row": 1})
        room.widget("batch_size")
        room.widget("max_length")
        room.widget("grouping")
        with room.more():
            room.widget("model")
            room.widget("seed")
        for name in ("source", "number", "row"):
            room.picked(name)
    with room.results():
        for _ in range(4):
            room.view()


def _answer(result: Batch) -> int:
    """How much of an epoch in random order is padding: little (0), a third or so (1), more than that (2)."""
    share = result.seen.wasted
    return 0 if share < LITTLE else 1 if share < HALF else 2


EXHIBIT = Exhibit(
    slug="batch",
    sections=("5.2.3", "5.2.5", "5.2.6", "5.2.7"),
    query=Query,
    explore=explore,
    show=show,
    snippet=snippet,
    evidence=evidence,
    build=build,
    prediction=Prediction(Query(batch_size=16), 3, _answer),
    lane="model",
    steps=(Step({"grouping": True}), Step({"batch_size": 32}), Step({"max_length": 32}), Step({"source": "inference"})),
)
