"""The tokenizers visitors name: opening one, naming it on the page and in a script."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from types import MappingProxyType

from core.i18n import Locale, translate
from core.presets import TOKENIZERS, ids, locate
from core.text.tokenizers import SubwordTokenizer, load_tokenizer

DEFAULT = "wordpiece"
OFFERED = ids(TOKENIZERS)
BUNDLED: Mapping[str, str] = MappingProxyType(
    {preset.id: posixpath.normpath(f"assets/models/{preset.source}") for preset in TOKENIZERS if preset.bundled}
)


def open_tokenizer(name: str) -> SubwordTokenizer:
    """The tokenizer behind a preset's id, an id of the Hub whose files are on this disk, or a folder.

    Raises:
        InvalidInput: `name` is no name at all.
        ModelUnavailable: as `core.text.tokenizers.load_tokenizer`.
    """
    return load_tokenizer(locate(name, TOKENIZERS))


def label(name: str, locale: Locale) -> str:
    """What the page calls it."""
    return translate(f"model.{name}", locale) if name in BUNDLED else name


def path_in_script(name: str) -> str:
    """What `from_pretrained` is given in a script that runs in the project's folder."""
    return BUNDLED.get(name, name)
