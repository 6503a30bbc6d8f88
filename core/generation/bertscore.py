"""BERTScore (Zhang et al. 2020; book 7.3.3): each token is matched with the most similar token of the other text.

Similar means: the cosine of the hidden states of one layer. Precision is the mean over the candidate's tokens, recall
over the reference's. Equal to the package bert-score without idf weights and without rescaling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SCORER = "encoder"  # the bundled model that `score_bundled` compares texts by


@dataclass(frozen=True)
class BertScore:
    """BERTScore of one candidate against its reference, with what it was computed from.

    `similarities` (C, R) are cosines of every candidate token with every reference token. `candidate_best` (C,) and
    `reference_best` (R,) are the places in the other text that each token was matched with. [CLS] and [SEP] stand in
    all of them, since another token may be matched with them, but their own matches do not count: `candidate_counted`
    (C,) and `reference_counted` (R,) say which do.
    """

    precision: float
    recall: float
    f: float
    candidate: tuple[str, ...]
    reference: tuple[str, ...]
    similarities: NDArray[np.float32]
    candidate_best: tuple[int, ...]
    reference_best: tuple[int, ...]
    candidate_counted: tuple[bool, ...]
    reference_counted: tuple[bool, ...]


def score_bert(
    candidates: Sequence[str],
    references: Sequence[str],
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    layer: int | None = None,
    batch_size: int = 32,
) -> list[BertScore]:
    """BERTScore of each text against its reference.

    `layer` counts the encoder's layers from 1 (0 is the embeddings); None takes three quarters of the depth, which is
    layer 9 of the twelve that the package chooses for multilingual BERT.

    Raises:
        ValueError: there is not one reference for each candidate, or no such layer.
    """
    if len(candidates) != len(references):
        raise ValueError(f"{len(candidates)} candidates and {len(references)} references")
    depth = int(model.config.num_hidden_layers)
    layer = round(0.75 * depth) if layer is None else layer
    if not 0 <= layer <= depth:
        raise ValueError(f"layer {layer} of {depth}")
    texts = list(dict.fromkeys(text.strip() for text in (*candidates, *references)))
    encoded = dict(zip(texts, _encode(texts, model, tokenizer, layer=layer, batch_size=batch_size), strict=True))
    return [
        _match(encoded[candidate.strip()], encoded[reference.strip()])
        for candidate, reference in zip(candidates, references, strict=True)
    ]


def mean_bert(scores: Sequence[BertScore]) -> dict[str, float]:
    """Means over texts: ``bertscore`` (F), ``bertscore_precision``, ``bertscore_recall``."""
    parts = {
        "bertscore": [score.f for score in scores],
        "bertscore_precision": [score.precision for score in scores],
        "bertscore_recall": [score.recall for score in scores],
    }
    return {name: float(np.mean(values)) if values else float("nan") for name, values in parts.items()}


def score_bundled(candidates: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """Mean BERTScore (see `mean_bert`, 0 to 1) by the bundled encoder: works offline, and costs little beside writing.

    The scorer is the bundled model `SCORER`, at three quarters of its depth, without idf weights or rescaling. Numbers
    of another scorer, such as the multilingual BERT of book 7.3.3, mean something else; only those of one can be
    compared.

    Raises:
        ModelUnavailable: the bundled encoder is not there.
    """
    import torch

    from core.models.loading import load_model

    threads = torch.get_num_threads()
    loaded = load_model(SCORER)
    torch.set_num_threads(threads)  # loading leaves one, which suits the app but not a run that trains here
    bare: Any = loaded.model.base_model  # the guesses of its head are not read
    with loaded.tokenizer.lock:
        return mean_bert(score_bert(candidates, references, bare, loaded.tokenizer.model))


@dataclass(frozen=True)
class _Encoded:
    pieces: tuple[str, ...]
    counted: NDArray[np.bool_]  # (T,)
    states: NDArray[np.float32]  # (T, D), each of length 1


def _encode(
    texts: Sequence[str],
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    layer: int,
    batch_size: int,
) -> list[_Encoded]:
    import torch

    from core.generation.batches import pad_features, padding_id, plan_batches

    model.eval()
    limit = min(tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", 512))
    ids = [tokenizer(text, truncation=True, max_length=limit)["input_ids"] for text in texts]
    frame = {tokenizer.cls_token_id, tokenizer.sep_token_id}
    pad = padding_id(tokenizer)
    found: dict[int, _Encoded] = {}
    for places in plan_batches([len(row) for row in ids], batch_size=batch_size):
        batch = pad_features([{"input_ids": ids[place]} for place in places], pad=pad)
        inputs = {name: tensor.to(model.device) for name, tensor in batch.items()}
        with torch.inference_mode():
            states = model(**inputs, output_hidden_states=True).hidden_states[layer].float()  # (B, T, D)
        states = torch.nn.functional.normalize(states, dim=-1).cpu()
        for row, place in zip(states, places, strict=True):
            found[place] = _Encoded(
                tuple(tokenizer.convert_ids_to_tokens(ids[place])),
                np.array([token not in frame for token in ids[place]]),
                row[: len(ids[place])].numpy(),
            )
    return [found[place] for place in range(len(texts))]


def _match(candidate: _Encoded, reference: _Encoded) -> BertScore:
    similarities = candidate.states @ reference.states.T  # (C, R)
    precision = _counted_mean(similarities.max(axis=1), candidate.counted)
    recall = _counted_mean(similarities.max(axis=0), reference.counted)
    if not (candidate.counted.any() and reference.counted.any()):  # an empty text resembles nothing
        precision = recall = 0.0
    total = precision + recall
    return BertScore(
        precision,
        recall,
        2 * precision * recall / total if total else 0.0,
        candidate.pieces,
        reference.pieces,
        similarities,
        tuple(similarities.argmax(axis=1).tolist()),
        tuple(similarities.argmax(axis=0).tolist()),
        tuple(candidate.counted.tolist()),
        tuple(reference.counted.tolist()),
    )


def _counted_mean(values: NDArray[np.float32], counted: NDArray[np.bool_]) -> float:
    return float(values[counted].mean()) if counted.any() else 0.0
