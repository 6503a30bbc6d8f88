"""Tokenizers from a folder or the Hub, shared and read-only: never remote code, never a pickle."""

from __future__ import annotations

import functools
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import ModelUnavailable
from core.libraries import import_transformers
from core.text.types import Family

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)
VOCABULARY_FILES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "spiece.model",
    "tokenizer.model",
    "sentencepiece.model",
    "sentencepiece.bpe.model",
)
_KEPT = 8  # a tokenizer with a large vocabulary takes some 100 MB


@dataclass(frozen=True, eq=False)
class SubwordTokenizer:
    """A loaded tokenizer.

    ``model`` is transformers' own object. ``fast`` is a private copy of its Rust tokenizer without truncation and
    padding, safe to use from several threads; None for the MeCab-based family, whose Python parts need ``lock``.
    """

    source: str
    family: Family
    model: Any = field(repr=False)
    fast: Any = field(repr=False)
    lock: Any = field(repr=False, default_factory=threading.Lock)

    @functools.cached_property
    def special_ids(self) -> frozenset[int]:
        """Ids of the special tokens, the unknown token not among them."""
        return frozenset(self.model.all_special_ids) - {self.unknown_id}

    @functools.cached_property
    def unknown_id(self) -> int | None:
        """Id of the unknown token; None when every text can be written (byte-level)."""
        unknown = self.model.unk_token_id
        # GPT-2 and its like name an ordinary special token here, which the algorithm itself never emits.
        return None if unknown is None or self.family == "byte-bpe" else int(unknown)

    @functools.cached_property
    def pieces(self) -> tuple[str, ...]:
        """The vocabulary by id (an empty string for an id that nothing has)."""
        vocabulary = self.model.get_vocab()
        by_id = [""] * (max(vocabulary.values()) + 1)
        for piece, number in vocabulary.items():
            by_id[number] = piece
        return tuple(by_id)

    @functools.cached_property
    def added(self) -> frozenset[int]:
        """Ids of the tokens that are matched verbatim before anything else."""
        return frozenset(self.model.added_tokens_decoder)

    @functools.cached_property
    def configuration(self) -> dict[str, Any]:
        """What a ``tokenizer.json`` holds (normalizer, pre_tokenizer, model, …); empty for the MeCab-based family."""
        return json.loads(self.fast.to_str()) if self.fast else {}


def load_tokenizer(source: str, *, allow_download: bool = False) -> SubwordTokenizer:
    """Load the tokenizer of a folder or of a Hub repository.

    Args:
        source: an existing folder, or a Hub id such as ``tohoku-nlp/bert-base-japanese-v3``.
        allow_download: whether the Hub may be asked; otherwise only what lies in the local cache is used.

    Raises:
        ModelUnavailable: ``error.model.unknown`` (no such folder or repository), ``.not_downloaded`` (not cached, and
            the Hub may not be asked), ``.offline`` (not cached and not reachable), ``.no_tokenizer`` (the folder holds
            none), ``.remote_code`` (it would run code of its author), ``.gated`` (needs an account), ``.unreadable``
            (broken files), ``.unsupported_tokenizer`` (a kind that cannot say which characters its tokens cover); each
            with ``source``.
    """
    folder = Path(source).expanduser()
    if source.strip() and folder.is_dir():
        stamps = sorted((entry.name, entry.stat().st_mtime_ns) for entry in folder.iterdir() if entry.is_file())
        return _load(str(folder.resolve()), source, False, tuple(stamps))
    if not _HUB_ID.fullmatch(source) or ".." in source:
        raise ModelUnavailable("error.model.unknown", source=source)
    return _load(source, source, allow_download, ())


@functools.lru_cache(maxsize=_KEPT)
def _load(location: str, source: str, allow_download: bool, stamps: tuple[tuple[str, int], ...]) -> SubwordTokenizer:
    """Load once per location and state of its files (``stamps``: names and times; empty for the Hub)."""
    if stamps or Path(location).is_dir():
        _check_folder(Path(location), source)
    model = _from_pretrained(location, source, allow_download)
    fast = getattr(model, "backend_tokenizer", None) if getattr(model, "is_fast", False) else None
    if fast is not None:
        return SubwordTokenizer(source, _family(json.loads(fast.to_str())), model, _private_copy(fast))
    return SubwordTokenizer(source, _japanese_family(model, source), model, None)


def _check_folder(folder: Path, source: str) -> None:
    for name in ("tokenizer_config.json", "config.json"):
        if (folder / name).is_file():
            try:
                configuration = json.loads((folder / name).read_text(encoding="utf-8"))
            except ValueError:
                raise ModelUnavailable("error.model.unreadable", source=source) from None
            if isinstance(configuration, dict) and "AutoTokenizer" in (configuration.get("auto_map") or {}):
                raise ModelUnavailable("error.model.remote_code", source=source)
    if not holds_tokenizer(folder):
        raise ModelUnavailable("error.model.no_tokenizer", source=source)


def holds_tokenizer(folder: Path) -> bool:
    """Whether one of the files lies there that hold a vocabulary."""
    return any((folder / name).is_file() for name in VOCABULARY_FILES)


def _is_cached(repository: str) -> bool:
    """Whether the Hub's cache on this disk holds a vocabulary of it, not just the files that a model left there."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        return any(isinstance(try_to_load_from_cache(repository, name), str) for name in VOCABULARY_FILES)
    except HFValidationError:
        return True  # which the library will say in words of its own


def _from_pretrained(location: str, source: str, allow_download: bool) -> Any:
    from huggingface_hub import is_offline_mode
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    import_transformers()
    from transformers import AutoTokenizer

    if not (allow_download or Path(location).is_dir() or _is_cached(location)):
        key = "error.model.offline" if is_offline_mode() else "error.model.not_downloaded"
        raise ModelUnavailable(key, source=source)
    try:
        return AutoTokenizer.from_pretrained(location, trust_remote_code=False, local_files_only=not allow_download)
    except Exception as error:  # broken files raise anything
        causes = tuple(_causes(error))
        if "trust_remote_code" in str(error):
            key = "error.model.remote_code"
        elif any(isinstance(cause, GatedRepoError) for cause in causes):
            key = "error.model.gated"
        elif any(isinstance(cause, RepositoryNotFoundError | HFValidationError) for cause in causes):
            key = "error.model.unknown"
        elif Path(location).is_dir():
            key = "error.model.unreadable"
        elif any(isinstance(cause, LocalEntryNotFoundError | ConnectionError | TimeoutError) for cause in causes):
            key = "error.model.offline" if allow_download or is_offline_mode() else "error.model.not_downloaded"
        else:
            key = "error.model.no_tokenizer"
        raise ModelUnavailable(key, source=source) from error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _private_copy(fast: Any) -> Any:
    """A copy that neither truncates nor pads, and whose offsets include the white space a token holds."""
    from tokenizers import Tokenizer

    state = json.loads(fast.to_str())
    state["truncation"] = state["padding"] = None

    def keep_spaces(node: Any) -> None:
        if isinstance(node, dict):
            if "trim_offsets" in node:
                node["trim_offsets"] = False
            for child in node.values():
                keep_spaces(child)
        elif isinstance(node, list):
            for child in node:
                keep_spaces(child)

    keep_spaces(state["post_processor"])
    return Tokenizer.from_str(json.dumps(state))


def _family(state: dict[str, Any]) -> Family:
    kind = state["model"]["type"]
    if kind == "WordPiece":
        return "wordpiece"
    if kind == "Unigram":
        return "unigram"
    if kind == "BPE":
        parts = json.dumps([state["pre_tokenizer"], state["decoder"]])
        return "byte-bpe" if '"ByteLevel"' in parts else "bpe"
    return "word-level"


def _japanese_family(model: Any, source: str) -> Family:
    """MeCab first, then WordPiece or characters; other Python tokenizers cannot tell what a token covers."""
    if type(model).__name__ == "BertJapaneseTokenizer" and model.do_word_tokenize and model.do_subword_tokenize:
        cut = (model.word_tokenizer_type, model.subword_tokenizer_type)
        if cut == ("mecab", "wordpiece"):
            return "mecab-wordpiece"
        if cut == ("mecab", "character"):
            return "mecab-character"
    raise ModelUnavailable("error.model.unsupported_tokenizer", source=source)
