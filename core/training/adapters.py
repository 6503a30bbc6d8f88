"""LoRA (Hu et al. 2021; book 5.5.4) by peft: small matrices beside frozen ones, merged into them at the end."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import InvalidInput
from core.models.loading import list_shards
from core.training.config import LoraSettings

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

# Models whose output layer was trained with the rest of them: with LoRA it stays as it is.
PRETRAINED_HEADS = ("ForMaskedLM", "ForCausalLM", "LMHeadModel", "ForConditionalGeneration", "ForPreTraining")


def add_adapters(model: PreTrainedModel, settings: LoraSettings, *, folder: str) -> PeftModel:
    """`model` with adapters on `settings.targets`; only they and what is new in the model will train.

    `folder` is where the model came from: what its files do not hold (a new head, a pooler) is new and trains in full.

    Raises:
        InvalidInput: nothing in the model is called so, or peft does not know the architecture's own targets.
    """
    from peft import LoraConfig, get_peft_model

    new = find_new_modules(model, folder=folder)
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=list(settings.targets) or None,
        modules_to_save=list(new) or None,
    )
    try:
        with warnings.catch_warnings():
            # peft 0.21 asks the model by a name that transformers 5 is about to drop.
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
            return get_peft_model(model, config)
    except ValueError as error:
        wanted = ", ".join(settings.targets) or str(model.config.model_type)
        raise InvalidInput("error.training.lora_targets", targets=wanted, names=_linear_names(model)) from error


def find_new_modules(model: PreTrainedModel, *, folder: str) -> tuple[str, ...]:
    """The modules that start from random numbers, and the head of a model that was trained for a task before."""
    from torch import nn

    own: tuple[str, ...] | None = getattr(type(model), "new_modules", None)
    if own is not None:  # a model that has its base twice says it itself
        return own
    stored = _stored_names(Path(folder))
    tied: frozenset[str] = frozenset(vars(model).get("all_tied_weights_keys") or ())
    missing = {name for name, _ in model.named_parameters() if name not in tied and not _is_stored(name, stored, model)}
    new = {name.rpartition(".")[0] for name in missing}
    if not type(model).__name__.endswith(PRETRAINED_HEADS):
        base = model.base_model_prefix
        has_base = any(name == base for name, _ in model.named_children())
        new |= {
            name
            for name, child in model.named_children()
            if has_base and name != base and any(True for _ in child.parameters())
        }
    modules = dict(model.named_modules())
    # peft wraps modules, not lone parameters; a module inside another new one goes with it.
    named = sorted(name for name in new if name and isinstance(modules.get(name), nn.Module))
    return tuple(name for name in named if not any(name.startswith(f"{other}.") for other in named))


def _stored_names(folder: Path) -> frozenset[str]:
    from safetensors import safe_open

    names: set[str] = set()
    for path in list_shards(folder) or folder.glob("*.safetensors"):
        with safe_open(path, framework="numpy") as file:
            names |= set(file.keys())
    return frozenset(names)


def _is_stored(name: str, stored: frozenset[str], model: PreTrainedModel) -> bool:
    """Whether a parameter lies in the file, with or without the prefix that only the model with a head has."""
    bare = name.removeprefix(f"{model.base_model_prefix}.")
    return bool({name, bare, f"{model.base_model_prefix}.{name}"} & stored)


def _linear_names(model: PreTrainedModel) -> str:
    from torch import nn

    names = {name.rpartition(".")[2] for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    return ", ".join(sorted(names))
