"""The model of binary passage retrieval: two encoders, and a hash layer that hardens while it learns (book 9.4.3)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from core.search.hashing import hash_sharpness
from core.tasks.encoders import build_encoder, flatten_views, gather_rows, load_encoder
from core.tasks.heads import read_config

MARGIN = 0.1


class HashLayer(nn.Module):
    """From real vectors to hashes: tanh(β · x) in training, where β grows with every call; the sign in evaluation.

    ``step`` counts the calls in training and is kept with the weights: a resumed run goes on as sharp as it was.
    """

    step: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    def forward(self, questions: Tensor, passages: Tensor) -> tuple[Tensor, Tensor]:
        """Both sides of one forward pass, of any shapes."""
        if not self.training:
            return sign(questions), sign(passages)
        sharpness = hash_sharpness(self.step.to(torch.float32))
        self.step += 1
        return torch.tanh(sharpness * questions), torch.tanh(sharpness * passages)


def sign(vectors: Tensor) -> Tensor:
    """+1 from 0 on upwards, else −1."""
    return torch.where(vectors >= 0, 1.0, -1.0)


class BinaryPassageRetriever(PreTrainedModel):
    """A question encoder and a passage encoder, trained so that bits of passages find the answer.

    The [CLS] vector x of a text is hashed by tanh(β · x) in training, where β grows with the number of forward passes
    (see `HashLayer`), and by its sign in evaluation, +1 from 0 on. Candidates are found by the
    hashes of both sides, then ordered by the real question vector against the passages' hashes; the loss has a part for
    each. With ``config.shared_encoder`` one encoder serves both sides.

    Source: Yamada, Asai and Hajishirzi 2021 (BPR).
    """

    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True
    new_modules = ("hash_layer",)  # what no base model brings; adapters leave the rest as it is

    def __init__(self, config: PretrainedConfig) -> None:
        super().__init__(config)
        encoder = build_encoder(config)
        # Under the name that its kind has in every other model, so that any of them can load it.
        self.base_model_prefix = encoder.base_model_prefix
        setattr(self, self.base_model_prefix, encoder)
        if not config.shared_encoder:
            self.own_passage_encoder = build_encoder(config)
        self.hash_layer = HashLayer()
        self.post_init()

    @property
    def question_encoder(self) -> nn.Module:
        """The encoder of questions, and of passages too when they share one."""
        return self.base_model

    @property
    def passage_encoder(self) -> nn.Module:
        """The encoder of passages: its own, or the questions' when they share one."""
        return self.question_encoder if self.config.shared_encoder else self.own_passage_encoder

    def forward(
        self,
        input_ids: Tensor,  # (B, T) questions
        attention_mask: Tensor,  # (B, T)
        passage_input_ids: Tensor,  # (B, 2, P): the positive, a hard negative
        passage_attention_mask: Tensor,  # (B, 2, P)
        passage_keys: Tensor,  # (B, 2): equal for equal passages, 0 where there is none
        token_type_ids: Tensor | None = None,  # (B, T)
        passage_token_type_ids: Tensor | None = None,  # (B, 2, P)
    ) -> dict[str, Tensor]:
        """``loss`` (nats and margins), and its parts ``candidate_loss`` and ``rerank_loss``.

        While training on several processes the passages of all of them are candidates.
        """
        questions = self.question_vectors(input_ids, attention_mask, token_type_ids)  # (B, D)
        flat = flatten_views(
            {
                "input_ids": passage_input_ids,
                "attention_mask": passage_attention_mask,
                "token_type_ids": passage_token_type_ids,
            }
        )
        passages = self.passage_vectors(**flat).view(len(questions), 2, -1)  # (B, 2, D)
        hashed, passages = self.hash_layer(questions, passages)
        candidate, rerank = self.losses(
            questions, passages, passage_keys, hashed=hashed, across_processes=self.training
        )
        return {
            "loss": candidate.mean() + rerank.mean(),
            "candidate_loss": candidate.mean().detach(),
            "rerank_loss": rerank.mean().detach(),
        }

    def question_vectors(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> Tensor:
        """[CLS] vectors of questions (N, T), real-valued: (N, D)."""
        return _encode(self.question_encoder, input_ids, attention_mask, token_type_ids)

    def passage_vectors(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> Tensor:
        """[CLS] vectors of passages (N, T) before they are hashed: (N, D)."""
        return _encode(self.passage_encoder, input_ids, attention_mask, token_type_ids)

    def losses(
        self, questions: Tensor, passages: Tensor, keys: Tensor, *, hashed: Tensor, across_processes: bool = False
    ) -> tuple[Tensor, Tensor]:
        """The two parts of the loss for each question, (B,) each.

        The candidate loss is the mean over all other passages of the batch of ``max(0, 0.1 − positive + other)``, on
        dot products of hashes; the rerank loss is the cross entropy of the positive, on dot products of the real
        question vector with hashes. A passage that stands in the batch more than once, as several questions of one
        article have it, is no negative to its own question.

        Args:
            questions: real-valued, (B, D).
            passages: hashed, (B, 2, D).
            keys: as in `forward`, (B, 2).
            hashed: the questions' hashes, (B, D).
            across_processes: whether the other processes' passages are candidates too; then all of them must call.
        """
        # Dot products over the whole width: half precision would lose what tells them apart.
        with torch.autocast(questions.device.type, enabled=False):
            questions, passages, hashed = questions.float(), passages.float(), hashed.float()
            own, start = keys[:, 0], 0
            if across_processes:
                passages, start = gather_rows(passages)
                keys, _ = gather_rows(keys)
            flat, flat_keys = passages.flatten(0, 1), keys.flatten()  # (C, D), (C,) with C = 2N
            gold = 2 * (start + torch.arange(len(questions), device=questions.device))  # (B,)
            is_gold = functional.one_hot(gold, len(flat)).bool()  # (B, C)
            negative = ~is_gold & (flat_keys != 0) & (flat_keys != own[:, None])  # (B, C)

            similarities = hashed @ flat.T  # (B, C)
            positive = similarities.gather(1, gold[:, None])  # (B, 1)
            hinge = functional.relu(MARGIN - positive + similarities) * negative
            candidate = hinge.sum(dim=1) / negative.sum(dim=1).clamp(min=1)  # (B,)

            logits = (questions @ flat.T).masked_fill(~(negative | is_gold), float("-inf"))  # (B, C)
            rerank = functional.cross_entropy(logits, gold, reduction="none")  # (B,)
        return candidate, rerank


def load_retriever(folder: str, *, shared: bool) -> BinaryPassageRetriever:
    """The encoder in `folder` twice (once, when `shared`), or a `BinaryPassageRetriever` as it was saved.

    Raises:
        ModelUnavailable: ``error.model.unreadable``.
    """
    config: Any = read_config(folder)
    trained = BinaryPassageRetriever.__name__ in (config.architectures or ())
    if trained and bool(config.shared_encoder) == shared:
        return BinaryPassageRetriever.from_pretrained(folder, config=config, dtype=torch.float32)
    config.shared_encoder = shared
    model = BinaryPassageRetriever(config)
    weights = load_encoder(folder, config).state_dict()
    model.question_encoder.load_state_dict(weights)
    model.passage_encoder.load_state_dict(weights)
    return model


def export_encoders(model: BinaryPassageRetriever, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write ``question`` and ``passage`` under `folder`, plain encoders with their tokenizer for other programs."""
    encoders: tuple[tuple[str, Any], ...] = (("question", model.question_encoder), ("passage", model.passage_encoder))
    for name, encoder in encoders:
        encoder.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)


def _encode(encoder: nn.Module, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None) -> Tensor:
    segments = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
    output: Tensor = encoder(input_ids=input_ids, attention_mask=attention_mask, **segments).last_hidden_state
    return output[:, 0]
