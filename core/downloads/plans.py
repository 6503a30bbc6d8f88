"""What has to be fetched before a model can be used: asked of the Hub, and checked, before a weight travels."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from core import query as queries
from core.downloads.pins import BRANCH, find_pin
from core.errors import ModelUnavailable
from core.models.loading import IGNORED_FILES, PICKLES, WORD_FILES, check_repository, model_files, telling_by_key
from core.presets import DECODERS, ENCODERS, HEADS, MODELS, SEQ2SEQ, TOKENIZERS, Preset, ids, is_own, is_path
from core.text.tokenizers import VOCABULARY_FILES, holds_tokenizer

Purpose = Literal["tokenizer", "encoder", "decoder", "seq2seq", "model", "task"]

SHELVES: Mapping[Purpose, tuple[Preset, ...]] = MappingProxyType(
    {
        "tokenizer": TOKENIZERS,
        "encoder": ENCODERS,
        "decoder": DECODERS,
        "seq2seq": SEQ2SEQ,
        "model": MODELS,
        "task": HEADS,
    }
)
TOKENIZER_BYTES = 200_000_000  # more is no tokenizer
SPARE_BYTES = 500_000_000  # of the disk, which stay free


@dataclass(frozen=True, slots=True)
class Wanted:
    """A model or tokenizer of the Hub by its id, and what it is for, which decides the files that are needed.

    `newer`: the commit that its branch points at now, not the one that this machine uses.
    """

    source: str
    purpose: Purpose
    newer: bool = False

    @property
    def preset(self) -> Preset | None:
        """Its row in the catalogue."""
        return next((preset for preset in SHELVES[self.purpose] if preset.source == self.source), None)

    @property
    def branch(self) -> str:
        """The branch that is followed, or the commit that the catalogue names."""
        return self.preset.revision if self.preset else BRANCH

    @property
    def revision(self) -> str:
        """What is asked of the Hub: the commit that this machine uses, before there is one its branch."""
        return self.branch if self.newer else self.pin or self.branch

    @property
    def pin(self) -> str | None:
        """The commit that this machine uses; None before it was fetched."""
        return find_pin(self.source, self.branch)

    @property
    def patterns(self) -> tuple[str, ...]:
        """The files that are taken; a pickle only where the catalogue says that there is nothing else."""
        if self.purpose == "tokenizer":
            return WORD_FILES
        return model_files(allow_pickle=self.preset is not None and self.preset.pickled)

    @property
    def selection(self) -> dict[str, Any]:
        """What is asked of `huggingface_hub.snapshot_download`."""
        return {
            "repo_id": self.source,
            "revision": self.revision,
            "allow_patterns": list(self.patterns),
            "ignore_patterns": list(IGNORED_FILES),
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """A download: of what, how many bytes of it are not here yet, and at which commit."""

    wanted: Wanted
    bytes: int
    commit: str


def find_shelf(options: Sequence[str]) -> Purpose | None:
    """What a choice of these is for: the first shelf that all of them stand on; None for no choice of models."""
    shelves = (purpose for purpose, presets in SHELVES.items() if set(options) <= set(ids(presets)))
    return next(shelves, None) if options else None


def find_wanted(query: queries.Query) -> dict[str, list[Wanted]]:
    """The models of the Hub that a query names, by field; what each is for says the shelf that its field offers."""
    wanted: dict[str, list[Wanted]] = {}
    for name in queries.names(type(query)):
        if purpose := find_shelf(queries.bounds(type(query), name).options):
            bundled, value = {preset.id for preset in SHELVES[purpose] if preset.bundled}, getattr(query, name)
            for source in dict.fromkeys(value if isinstance(value, tuple) else (value,)):
                if source not in bundled and not is_path(source) and not is_own(source):
                    wanted.setdefault(name, []).append(Wanted(source, purpose))
    return wanted


def is_here(wanted: Wanted) -> bool:
    """Whether what the cache holds of it can be loaded: a vocabulary and weights; the network is not asked."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(**wanted.selection, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return False
    weights = (*folder.glob("*.safetensors"), *(folder / name for name in PICKLES if name in wanted.patterns))
    return holds_tokenizer(folder) and (wanted.purpose == "tokenizer" or any(path.is_file() for path in weights))


def make_plan(wanted: Wanted) -> Plan:
    """Ask the Hub what is missing here.

    Raises:
        ModelUnavailable: unknown, gated, no model, no tokenizer, not loadable safely, too large, or the Hub cannot be
            reached.
        ServiceError: the Hub refused for a reason of its own.
    """
    from huggingface_hub import HfApi, is_offline_mode, snapshot_download
    from huggingface_hub.errors import DryRunError

    if is_offline_mode():
        raise ModelUnavailable("error.model.offline", source=wanted.source)
    with telling_by_key(wanted.source):
        # From here on everything is of one commit, however the branch moves.
        commit = str(HfApi().model_info(wanted.source, revision=wanted.revision).sha)
        if wanted.purpose != "tokenizer":
            check_repository(
                wanted.source,
                commit,
                allow_pickle=any(name in wanted.patterns for name in PICKLES),
                encoders_only=wanted.purpose == "encoder",
            )
        try:
            files = snapshot_download(**wanted.selection | {"revision": commit}, dry_run=True)
        except DryRunError as error:  # of whatever kept the client from listing the files
            raise error.__cause__ or error from None
    if not {file.filename for file in files} & set(VOCABULARY_FILES):
        raise ModelUnavailable("error.model.no_tokenizer", source=wanted.source)
    missing = sum(file.file_size or 0 for file in files if file.will_download)
    if wanted.purpose == "tokenizer" and missing > TOKENIZER_BYTES:
        raise ModelUnavailable(
            "error.model.too_large",
            source=wanted.source,
            megabytes=missing // 10**6,
            limit=TOKENIZER_BYTES // 10**6,
        )
    return Plan(wanted, missing, commit)


def require_disk(plans: tuple[Plan, ...]) -> None:
    """Check that what has to be fetched fits onto the disk of the cache.

    Raises:
        ModelUnavailable: it does not.
    """
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE).absolute()
    place = next(path for path in (cache, *cache.parents) if path.exists())
    needed, free = sum(plan.bytes for plan in plans), shutil.disk_usage(place).free - SPARE_BYTES
    if needed and needed > free:
        sources = ", ".join(plan.wanted.source for plan in plans)
        raise ModelUnavailable(
            "error.model.no_disk", source=sources, megabytes=needed // 10**6, free=max(free, 0) // 10**6
        )
