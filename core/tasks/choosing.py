"""Encoders that choose among a varying number of choices."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig
from transformers.modeling_outputs import MultipleChoiceModelOutput
from transformers.models.auto.modeling_auto import MODEL_FOR_MULTIPLE_CHOICE_MAPPING


class _RaggedChoices:
    """A multiple-choice model that is told which choices are there: the others get no probability.

    Stands before one of transformers' ``…ForMultipleChoice`` classes and under its name: what it saves, theirs loads.
    """

    def forward(
        self,
        input_ids: Tensor | None = None,  # (B, C, T)
        attention_mask: Tensor | None = None,  # (B, C, T)
        token_type_ids: Tensor | None = None,  # (B, C, T)
        choice_mask: Tensor | None = None,  # (B, C), 0 where a question has no such choice
        labels: Tensor | None = None,  # (B,)
        **others: Any,
    ) -> MultipleChoiceModelOutput:
        """Logits (B, C), and the mean cross entropy where there are labels."""
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids}
        given = {name: value for name, value in (inputs | others).items() if value is not None}
        outputs: MultipleChoiceModelOutput = super().forward(**given)  # type: ignore[misc]  # the class it stands before
        logits = outputs.logits
        assert logits is not None
        if choice_mask is not None:
            logits = logits.masked_fill(choice_mask == 0, -torch.inf)
        loss = None if labels is None else nn.functional.cross_entropy(logits.float(), labels)
        return MultipleChoiceModelOutput(
            loss=loss, logits=logits, hidden_states=outputs.hidden_states, attentions=outputs.attentions
        )


def find_choosing_class(config: PretrainedConfig) -> Any:
    """The class for this kind of model.

    Raises:
        ValueError: transformers has no multiple-choice head for it.
    """
    kind: Any = type(config)
    return _make_class(kind)


@cache
def _make_class(kind: Any) -> Any:
    try:
        base: Any = MODEL_FOR_MULTIPLE_CHOICE_MAPPING[kind]
    except KeyError:
        raise ValueError(f"{kind.__name__} has no multiple-choice head") from None
    return type(base.__name__, (_RaggedChoices, base), {"__module__": __name__, "__doc__": _RaggedChoices.__doc__})
