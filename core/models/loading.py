"""Models, loaded once, shared by everyone, never written to, and only from files that cannot run code.

What a folder or a Hub repository holds is decided by its ``config.json`` and the names of its files, before a single
weight is read: code of its own (``auto_map``) and pickles are turned away, and so is what would not fit into memory.
"""

from __future__ import annotations

import json
import logging
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar

from core.errors import ModelUnavailable, ServiceError
from core.libraries import import_transformers, list_model_types
from core.presets import MODELS, Preset, is_path, locate, models_folder
from core.text.tokenizers import SubwordTokenizer, load_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel

logger = logging.getLogger(__name__)

Architecture = Literal["encoder", "decoder", "seq2seq"]
Head = Literal["base", "masked-lm", "causal-lm", "seq2seq-lm"]

MEMORY_BYTES = 2_000_000_000  # for all shared models together, in float32: four models of BERT's base size
# The head that a model of each kind was trained with, and what a visitor is told who names another.
OWN_HEADS: Mapping[Architecture, Head] = {"encoder": "masked-lm", "decoder": "causal-lm", "seq2seq": "seq2seq-lm"}
NO_HEAD: Mapping[Head, str] = {
    "masked-lm": "error.model.no_head",
    "causal-lm": "error.generation.needs.decoder",
    "seq2seq-lm": "error.generation.needs.seq2seq",
}
WEIGHTS, WEIGHTS_INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json")
# What is taken of a repository of the Hub; folders inside it hold other formats of the same weights.
WORD_FILES = ("*.json", "*.txt", "*.model", "*.jinja")
IGNORED_FILES = ("*/*",)

# One load at a time in the whole process, whichever cache asks. Two at once would need twice the memory; and while
# transformers loads a model it replaces `PreTrainedModel.tie_weights` by nothing: of two loads that overlap, the second
# takes that nothing for the original and leaves the tying of weights switched off for good.
_LOADING = threading.RLock()


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModel:
    """A model in evaluation mode whose parameters take no gradient, and its tokenizer. Shared: never change it."""

    source: str
    architecture: Architecture
    head: Head
    model: PreTrainedModel
    tokenizer: SubwordTokenizer
    parameters: int
    megabytes: float  # in memory
    seconds: float  # to load

    @property
    def layers(self) -> int:
        """How many layers attend."""
        return self.model.config.num_hidden_layers

    @property
    def heads(self) -> int:
        """Attention heads per layer."""
        return self.model.config.num_attention_heads

    @property
    def positions(self) -> int:
        """How many tokens fit in at once, special tokens included."""
        # RoBERTa and its kin start counting positions after the padding id: two of theirs are never used.
        offset = 2 if "roberta" in self.model.config.model_type else 0
        return getattr(self.model.config, "max_position_embeddings", 512) - offset


class HasSize(Protocol):
    """Whatever says how much memory it takes."""

    @property
    def megabytes(self) -> float:
        """In memory."""


Kept = TypeVar("Kept", bound=HasSize)


class ModelCache(Generic[Kept]):
    """The least recently used models go when the bytes of all together pass the budget."""

    def __init__(self, budget_bytes: int) -> None:
        self.budget_bytes = budget_bytes
        self._models: OrderedDict[Hashable, Kept] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, load: Callable[[], Kept]) -> Kept:
        """The model under `key`, loaded now if it is not here; a model in use by others is never held up by a load."""
        if model := self._find(key):
            return model
        with _LOADING:
            if model := self._find(key):  # someone else loaded it while this thread waited
                return model
            model = load()
            with self._lock:
                self._models[key] = model
                while self._bytes() > self.budget_bytes and len(self._models) > 1:
                    self._models.popitem(last=False)
            return model

    def __len__(self) -> int:
        return len(self._models)

    def _find(self, key: Hashable) -> Kept | None:
        with self._lock:
            if key in self._models:
                self._models.move_to_end(key)
            return self._models.get(key)

    def _bytes(self) -> float:
        return sum(model.megabytes * 1e6 for model in self._models.values())


# Every model of the process, with a head of its own or bare: one budget for all. Made with the module, so that no two
# threads can make two.
SHARED: ModelCache[Any] = ModelCache(MEMORY_BYTES)


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A folder whose files have passed every check that reads no weight."""

    path: Path
    weights: tuple[Path, ...]

    @property
    def written(self) -> int:
        """When its configuration or its weights were last written, in nanoseconds: what a cache tells versions by."""
        return max(path.stat().st_mtime_ns for path in (self.path / "config.json", *self.weights))

    def check_size(self, source: str) -> None:
        """Check that its weights fit into the budget as float32, by the headers of the files alone.

        Raises:
            ModelUnavailable: ``error.model.too_large`` (source, megabytes, limit).
        """
        _check_size(_bytes_in_memory(self.weights), source)


def load_model(source: str, *, head: Head | None = "masked-lm") -> LoadedModel:
    """The model behind a preset's id, an absolute folder or a Hub id, from the cache all visitors share.

    Without a `head` named, a model of any kind will do: with the head that its kind is trained with, or with none where
    the files hold none. The network is not asked.

    Raises:
        ModelUnavailable: unknown, not on this disk, no model, not loadable safely, without such a head, or too large.
        InvalidInput: `source` has not the form of a name.
    """
    found = find_folder(source, MODELS, encoders_only=head in ("base", "masked-lm"))
    if head is None:
        own = OWN_HEADS[find_architecture(read_json(found.path / "config.json"))]
        try:
            return load_model(source, head=own)
        except ModelUnavailable as error:
            if error.key != NO_HEAD[own]:
                raise
        return load_model(source, head="base")
    found.check_size(source)
    model: LoadedModel = SHARED.get((found.path, found.written, head), lambda: _load(source, found.path, head))
    return model


@cache
def prepare_torch() -> None:
    """Set what is global to the process, once, before the first model.

    One thread: on a small model a second one gains nothing on a quiet machine, and waits twenty times as long for a
    core that somebody else uses (torch's threads spin). Training runs in processes of its own and is not touched.
    """
    import torch

    import_transformers()
    from transformers.utils import logging as transformers_logging

    torch.set_num_threads(1)
    transformers_logging.disable_progress_bar()


def find_folder(
    source: str,
    presets: tuple[Preset, ...],
    *,
    allow_download: bool = False,
    encoders_only: bool = False,
    limited: bool = True,
) -> ModelFolder:
    """The folder behind a preset's id, the name of a bundled model, a path or an id of the Hub, with its files checked.

    Safetensors are asked for, unless the catalogue says that there is a pickle only; code of a repository's own is
    refused. What is downloaded is checked before its weights travel; `limited`: also that it fits into the budget of
    shared models.

    Raises:
        ModelUnavailable: not there, no model, not loadable safely, or of a kind that is not supported.
        ServiceError: the Hub refused for a reason of its own.
        InvalidInput: `source` has not the form of a name.
    """
    preset = find_preset(source, presets)
    pickle = preset is not None and preset.pickled
    named_as_path = is_path(source)
    place = source if named_as_path else locate(source, presets)
    if not named_as_path and not Path(place).is_absolute() and Path(source).name == source:
        family = models_folder() / source  # trained here, though no row of this catalogue
        place = str(family) if (family / "config.json").is_file() else place
    if named_as_path or Path(place).is_absolute():
        folder = Path(place).expanduser().resolve()
        if not named_as_path and not (folder / "config.json").is_file():
            raise ModelUnavailable("error.model.not_shipped", source=source)
    else:
        revision = preset.revision if preset else "main"
        folder = _find_snapshot(
            place,
            revision,
            allow_download=allow_download,
            allow_pickle=pickle,
            encoders_only=encoders_only,
            limited=limited,
        )
    _check_config(read_json(folder / "config.json"), folder, source, encoders_only=encoders_only)
    return ModelFolder(folder, _weight_files(folder, source, allow_pickle=pickle))


def find_architecture(config: Mapping[str, Any]) -> Architecture:
    """The kind of a model by its ``config.json``: what can fill blanks looks both ways, unless it says otherwise."""
    import_transformers()
    from transformers.models.auto import modeling_auto as known

    if config.get("is_encoder_decoder"):
        return "seq2seq"
    kind = config.get("model_type")
    both_ways = kind in known.MODEL_FOR_MASKED_LM_MAPPING_NAMES and not config.get("is_decoder")
    return "decoder" if kind in known.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and not both_ways else "encoder"


def find_preset(name: str, presets: tuple[Preset, ...]) -> Preset | None:
    """The row of a catalogue with this id or this id of the Hub."""
    return next((preset for preset in presets if name in (preset.id, preset.source)), None)


def _find_snapshot(
    repository: str, revision: str, *, allow_download: bool, allow_pickle: bool, encoders_only: bool, limited: bool
) -> Path:
    """The folder of a Hub repository in the local cache, downloaded first when that is allowed and needed."""
    from huggingface_hub import is_offline_mode, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    def snapshot(*, local: bool) -> Path:
        return Path(
            snapshot_download(
                repository,
                revision=revision,
                local_files_only=local,
                allow_patterns=list(model_files(allow_pickle=allow_pickle)),
                ignore_patterns=list(IGNORED_FILES),
            )
        )

    with telling_by_key(repository):
        try:
            folder = snapshot(local=True)
            if _is_complete(folder, allow_pickle=allow_pickle):
                return folder
        except LocalEntryNotFoundError:
            pass
        if is_offline_mode():
            raise ModelUnavailable("error.model.offline", source=repository)
        if not allow_download:
            raise ModelUnavailable("error.model.not_downloaded", source=repository)
        check_repository(repository, revision, allow_pickle=allow_pickle, encoders_only=encoders_only, limited=limited)
        return snapshot(local=False)


def model_files(*, allow_pickle: bool) -> tuple[str, ...]:
    """Patterns of the files of a model in a repository of the Hub."""
    return (*WORD_FILES, "*.safetensors", *(PICKLES if allow_pickle else ()))


@contextmanager
def telling_by_key(repository: str) -> Iterator[None]:
    """Inside, what the Hub's client raises becomes an error with a key.

    Raises:
        ModelUnavailable: the Hub has no such repository, wants an account, or cannot be reached.
        ServiceError: the Hub refused for a reason of its own.
    """
    import httpx2
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except GatedRepoError:
        raise ModelUnavailable("error.model.gated", source=repository) from None
    except (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError):
        raise ModelUnavailable("error.model.unknown", source=repository) from None
    except LocalEntryNotFoundError:  # what a download raises when the Hub does not answer
        raise ModelUnavailable("error.model.offline", source=repository) from None
    except EntryNotFoundError:
        raise ModelUnavailable("error.model.not_a_model", source=repository) from None
    except HfHubHTTPError as error:
        raise ServiceError("error.model.hub", source=repository, status=error.response.status_code) from error
    except (httpx2.TransportError, ConnectionError):
        raise ModelUnavailable("error.model.offline", source=repository) from None


def check_repository(
    repository: str, revision: str, *, allow_pickle: bool, encoders_only: bool = True, limited: bool = True
) -> None:
    """Refuse a repository by its config and its list of files, before its weights travel.

    Raises:
        ModelUnavailable: no model, not loadable safely, of a kind that is not supported, or too large.
    """
    from huggingface_hub import HfApi, hf_hub_download

    information = HfApi().model_info(repository, revision=revision, files_metadata=True)
    sizes = {file.rfilename: file.size or 0 for file in information.siblings or ()}
    if "config.json" not in sizes:
        raise ModelUnavailable("error.model.not_a_model", source=repository)
    # Not into the cache: a snapshot with nothing else in it looks like a tokenizer that was fetched.
    with tempfile.TemporaryDirectory() as folder:
        config = Path(hf_hub_download(repository, "config.json", revision=revision, local_dir=folder))
        _check_config(read_json(config), config.parent, repository, encoders_only=encoders_only)
    if not {WEIGHTS, WEIGHTS_INDEX} & sizes.keys():
        pickles = sizes.keys() & set(PICKLES)
        if not pickles or not allow_pickle:
            raise ModelUnavailable("error.model.pickle" if pickles else "error.model.no_weights", source=repository)
    if not limited:
        return
    counted = information.safetensors
    stored = sum(size for name, size in sizes.items() if name.endswith(".safetensors") and "/" not in name)
    _check_size(4 * counted.total if counted else stored, repository)


def read_json(path: Path) -> Mapping[str, Any]:
    """The object in a JSON file, empty when there is none."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def _check_config(config: Mapping[str, Any], folder: Path, source: str, *, encoders_only: bool = True) -> None:
    # An adapter's folder points at another model, which would be loaded past these checks.
    if "model_type" not in config or (folder / "adapter_config.json").exists():
        raise ModelUnavailable("error.model.not_a_model", source=source)
    if "auto_map" in config or "auto_map" in read_json(folder / "tokenizer_config.json"):
        raise ModelUnavailable("error.model.remote_code", source=source)
    if not str(config.get("transformers_weights") or WEIGHTS).endswith((".safetensors", ".safetensors.index.json")):
        raise ModelUnavailable("error.model.pickle", source=source)
    if config["model_type"] not in list_model_types() or (encoders_only and config.get("is_encoder_decoder")):
        raise ModelUnavailable("error.model.unsupported", source=source, type=str(config["model_type"]))


def _is_complete(folder: Path, *, allow_pickle: bool) -> bool:
    try:
        return bool(_weight_files(folder, "", allow_pickle=allow_pickle))
    except ModelUnavailable:
        return False


def _weight_files(folder: Path, source: str, *, allow_pickle: bool) -> tuple[Path, ...]:
    """The files that hold the weights.

    Raises:
        ModelUnavailable: there are none, only pickles, or a shard is missing.
    """
    pickles = [folder / name for name in PICKLES if (folder / name).is_file()]
    if (folder / WEIGHTS).is_file():
        return (folder / WEIGHTS,)
    if (folder / WEIGHTS_INDEX).is_file():
        shards = list_shards(folder)
        if not shards:
            raise ModelUnavailable("error.model.no_weights", source=source)
        return shards
    if pickles and allow_pickle:
        return (*pickles, *folder.glob("pytorch_model-*.bin"))
    raise ModelUnavailable("error.model.pickle" if pickles else "error.model.no_weights", source=source)


def list_shards(folder: Path) -> tuple[Path, ...]:
    """The safetensors files that a folder's index names; none when one is missing or may not be read.

    An index could name any file of the machine. Besides the folder's own files only a file of a bundled model may stand
    in it, and only in a bundled model's: a head takes from the model beside it what it left as it was.
    """
    bundled, home = models_folder().resolve(), folder.resolve().parent
    shards = set()
    for name in set(map(str, read_json(folder / WEIGHTS_INDEX).get("weight_map", {}).values())):
        own = Path(name).name == name
        beside = home == bundled == (folder / name).resolve().parent.parent
        if not (own or beside) or not name.endswith(".safetensors"):
            return ()
        shards.add(folder / name)
    return tuple(sorted(shards)) if shards and all(shard.is_file() for shard in shards) else ()


def _bytes_in_memory(weights: tuple[Path, ...]) -> int:
    """Bytes of the weights as float32, from the headers of the files alone."""
    from safetensors import SafetensorError, safe_open

    numbers = 0
    for path in weights:
        if path.suffix != ".safetensors":
            return sum(path.stat().st_size for path in weights)
        try:
            with safe_open(path, framework="numpy") as file:
                for name in file.keys():  # noqa: SIM118 (no mapping, only looks like one)
                    size = 1
                    for length in file.get_slice(name).get_shape():
                        size *= length
                    numbers += size
        except (SafetensorError, OSError):
            return 0  # loading will say that the file is broken
    return 4 * numbers


def _check_size(needed: int, source: str) -> None:
    if needed > MEMORY_BYTES:
        raise ModelUnavailable(
            "error.model.too_large", source=source, megabytes=needed // 10**6, limit=MEMORY_BYTES // 10**6
        )


@contextmanager
def telling_unreadable(source: str) -> Iterator[None]:
    """Inside, whatever transformers raises on files that it cannot load becomes ``error.model.unreadable``.

    Raises:
        ModelUnavailable: the files are torn, do not fit their configuration, or hold more than tensors.
    """
    from safetensors import SafetensorError

    unreadable = (SafetensorError, UnpicklingError)  # a torn file; a pickle that holds more than tensors
    try:
        yield
    except (OSError, LookupError, ValueError, TypeError, RuntimeError, ImportError, *unreadable) as error:
        logger.warning("cannot load %s", source, exc_info=error)
        raise ModelUnavailable("error.model.unreadable", source=source) from error


def _load(source: str, folder: Path, head: Head) -> LoadedModel:
    started = time.perf_counter()
    prepare_torch()
    import torch

    import_transformers()
    import transformers
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    config = read_json(folder / "config.json")
    architecture = find_architecture(config)
    has_head = {
        "base": True,
        "masked-lm": config["model_type"] in MODEL_FOR_MASKED_LM_MAPPING_NAMES,
        "causal-lm": architecture == "decoder",
        "seq2seq-lm": architecture == "seq2seq",
    }
    if not has_head[head]:
        raise ModelUnavailable(NO_HEAD[head], source=source)
    kind = {
        "base": transformers.AutoModel,
        "masked-lm": transformers.AutoModelForMaskedLM,
        "causal-lm": transformers.AutoModelForCausalLM,
        "seq2seq-lm": transformers.AutoModelForSeq2SeqLM,
    }[head]
    tokenizer = load_tokenizer(str(folder), allow_download=False)
    with telling_unreadable(source):
        model, report = kind.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32,  # files may hold half precision, which a CPU computes slowly
            attn_implementation="eager",  # the only one that hands out its attention (transformers 5)
            output_loading_info=True,
        )
    # Whatever the file did not hold is random now. Only a pooler may be: nothing here uses it.
    random = [name for name in report["missing_keys"] if "pooler" not in name]
    if random:
        # What a bare model lacks has no prefix; the parts of an encoder-decoder have one each.
        in_body = head in ("base", "seq2seq-lm") or any(n.startswith(model.base_model_prefix + ".") for n in random)
        raise ModelUnavailable("error.model.unreadable" if in_body else NO_HEAD[head], source=source)
    model.eval().requires_grad_(False)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    megabytes, seconds = parameters * 4 / 1e6, time.perf_counter() - started
    return LoadedModel(source, architecture, head, model, tokenizer, parameters, megabytes, seconds)
