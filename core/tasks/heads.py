"""Encoders with a head for a task: one that has learned this very task is kept, any other makes room for a new one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import ModelUnavailable
from core.libraries import import_transformers

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel


def load_classifier(folder: str, labels: Sequence[str]) -> PreTrainedModel:
    """A sequence classifier in float32 with one output per label, in this order.

    Raises:
        ModelUnavailable: ``error.model.unreadable``.
    """
    import_transformers()
    from transformers import AutoModelForSequenceClassification

    config = read_config(folder)
    names = [name for _, name in sorted((config.id2label or {}).items(), key=lambda item: int(item[0]))]
    trained = _has_head(config, "ForSequenceClassification") and not _is_regression(config)
    kept = trained and names == list(labels)
    config.num_labels = len(labels)
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: index for index, label in enumerate(labels)}
    config.problem_type = "single_label_classification"
    return load_with_head(AutoModelForSequenceClassification, folder, config, kept=kept)


def load_regressor(folder: str) -> PreTrainedModel:
    """A sequence classifier in float32 with one output, trained by squared error.

    Raises:
        ModelUnavailable: ``error.model.unreadable``.
    """
    import_transformers()
    from transformers import AutoModelForSequenceClassification

    config = read_config(folder)
    kept = _has_head(config, "ForSequenceClassification") and _is_regression(config)
    config.num_labels = 1
    config.id2label = {0: "score"}
    config.label2id = {"score": 0}
    config.problem_type = "regression"
    return load_with_head(AutoModelForSequenceClassification, folder, config, kept=kept)


def load_chooser(folder: str) -> PreTrainedModel:
    """A multiple-choice model in float32 that can leave out choices.

    Raises:
        ModelUnavailable: ``error.model.unreadable``, ``error.model.unsupported``.
    """
    config = read_config(folder)
    from core.tasks.choosing import find_choosing_class

    try:
        head = find_choosing_class(config)
    except ValueError as error:
        raise ModelUnavailable("error.model.unsupported", source=Path(folder).name, type=config.model_type) from error
    return load_with_head(head, folder, config, kept=_has_head(config, "ForMultipleChoice"))


def load_with_head(head: Any, folder: str, config: PretrainedConfig, *, kept: bool) -> PreTrainedModel:
    """A model of the class `head` (or what an Auto class finds) in float32: whole, or its encoder under a new head.

    Raises:
        ModelUnavailable: ``error.model.unreadable``, ``error.model.unsupported`` (no such head for this kind of model).
    """
    import torch
    from transformers import AutoModel

    try:
        if kept:
            return head.from_pretrained(folder, config=config, dtype=torch.float32)
        # Two heads can have the same shape and mean different things, so the old one is never even read.
        encoder = AutoModel.from_pretrained(folder, config=config, dtype=torch.float32)
        model = (
            head.from_config(config, dtype=torch.float32)
            if hasattr(head, "from_config")
            else head._from_config(config, dtype=torch.float32)
        )
        # Not strict: some heads leave out the encoder's pooling layer.
        model.base_model.load_state_dict(encoder.state_dict(), strict=False)
    except ValueError as error:
        raise ModelUnavailable("error.model.unsupported", source=Path(folder).name, type=config.model_type) from error
    except Exception as error:  # broken files raise anything
        raise ModelUnavailable("error.model.unreadable", source=Path(folder).name) from error
    return model


def read_config(folder: str) -> PretrainedConfig:
    """The model's configuration.

    Raises:
        ModelUnavailable: ``error.model.unreadable``.
    """
    import_transformers()
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # broken files raise anything
        raise ModelUnavailable("error.model.unreadable", source=Path(folder).name) from error


def _has_head(config: PretrainedConfig, ending: str) -> bool:
    return any(name.endswith(ending) for name in config.architectures or ())


def _is_regression(config: PretrainedConfig) -> bool:
    return config.problem_type == "regression" or config.num_labels == 1
