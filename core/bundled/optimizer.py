"""Muon for the matrices inside a model, AdamW for everything else: fewer steps to the same loss when steps are dear."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch.nn import Parameter
from torch.optim import AdamW, Muon, Optimizer
from torch.overrides import TorchFunctionMode
from transformers import PreTrainedModel

from core.bundled.pretraining import has_fast_bf16

OUTSIDE = (
    "embed",
    "lm_head",
    "shared",
    "predictions",
    "relative_attention_bias",
)  # parts of names: what meets the vocabulary


class SinglePrecision(TorchFunctionMode):
    """Let torch's Muon compute in float32 what it would compute in bf16, which some CPUs only imitate."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Replace the one conversion; everything else as it is."""
        if func is torch.Tensor.bfloat16:
            return args[0].to(torch.float32, copy=True)
        return func(*args, **(kwargs or {}))


class MuonWithAdamW(Optimizer):
    """Two optimizers behind one interface, with one learning rate for both.

    Muon's update is scaled to the size AdamW's has ("match_rms_adamw"), so one schedule serves both.
    Sources: Jordan et al. 2024 (Muon); Liu et al. 2025, "Muon is scalable for LLM training" (the scaling).
    """

    def __init__(self, model: PreTrainedModel, *, learning_rate: float, weight_decay: float) -> None:
        matrices: list[Parameter] = []
        others: list[Parameter] = []
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad:
                continue
            inside = parameter.ndim == 2 and not any(part in name for part in OUTSIDE)
            (matrices if inside else others).append(parameter)
        self.parts: tuple[Optimizer, Optimizer] = (
            Muon(matrices, lr=learning_rate, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"),
            AdamW(others, lr=learning_rate, weight_decay=weight_decay, betas=(0.9, 0.98), fused=True),
        )
        super().__init__([{"params": [parameter]} for parameter in (*matrices, *others)], {})
        self._take_groups()

    def _take_groups(self) -> None:
        # The parts' own groups, not copies: a scheduler that changes a learning rate here changes it there.
        self.param_groups = [group for part in self.parts for group in part.param_groups]

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Let both parts take their step."""
        with nullcontext() if has_fast_bf16() else SinglePrecision():
            for part in self.parts:
                part.step()

    def state_dict(self) -> dict[str, Any]:
        """The states of both parts."""
        return {"muon": self.parts[0].state_dict(), "adamw": self.parts[1].state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore both parts."""
        self.parts[0].load_state_dict(state_dict["muon"])
        self.parts[1].load_state_dict(state_dict["adamw"])
        self._take_groups()
