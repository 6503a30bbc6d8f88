"""The logit lens: what a decoder would predict if it stopped after one of its layers (book 2.3.2, 2.4).

Each layer adds to one vector per position. The final normalisation and the output layer, which were made for the last
of these vectors, are applied to all of them: what comes out shows a prediction taking shape, not a thought.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import ModelUnavailable
from core.models.inputs import Unit, Window, encode, input_tensors
from core.models.loading import LoadedModel
from core.text.pieces import readable_piece

# What comes between the last layer and the output layer, by its name in the models that have one.
FINAL_NORMS = ("norm", "ln_f", "final_layer_norm", "final_layernorm")


@dataclass(frozen=True, slots=True)
class Guess:
    """A token of the vocabulary that is predicted: `token` for the eye, `piece` as the vocabulary writes it."""

    token: str
    piece: str
    id: int
    probability: float


@dataclass(frozen=True, slots=True)
class LogitLens:
    """The first guess at the next token, at each of T positions, at each of N stages.

    Stage 0 is the input embedding, stage n the vector after layer n; the last is the model's own output. `best[n][t]`
    is the first guess, `ranks` (N, T) the rank at each stage, from 1, of the token that the last one puts first, and
    `shares` (N, T) its probability.
    """

    text: str
    units: tuple[Unit, ...]
    window: Window
    best: tuple[tuple[Guess, ...], ...]
    ranks: npt.NDArray[np.int64]
    shares: npt.NDArray[np.float32]

    @property
    def final(self) -> tuple[Guess, ...]:
        """What the model itself predicts after each token."""
        return self.best[-1]

    @property
    def settled(self) -> tuple[int, ...]:
        """For each position the first stage from which on the final prediction stays in front."""
        behind = self.ranks > 1  # (N, T)
        return tuple(int(np.flatnonzero(column).max(initial=-1)) + 1 for column in behind.T)


def look_through(text: str, loaded: LoadedModel, *, first: int = 0, limit: int | None = None) -> LogitLens:
    """Apply the final normalisation and the output layer to the vectors after every layer of a decoder.

    Raises:
        InvalidInput: as `core.models.inputs.encode`.
        ModelUnavailable: ``error.generation.needs.decoder``; ``error.model.no_lens``, the model's output does not come
            from its last vector by these two steps.

    Source: nostalgebraist 2020, "interpreting GPT: the logit lens".
    """
    import torch

    if loaded.head != "causal-lm":
        raise ModelUnavailable("error.generation.needs.decoder", source=loaded.source)
    inputs = encode(text, loaded, first=first, limit=limit)
    model: Any = loaded.model
    norm = next((part for name in FINAL_NORMS if (part := getattr(model.base_model, name, None)) is not None), None)
    with torch.inference_mode():
        output = model(**input_tensors(inputs, loaded), output_hidden_states=True)
        *early, last = output.hidden_states  # N × (1, T, D); transformers hands out the last one normalised already
        head = model.get_output_embeddings()
        if norm is None or not torch.equal(head(last), output.logits):
            raise ModelUnavailable("error.model.no_lens", source=loaded.source)
        logits = torch.cat([*(head(norm(state)) for state in early), output.logits])  # (N, T, V)
        log_probabilities = logits.log_softmax(dim=-1)
        top, ids = log_probabilities.max(dim=-1)  # (N, T) each
        final = ids[-1].expand(len(ids), -1)[..., None]  # (N, T, 1)
        followed = log_probabilities.gather(-1, final)
        ranks = 1 + (log_probabilities > followed).sum(dim=-1)  # (N, T)
    rows = zip(ids.tolist(), top.exp().tolist(), strict=True)
    best = tuple(tuple(_guess(n, p, loaded) for n, p in zip(*row, strict=True)) for row in rows)
    shares = followed[..., 0].exp().numpy()
    return LogitLens(text, inputs.units, inputs.window, best, ranks.numpy(), shares)


def _guess(number: int, probability: float, loaded: LoadedModel) -> Guess:
    piece = loaded.tokenizer.pieces[number] if number < len(loaded.tokenizer.pieces) else ""
    special = number in loaded.tokenizer.special_ids
    token = piece if special else readable_piece(piece, loaded.tokenizer.family, continues=False)
    return Guess(token, piece, number, probability)
