"""The catalogue of models and tokenizers the app offers by name: bundled ones, and the book's on the Hub."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.errors import InvalidInput, NotAllowedHere
from core.settings import ROOT, Limits

Task = Literal[
    "tokenizer", "masked-lm", "causal-lm", "seq2seq",
    "classification", "pair-classification", "similarity", "multiple-choice", "tagging", "tagging-crf", "simcse",
    "simcse-supervised", "headline",
]  # fmt: skip


@dataclass(frozen=True)
class Preset:
    """One row: `megabytes` on disk, `source` a path below the project (bundled) or a Hub id.

    `pickled`: its weights are published as a pickle only, of which nothing but tensors is read.
    """

    id: str
    source: str
    task: Task
    megabytes: float
    licence: str
    bundled: bool = False
    revision: str = "main"
    pickled: bool = False


OWN = "mine:"  # begins the name of what lies in a visitor's workspace, where a model could be named too

# Models that have learned nothing but to predict tokens.
ENCODERS = (
    Preset("encoder", "encoder", "masked-lm", 13, "CC BY-SA 4.0", bundled=True),
    Preset("tohoku-nlp/bert-base-japanese-v3", "tohoku-nlp/bert-base-japanese-v3", "masked-lm", 447, "Apache-2.0"),
)
# The book's own decoder (abeja/gpt2-large-japanese, 3 GB) is more than the app keeps in memory.
DECODERS = (Preset("decoder", "decoder", "causal-lm", 13, "CC BY-SA 4.0", bundled=True),)
SEQ2SEQ = (Preset("seq2seq", "seq2seq", "seq2seq", 20, "CC BY-SA 4.0", bundled=True),)
MODELS = (*ENCODERS, *DECODERS, *SEQ2SEQ)

# The book's own models (0.2) by task, with their megabytes.
_BOOK: tuple[tuple[str, Task, float], ...] = (
    ("llm-book/bert-base-japanese-v3-marc_ja", "classification", 445),
    ("llm-book/bert-base-japanese-v3-wrime-sentiment", "classification", 445),
    ("llm-book/bert-base-japanese-v3-jnli", "pair-classification", 445),
    ("llm-book/bert-base-japanese-v3-jsts", "similarity", 445),
    ("llm-book/bert-base-japanese-v3-unsup-simcse-jawiki", "simcse", 445),
    ("llm-book/bert-base-japanese-v3-ner-wikipedia-dataset", "tagging", 443),
    ("llm-book/t5-base-long-livedoor-news-corpus", "headline", 990),
)

# Models that have learned a task: those of `core.bundled.heads` that a page offers, and the book's of the same tasks.
HEADS = (
    Preset("sentiment", "sentiment", "classification", 6.8, "CC BY-SA 4.0", bundled=True),
    Preset("inference", "inference", "pair-classification", 6.8, "CC BY-SA 4.0", bundled=True),
    Preset("similarity", "similarity", "similarity", 6.8, "CC BY-SA 4.0", bundled=True),
    Preset("simcse", "simcse", "simcse", 6.8, "CC BY-SA 4.0", bundled=True),
    Preset("simcse-supervised", "simcse-supervised", "simcse-supervised", 6.8, "CC BY-SA 4.0", bundled=True),
    Preset("choice", "choice", "multiple-choice", 1.8, "CC BY-SA 4.0", bundled=True),
    Preset("tagging", "tagging", "tagging", 6.8, "CC BY-SA 4.0", bundled=True),
    Preset("tagging-crf", "tagging-crf", "tagging-crf", 6.8, "CC BY-SA 4.0", bundled=True),
    Preset("headline", "headline", "headline", 8.6, "CC BY-SA 4.0", bundled=True),
    *(Preset(name, name, task, megabytes, "Apache-2.0", pickled=True) for name, task, megabytes in _BOOK),
)

TOKENIZERS = (
    Preset("wordpiece", "encoder", "tokenizer", 0.2, "CC BY-SA 4.0", bundled=True),
    Preset("bpe", "../tokenizers/bpe", "tokenizer", 0.5, "CC BY-SA 4.0", bundled=True),
    Preset("unigram", "../tokenizers/unigram", "tokenizer", 0.4, "CC BY-SA 4.0", bundled=True),
    Preset("tohoku-nlp/bert-base-japanese-v3", "tohoku-nlp/bert-base-japanese-v3", "tokenizer", 0.3, "Apache-2.0"),
    Preset("bert-base-multilingual-cased", "bert-base-multilingual-cased", "tokenizer", 2.0, "Apache-2.0"),
    Preset("xlm-roberta-base", "xlm-roberta-base", "tokenizer", 9.1, "MIT"),
    Preset("abeja/gpt2-large-japanese", "abeja/gpt2-large-japanese", "tokenizer", 0.8, "MIT"),
    Preset("retrieva-jp/t5-base-long", "retrieva-jp/t5-base-long", "tokenizer", 0.8, "CC BY-SA 4.0"),
)


def ids(presets: tuple[Preset, ...]) -> tuple[str, ...]:
    """What a picker offers."""
    return tuple(preset.id for preset in presets)


def locate(name: str, presets: tuple[Preset, ...]) -> str:
    """The folder or Hub id behind a preset's id, an id of the Hub, or a folder of this machine.

    Raises:
        InvalidInput: `name` has not the form of any of them.
    """
    preset = next((p for p in presets if p.id == name), None)
    if preset:
        return str((models_folder() / preset.source).resolve()) if preset.bundled else preset.source
    if "/" not in name and not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise InvalidInput("error.model.name", name=name)
    return name


def is_own(name: str) -> bool:
    """Whether it names something that a visitor brought: see `core.analysis.sources`."""
    return name.startswith(OWN)


def is_path(name: str) -> bool:
    """Whether a model is named by a place on this machine's disk."""
    return Path(name).is_absolute() or name.startswith((".", "~"))


def permit(name: str, presets: tuple[Preset, ...], limits: Limits) -> None:
    """Check that this mode lets a visitor name `name` as a model.

    Raises:
        NotAllowedHere: the mode offers the catalogue only, no folders of the machine, or no pickles.
    """
    if any(preset.id == name and preset.pickled for preset in presets) and not limits.pickles:
        raise NotAllowedHere("error.model.pickle_not_here", name=name)
    if name in ids(presets) or is_own(name):
        return
    if is_path(name):
        if not limits.local_folders:
            raise NotAllowedHere("error.model.folder_not_here")
    elif not limits.hub_models:
        raise NotAllowedHere("error.model.hub_not_here", name=name)


def models_folder() -> Path:
    """Where the bundled models lie: the setting ``--models``, which `app.py` hands on as its variable."""
    return Path(os.environ.get("LAB_MODELS", ROOT / "assets" / "models"))
