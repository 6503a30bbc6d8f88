"""The slow libraries, imported when first needed and by one thread at a time."""

from __future__ import annotations

import threading
from collections.abc import Collection

_IMPORTING = threading.Lock()


def import_transformers() -> None:
    """Import what the app uses of transformers before any thread asks for a part of it.

    The library resolves its names lazily, and two threads that do so at once can find one missing: a visitor who comes
    while the defaults are still being drawn would meet an ImportError.
    """
    with _IMPORTING:
        from transformers import (  # noqa: F401
            AutoConfig,
            AutoModel,
            AutoModelForCausalLM,
            AutoModelForMaskedLM,
            AutoModelForSeq2SeqLM,
            AutoModelForSequenceClassification,
            AutoTokenizer,
            BertTokenizer,
        )


def list_model_types() -> Collection[str]:
    """The types of model that transformers knows, without torch, which `configuration_auto` would import."""
    with _IMPORTING:
        from transformers.models.auto.auto_mappings import CONFIG_MAPPING_NAMES
    return CONFIG_MAPPING_NAMES
