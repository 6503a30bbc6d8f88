"""The model of SimCSE: an encoder, a vector for each sentence, and a contrastive loss (book 8.2, 8.3)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PretrainedConfig, PreTrainedModel

from core.search.embedding import pool
from core.tasks.encoders import build_encoder, flatten_views, gather_rows, load_encoder
from core.tasks.heads import read_config
from core.tasks.likeness import compare_rankings


class SentenceEncoder(PreTrainedModel):
    """Sentence vectors trained so that the two views of a sentence find each other among all views of the batch.

    `config` says how: ``sentence_pooling`` (cls, mean), ``contrast_temperature``, and ``projection``: whether the dense
    layer with tanh on top of the pooled vector serves in ``training`` only (the unsupervised recipe) or ``always``;
    ``ranking_weight``: how much a ``likeness`` given counts beside the contrast.

    A saved folder is also a plain encoder: AutoModel finds its weights, without the projection.

    Source: Gao, Yao and Chen 2021, "SimCSE: Simple contrastive learning of sentence embeddings".
    """

    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True

    def __init__(self, config: PretrainedConfig) -> None:
        super().__init__(config)
        encoder = build_encoder(config)
        # Under the name that its kind has in every other model, so that any of them can load it.
        self.base_model_prefix = encoder.base_model_prefix
        setattr(self, self.base_model_prefix, encoder)
        self.projection = nn.Linear(config.hidden_size, config.hidden_size)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,  # (B, V, T): V views, the first finds the second; a third is a hard negative
        attention_mask: Tensor,  # (B, V, T)
        token_type_ids: Tensor | None = None,  # (B, V, T)
        has_negative: Tensor | None = None,  # (B,) where the third view holds a text
        likeness: Tensor | None = None,  # (B, B) cosines by which the pooled vectors are to rank the texts
    ) -> dict[str, Tensor]:
        """``loss`` (nats), and ``vectors`` (B, V, D).

        While training on several processes the views of all of them are candidates.
        """
        count, views = input_ids.shape[:2]
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids}
        pooled = self._pool(**flatten_views(inputs))
        vectors = self._project(pooled).view(count, views, -1)
        loss = self.contrast(vectors, has_negative, across_processes=self.training).mean()
        if likeness is not None:  # by the vectors that serve after training
            one, other = functional.normalize(pooled.float(), dim=-1).view(count, views, -1)[:, :2].unbind(dim=1)
            with torch.autocast(pooled.device.type, enabled=False):
                ranking = compare_rankings(one @ other.T, likeness, temperature=self.config.contrast_temperature)
            loss = loss + self.config.ranking_weight * ranking
        return {"loss": loss, "vectors": vectors}

    def sentence_vectors(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> Tensor:
        """One vector for each text of (N, T): (N, D)."""
        return self._project(self._pool(input_ids, attention_mask, token_type_ids))

    def _pool(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        segments = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        hidden = self.base_model(input_ids=input_ids, attention_mask=attention_mask, **segments).last_hidden_state
        return pool(hidden, attention_mask, self.config.sentence_pooling)

    def _project(self, pooled: Tensor) -> Tensor:
        if self.training or self.config.projection == "always":
            return torch.tanh(self.projection(pooled))
        return pooled

    def contrast(
        self, vectors: Tensor, has_negative: Tensor | None = None, *, across_processes: bool = False
    ) -> Tensor:
        """InfoNCE of each example, (B,): which of all second and third views belongs to its first?

        Args:
            vectors: (B, V, D) with V 2 or 3.
            has_negative: (B,) where the third view counts; everywhere when None.
            across_processes: whether the other processes' views are candidates too; then all of them must call.
        """
        # Cosines are divided by a small temperature: half precision would lose what tells them apart.
        with torch.autocast(vectors.device.type, enabled=False):
            vectors = functional.normalize(vectors.float(), dim=-1)
            others = vectors[:, 1:]  # (B, V−1, D)
            valid = torch.ones(others.shape[:2], dtype=torch.bool, device=vectors.device)
            if has_negative is not None and others.shape[1] > 1:
                valid[:, 1] = has_negative.bool()
            start = 0
            if across_processes:
                others, start = gather_rows(others)
                valid = gather_rows(valid.to(torch.uint8))[0].bool()
            gold = (start + torch.arange(len(vectors), device=vectors.device)) * others.shape[1]  # (B,)
            cosines = vectors[:, 0] @ others.flatten(0, 1).T  # (B, N · (V−1))
            logits = (cosines / self.config.contrast_temperature).masked_fill(~valid.flatten(), float("-inf"))
            return functional.cross_entropy(logits, gold, reduction="none")


def load_sentence_encoder(
    folder: str, *, pooling: str, temperature: float, projection: str, ranking: float = 0.0
) -> SentenceEncoder:
    """The encoder in `folder` under a new projection, or a `SentenceEncoder` with the one it has learned.

    Raises:
        ModelUnavailable: ``error.model.unreadable``.
    """
    config: Any = read_config(folder)
    trained = SentenceEncoder.__name__ in (config.architectures or ())
    config.sentence_pooling, config.contrast_temperature, config.projection = pooling, temperature, projection
    config.ranking_weight = ranking
    if trained:
        return SentenceEncoder.from_pretrained(folder, config=config, dtype=torch.float32)
    model = SentenceEncoder(config)
    model.base_model.load_state_dict(load_encoder(folder, config).state_dict())
    return model
