"""Where an error table comes from: a model on its sample, a visitor's file of predictions, a finished run (book 5.3.1).

A source is named by one text. The name of a model stands for its predictions on the bundled sample of its task. What a
visitor brought is kept in the visitor's workspace under a name that begins with `core.presets.OWN` and ends with an id
that nobody can guess.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.analysis.slices import MOST_VALUES
from core.analysis.storage import Opened, read_opened, write_opened
from core.analysis.table import KINDS, ErrorTable, Kind, build_table
from core.data.rows import BrokenRow
from core.errors import InvalidInput, ModelUnavailable
from core.i18n import ASSETS
from core.jobs import Progress, finish
from core.presets import HEADS, OWN, is_own, models_folder
from core.tasks.task import Prediction, Setup
from core.workspaces import workspaces_folder

if TYPE_CHECKING:
    from core.tasks.loaded import TaskModel
    from core.training.folder import RunFolder

TABLES = "tables"  # the folder inside a workspace
PREDICTED = "predicted"  # the folder beside the workspaces: predictions on bundled samples, which are nobody's own
LARGE_MEGABYTES = 100  # of a model in memory; predicting with one takes more than a moment
OFFERED = tuple(preset.id for preset in HEADS if preset.task in KINDS)
_OWN = re.compile(rf"{OWN}(.{{0,60}}):([0-9a-f]{{32}})", re.DOTALL)
_AT_ONCE = 64  # examples between two signs of life
_TABLES_KEPT = 8  # in memory
_PREDICTING = threading.Lock()


@dataclass(frozen=True, slots=True)
class Learned:
    """What a model was trained for, where it lies, and the sample that it is tried on; known without loading it."""

    task: str
    setup: Setup
    folder: Path

    @property
    def sample(self) -> str:
        """The name of the bundled sample of its task."""
        return _sample_of(self.task)


def open_source(source: str) -> Opened:
    """The table behind the name of a source; remembered, so that a filter need not wait for it.

    Raises:
        InvalidInput: ``error.analysis.gone`` (what was kept is not there any more), ``.not_predicted`` (with ``source``
            and ``rows``: a large model, whose predictions `predict_source` makes), ``.task`` (no such table can be made
            of this model's answers).
        ModelUnavailable: as `core.tasks.loaded.load_task_model`.
    """
    return replace(_open(source), source=source)


def _open(source: str) -> Opened:
    if is_own(source):
        path = find_own(source)
        return _open_stored(str(path), path.stat().st_mtime_ns, _Known())
    learned = identify(source)
    stored = _place_predicted(source, learned)
    if stored.is_file():
        return _open_stored(str(stored), stored.stat().st_mtime_ns, _Known())
    if _megabytes(learned.folder) > LARGE_MEGABYTES:
        rows = len(_read_sample(learned.task)[0])
        raise InvalidInput("error.analysis.not_predicted", source=source, rows=rows)
    with _PREDICTING:  # a class that opens the same model waits for one prediction, and finds it
        return _predict_small(source, stored.name)


@dataclass(frozen=True, slots=True)
class Outline:
    """What is known of a source's table before it is made: its kind, its labels, its size, its further columns.

    Of those, the names of columns that hold from two to `core.analysis.slices.MOST_VALUES` different values.
    """

    task: str
    kind: Kind
    labels: tuple[str, ...]
    rows: int
    columns: tuple[str, ...]


def outline(source: str) -> Outline:
    """Describe a source without loading a model.

    Raises:
        InvalidInput, ModelUnavailable: as `open_source`.
    """
    if is_own(source):
        table = open_source(source).table
        return Outline(table.task, table.kind, table.labels, len(table), list_columns(table.columns))
    learned = identify(source)
    examples, _, further = _read_sample(learned.task)
    kind = KINDS[learned.task]
    if kind == "choice":
        labels = tuple(map(str, range(max(len(example.choices) for example in examples))))
    else:
        labels = _own_labels(learned.task, learned.setup.labels) if kind != "number" else ()
    return Outline(learned.task, kind, labels, len(examples), list_columns(further))


def list_columns(columns: Mapping[str, Iterable[Any]]) -> tuple[str, ...]:
    """The columns by whose values rows can be gathered."""
    return tuple(name for name, values in columns.items() if 1 < len({str(value) for value in values}) <= MOST_VALUES)


def identify(source: str) -> Learned:
    """The task of a model, without reading a weight.

    Raises:
        InvalidInput: ``error.analysis.task``: no table can be made of its answers.
        ModelUnavailable: as `core.tasks.loaded.find_model_folder`, or it does not say what it was trained for.
    """
    from core.tasks.loaded import find_model_folder, find_setup, read_setup

    folder = models_folder() / source
    bundled = any(preset.bundled for preset in HEADS if preset.id == source)
    if bundled and (found := read_setup(folder)):
        return Learned(*found, folder.resolve())
    folder = Path(find_model_folder(source, allow_download=False))
    found = find_setup(source, folder)
    if found is None:
        raise ModelUnavailable("error.model.no_task", source=source)
    task, setup = found
    if task not in KINDS:
        raise InvalidInput("error.analysis.task", name=task[:40], names=", ".join(KINDS))
    return Learned(task, setup, folder)


def predict_source(source: str) -> Generator[Progress, None, int]:
    """Predict with a model on the sample of its task and keep that for everybody; how many rows it gave. A job.

    Raises:
        InvalidInput, ModelUnavailable: as `open_source`.
    """
    path = _place_predicted(source, identify(source))
    opened = yield from _predict(source)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_opened(path, opened)
    return len(opened.table)


def new_name(called: str) -> str:
    """A name for what a visitor brings, such as a file; the end of it cannot be guessed."""
    plain = re.sub(r"[:/\s]+", " ", called).strip()[-60:]
    return f"{OWN}{plain}:{secrets.token_hex(16)}"


def called(source: str) -> str:
    """What a visitor called it: the name of the file or the run without our id; other sources as they are."""
    found = _OWN.fullmatch(source)
    return found[1] if found else source


def keep(workspace: Path, name: str, opened: Opened) -> None:
    """Keep a table in a visitor's workspace under a name made by `new_name`.

    Raises:
        ValueError: `name` is no such name.
    """
    found = _OWN.fullmatch(name)
    if found is None:
        raise ValueError("a name made by new_name is needed")
    path = workspace / TABLES / f"{found[2]}.json"
    path.parent.mkdir(exist_ok=True)
    write_opened(path, opened)
    _open_stored(str(path), path.stat().st_mtime_ns, _Known(opened))  # whoever brought it looks at it next


def find_own(source: str) -> Path:
    """The file behind the name of something that a visitor brought, for anyone who holds the name.

    Raises:
        InvalidInput: ``error.analysis.gone`` with ``name``.
    """
    found = _OWN.fullmatch(source)
    path = next(workspaces_folder().glob(f"*/{TABLES}/{found[2]}.json"), None) if found else None
    if path is None:
        raise InvalidInput("error.analysis.gone", name=called(source)[:60])
    return path


def open_run(folder: RunFolder, *, test: bool = False) -> Opened:
    """The predictions of a finished run on its validation part, or on its test part.

    Raises:
        InvalidInput: ``error.analysis.no_predictions`` (the run has none of that part), ``error.analysis.task``,
            ``error.analysis.other_examples`` (its data have changed since), or its data cannot be read any more.
    """
    from core.data.loading import load_examples
    from core.tasks.loaded import read_setup
    from core.tasks.registry import find_task
    from core.training.config import read_config
    from core.training.trainer import read_predictions

    config = read_config(folder.config)
    stored = folder.test_predictions if test else folder.predictions
    if not stored.is_file():
        raise InvalidInput("error.analysis.no_predictions", run=folder.path.name)
    setup = read_setup(folder.model)
    parts = load_examples(find_task(config.task), config.data, seed=config.hyperparameters.seed)
    table = build_table(
        read_predictions(stored),
        parts.test if test else parts.validation,
        task=config.task,
        labels=_own_labels(config.task, setup[1].labels if setup else ()),
    )
    warm_up(table)
    data = config.data.test if test else config.data.validation or config.data.train
    return Opened(table, data=Path(data).name if "/" in data else data, model=folder.path.name, origin="held_out")


def warm_up(table: ErrorTable | None = None) -> None:
    """Import what filters and counts need, so that the first of them is as quick as the others."""
    import pyarrow.compute  # noqa: F401
    import sklearn.metrics  # noqa: F401

    if table is not None:
        len(table.searchable)


def _weights(folder: Path) -> list[Path]:
    return [*folder.glob("*.safetensors"), *folder.glob("*.bin")]


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in _weights(folder)) / 1e6


def _place_predicted(source: str, learned: Learned) -> Path:
    """The file for the predictions of this state of the model on this state of the sample."""
    folder = learned.folder
    written = [f"{path.name} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in sorted(_weights(folder))]
    sample = (ASSETS / "samples" / f"{learned.sample}.jsonl").read_bytes()
    key = hashlib.sha256("\n".join([source, str(folder), learned.task, *written]).encode() + sample).hexdigest()
    return workspaces_folder() / PREDICTED / f"{key[:32]}.json"


@dataclass(frozen=True)
class _Known:
    """What a file holds, for whoever has just written it; all are equal, so that it makes no other entry."""

    opened: Opened | None = field(default=None, compare=False)


@lru_cache(maxsize=_TABLES_KEPT)
def _open_stored(path: str, written: int, known: _Known) -> Opened:
    """`written` tells versions of a file apart."""
    opened = known.opened or read_opened(Path(path))
    warm_up(opened.table)
    return opened


@lru_cache(maxsize=_TABLES_KEPT)
def _predict_small(source: str, version: str) -> Opened:
    """`version` tells states of model and sample apart."""
    return finish(_predict(source))


def _predict(source: str) -> Generator[Progress, None, Opened]:
    from core.tasks.loaded import load_task_model

    model = load_task_model(source)
    examples, broken, further = _read_sample(model.task.name)
    predictions: list[Prediction] = []
    for found in predict_in_parts(model, examples):
        predictions += found
        yield Progress(len(predictions), len(examples))
    table = build_table(
        predictions,
        examples,
        task=model.task.name,
        labels=_own_labels(model.task.name, model.setup.labels),
        columns=further,
    )
    warm_up(table)
    data = f"sample:{_sample_of(model.task.name)}"
    return Opened(table, data=data, model=source, origin="held_out", broken=broken)


def place_beside(source: str, name: str) -> Path:
    """The file for something that was computed of a source, and has to be computed anew when the source changes.

    Raises:
        InvalidInput, ModelUnavailable: as `open_source`.
    """
    if is_own(source):
        path = find_own(source)
        return path.with_name(f"{path.stem}.{name}")
    return _place_predicted(source, identify(source)).with_suffix(f".{name}")


def predict_in_parts(model: TaskModel, examples: Sequence[Any]) -> Generator[list[Prediction], None, None]:
    """Predictions in the order of the examples, numbered by their place, some at a time."""
    from core.tasks.loaded import predict

    for start in range(0, len(examples), _AT_ONCE):
        part = predict(model, examples[start : start + _AT_ONCE])
        yield [replace(one, index=start + one.index) for one in part]


@cache
def _sample_of(task: str) -> str:
    from core.training.config import EXAMPLES

    return EXAMPLES[task][0]


def _read_sample(task: str) -> tuple[list[Any], tuple[BrokenRow, ...], dict[str, list[Any]]]:
    """The examples of the task's sample that no bundled model was trained on, and its further columns."""
    from core.data.loading import read_examples
    from core.data.samples import read_sample
    from core.data.source import DataSource
    from core.tasks.registry import find_task

    table, kind = read_sample(_sample_of(task), part="test"), find_task(task)
    examples, broken = read_examples(kind, table, DataSource(train=table.source), part="test")
    known = {"id", "split", *(column.name for column in kind.columns)}
    names = [name for name in table.columns if name not in known] if not broken else []
    return examples, tuple(broken), {name: [row.values[name] for row in table.rows] for name in names}


def _own_labels(task: str, labels: Sequence[str]) -> tuple[str, ...]:
    """The labels of a table, in the model's order: of a tagger the types of entities."""
    if KINDS.get(task) != "entities":
        return tuple(labels)
    return tuple(dict.fromkeys(label[2:] for label in labels if label != "O"))
