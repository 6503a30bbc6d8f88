"""Finished models of tasks: loaded once, shared by everyone, never written to, from files that cannot run code."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import ModelUnavailable
from core.libraries import import_transformers
from core.models.loading import MEMORY_BYTES, PICKLES, WEIGHTS, ModelCache, list_shards
from core.presets import HEADS, MODELS, Preset, locate
from core.tasks.registry import find_task
from core.tasks.task import Prediction, Setup, Task

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

TASK_FILE = "task.json"
_CATALOGUE = (*HEADS, *MODELS)
_FILES = ("*.json", "*.txt", "*.model", "*.safetensors")


@dataclass(frozen=True, slots=True, eq=False)
class TaskModel:
    """A model of a task in evaluation mode, its tokenizer, and what the task has to know. Shared: never change it."""

    task: Task[Any]
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    setup: Setup
    megabytes: float  # in memory


_MODELS: ModelCache[TaskModel] = ModelCache(MEMORY_BYTES)  # made with the module: no two threads can make two


def load_task_model(source: str, *, allow_download: bool = False) -> TaskModel:
    """The finished model in a folder, or the one of that name in the catalogue, from the cache that all visitors share.

    A model that others published says nothing of its task: the catalogue does, and its labels stand in its own
    configuration.

    Raises:
        ModelUnavailable: not a folder with a finished model, not on this disk, not loadable safely, or too large.
        InvalidInput: `source` has not the form of a name.
    """
    folder = Path(find_model_folder(source, allow_download=allow_download))
    stamp = max(path.stat().st_mtime_ns for path in (folder / "config.json", *_weight_files(folder, source)))
    return _MODELS.get((str(folder), stamp), lambda: _load(source, folder))


def predict(task_model: TaskModel, examples: Sequence[Any], *, batch_size: int = 32) -> list[Prediction]:
    """What the model says of each example, in their order."""
    return task_model.task.predict(
        task_model.model, task_model.tokenizer, examples, task_model.setup, batch_size=batch_size
    )


def find_model_folder(source: str, *, allow_download: bool) -> str:
    """The folder behind a bundled name, a path or an id of the Hub, after every check that needs no weight to be read.

    Raises:
        ModelUnavailable: not there, no model, with code of its own, or without safetensors.
        InvalidInput: `source` has not the form of a name.
    """
    named_as_path = Path(source).is_absolute() or source.startswith((".", "~"))
    place = source if named_as_path else locate(source, _CATALOGUE)
    if not (named_as_path or Path(place).is_absolute()):
        bundled = Path(locate("encoder", MODELS)).parent / source
        if (bundled / "config.json").is_file():  # the family trained here, beside the base models of the catalogue
            place = str(bundled)
        else:
            return _find_snapshot(place, allow_download=allow_download)
    folder = Path(place).expanduser().resolve()
    if not named_as_path and not (folder / "config.json").is_file():
        raise ModelUnavailable("error.model.not_shipped", source=source)
    _check_config(folder, source)
    _weight_files(folder, source)
    return str(folder)


def read_setup(folder: Path) -> tuple[str, Setup] | None:
    """The task that a model was trained for and its setup; None for a base model."""
    read = _read_json(folder / TASK_FILE)
    if "task" not in read:
        return None
    return str(read["task"]), Setup(
        labels=tuple(map(str, read.get("labels") or ())),
        max_length=int(read.get("max_length", 512)),
        max_target_length=int(read.get("max_target_length", 128)),
        options=dict(read.get("options") or {}),
    )


def write_setup(folder: Path, task: str, setup: Setup) -> None:
    """Write ``task.json``."""
    content = {
        "task": task,
        "labels": list(setup.labels),
        "max_length": setup.max_length,
        "max_target_length": setup.max_target_length,
        "options": dict(setup.options),
    }
    (folder / TASK_FILE).write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def load_tokenizer_of(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer in a folder, as the tasks use it.

    Raises:
        ModelUnavailable: its files cannot be read.
    """
    import_transformers()
    from core.tasks.tokenizing import load_task_tokenizer

    return load_task_tokenizer(str(folder))


def find_setup(source: str, folder: Path) -> tuple[str, Setup] | None:
    """The task and setup of the model `source` that lies in `folder`: its own, or what the catalogue says of it."""
    preset = _find_preset(source)
    if preset is None or preset.bundled or preset not in HEADS:
        return read_setup(folder)
    labels = _read_json(folder / "config.json").get("id2label") or {}
    return preset.task, Setup(labels=tuple(str(labels[number]) for number in sorted(labels, key=int)))


def _load(source: str, folder: Path) -> TaskModel:
    import torch

    import_transformers()
    from safetensors import SafetensorError
    from transformers.utils import logging as transformers_logging

    read = find_setup(source, folder)
    if read is None:
        raise ModelUnavailable("error.model.no_task", source=source)
    name, setup = read
    needed = 4 * _count_numbers(_weight_files(folder, source))
    if needed > MEMORY_BYTES:
        raise ModelUnavailable(
            "error.model.too_large", source=source, megabytes=needed // 10**6, limit=MEMORY_BYTES // 10**6
        )
    torch.set_num_threads(1)  # as core.models.loading does, for the same reason
    transformers_logging.disable_progress_bar()
    task = find_task(name)
    try:
        model = task.load(str(folder), setup)
    except (OSError, LookupError, ValueError, TypeError, RuntimeError, SafetensorError) as error:
        raise ModelUnavailable("error.model.unreadable", source=source) from error
    model.float().eval().requires_grad_(False)
    megabytes = sum(parameter.numel() for parameter in model.parameters()) * 4 / 1e6
    return TaskModel(task, model, load_tokenizer_of(folder), setup, megabytes)


def _check_config(folder: Path, source: str) -> None:
    import_transformers()
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    config = _read_json(folder / "config.json")
    # An adapter's folder points at another model, which would be loaded past these checks.
    if "model_type" not in config or (folder / "adapter_config.json").exists():
        raise ModelUnavailable("error.model.not_a_model", source=source)
    if "auto_map" in config or "auto_map" in _read_json(folder / "tokenizer_config.json"):
        raise ModelUnavailable("error.model.remote_code", source=source)
    if not str(config.get("transformers_weights") or WEIGHTS).endswith((".safetensors", ".safetensors.index.json")):
        raise ModelUnavailable("error.model.pickle", source=source)
    if config["model_type"] not in CONFIG_MAPPING_NAMES:
        raise ModelUnavailable("error.model.unsupported", source=source, type=str(config["model_type"]))


def _weight_files(folder: Path, source: str) -> tuple[Path, ...]:
    """The safetensors files of a folder, all of them there; a pickle only where the catalogue says there is no more."""
    if (folder / WEIGHTS).is_file():
        return (folder / WEIGHTS,)
    if shards := list_shards(folder):
        return shards
    preset = _find_preset(source)
    if preset and preset.pickled and (pickles := tuple(folder / name for name in PICKLES if (folder / name).is_file())):
        return pickles
    pickled = any(folder.glob("pytorch_model*.bin"))
    raise ModelUnavailable("error.model.pickle" if pickled else "error.model.no_weights", source=source)


def _count_numbers(weights: Sequence[Path]) -> int:
    """Numbers in the files, from their headers alone; 0 when one is broken, which loading will say."""
    from safetensors import SafetensorError, safe_open

    total = 0
    for path in weights:
        if path.suffix != ".safetensors":
            total += path.stat().st_size // 4  # pickles have no header; the book's hold single precision
            continue
        try:
            with safe_open(path, framework="numpy") as file:
                total += sum(math.prod(file.get_slice(name).get_shape()) for name in list(file.keys()))
        except (SafetensorError, OSError):
            return 0
    return total


def _find_snapshot(repository: str, *, allow_download: bool) -> str:
    """The folder of a Hub repository: from the cache, else its JSON files first, checked before the weights travel."""
    from huggingface_hub import is_offline_mode, snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    preset = _find_preset(repository)
    revision = preset.revision if preset else "main"
    files = (*_FILES, *(PICKLES if preset and preset.pickled else ()))

    def snapshot(*patterns: str, local: bool) -> Path:
        return Path(
            snapshot_download(
                repository,
                revision=revision,
                local_files_only=local,
                allow_patterns=list(patterns),
                ignore_patterns=["*/*"],  # folders inside a repository hold other formats of the same weights
            )
        )

    try:
        try:
            folder = snapshot(*files, local=True)
            _weight_files(folder, repository)
        except (LocalEntryNotFoundError, ModelUnavailable):
            if is_offline_mode() or not allow_download:
                key = "error.model.offline" if is_offline_mode() else "error.model.not_downloaded"
                raise ModelUnavailable(key, source=repository) from None
            _check_config(snapshot("*.json", local=False), repository)
            folder = snapshot(*files, local=False)
            _weight_files(folder, repository)
    except GatedRepoError:
        raise ModelUnavailable("error.model.gated", source=repository) from None
    except (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError):
        raise ModelUnavailable("error.model.unknown", source=repository) from None
    except (LocalEntryNotFoundError, ConnectionError, HfHubHTTPError):
        raise ModelUnavailable("error.model.offline", source=repository) from None
    _check_config(folder, repository)
    return str(folder)


def _find_preset(name: str) -> Preset | None:
    return next((preset for preset in _CATALOGUE if name in (preset.id, preset.source)), None)


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}
