"""Which words a classifier's answer rests on (book 5.3.3): words left out one by one, and integrated gradients.

Leaving a word out asks what the model would have said without it; gradients ask how the answer moves while all words
fade in together. Both look at the whole way from the text to the answer, and still may disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from core.errors import InvalidInput
from core.tasks.loaded import TaskModel
from core.tasks.task import device_of
from core.text.segmentation import segment

if TYPE_CHECKING:
    from torch import Tensor

    from core.tasks.task import Features

Method = Literal["occlusion", "integrated-gradients"]
METHODS: tuple[Method, ...] = ("occlusion", "integrated-gradients")
STEPS = 32  # points on the way from the hidden text to the text
MOST_WORDS = 120  # each costs a forward pass
_AT_ONCE = 32  # inputs in one pass


@dataclass(frozen=True, slots=True)
class WordScore:
    """A word, text[start:end] of the text number `part` (0 or 1), and how much it speaks for the label.

    By occlusion the probability that is lost without it, in [-1, 1]; by integrated gradients its part of the change of
    the label's log probability, in nats. Below 0 it speaks against the label.
    """

    word: str
    start: int
    end: int
    part: int
    score: float


@dataclass(frozen=True, slots=True)
class WordAttribution:
    """The words of one or two texts in order, and what they speak for.

    `probability` is that of the label for the whole text. The scores of integrated gradients add up to `rise`, the log
    probability of the label minus that where every token is masked, up to `error`; both are NaN for occlusion.
    """

    label: str
    method: Method
    probability: float
    words: tuple[WordScore, ...]
    rise: float
    error: float


@dataclass(frozen=True, slots=True)
class _Located:
    """An input, and the places of the tokens of each word in it."""

    features: Features
    words: tuple[tuple[int, int, int], ...]  # part, start, end
    places: tuple[tuple[int, ...], ...]


def attribute_words(
    texts: Sequence[str], model: TaskModel, *, label: str, method: Method = "occlusion", steps: int = STEPS
) -> WordAttribution:
    """Share a classifier's answer out among the words, as MeCab cuts them.

    Args:
        texts: a text, or the two of a pair.
        model: a classifier of texts or pairs.
        label: one of its labels.
        method: leave out each word in turn, or integrate gradients from the text with every token masked.
        steps: points of the integral (midpoint rule).

    Raises:
        InvalidInput: ``error.analysis.unknown_label`` with ``label``, ``error.analysis.many_words`` with ``count`` and
            ``limit``, ``error.analysis.long_text`` with ``count`` and ``limit`` (tokens: the model would not read all).
        ModelUnavailable: ``error.text.no_dictionary``.

    Source: Li, Monroe and Jurafsky 2016 (erasure); Sundararajan, Taly and Yan 2017 (integrated gradients).
    """
    labels = model.setup.labels
    if label not in labels:
        raise InvalidInput("error.analysis.unknown_label", label=label[:40])
    located = _locate(texts, model)
    if len(located.words) > MOST_WORDS:
        raise InvalidInput("error.analysis.many_words", count=len(located.words), limit=MOST_WORDS)
    followed = labels.index(label)
    if method == "occlusion":
        probability, scores = _leave_out(located, model, followed)
        rise = error = float("nan")
    else:
        probability, scores, rise = _integrate(located, model, followed, steps)
        error = abs(float(scores.sum()) - rise)
    words = tuple(
        WordScore(texts[part][start:end], start, end, part, float(score))
        for (part, start, end), score in zip(located.words, scores, strict=True)
    )
    return WordAttribution(label, method, probability, words, rise, error)


def _locate(texts: Sequence[str], model: TaskModel) -> _Located:
    from core.tasks.offsets import locate_tokens
    from core.tasks.tokenizing import encode_texts

    pairs = [[text] for text in texts]
    (features,) = encode_texts(model.tokenizer, *pairs, max_length=model.setup.max_length)
    tokens = locate_tokens(model.tokenizer, list(texts))
    special = model.tokenizer.num_special_tokens_to_add(pair=len(texts) > 1)
    count = special + sum(len(one.ids) for one in tokens)
    if count != len(features["input_ids"]):
        limit = min(model.setup.max_length, model.tokenizer.model_max_length)
        raise InvalidInput("error.analysis.long_text", count=count, limit=limit)
    starts = _find_starts(features["input_ids"], [one.ids for one in tokens])
    words: list[tuple[int, int, int]] = []
    places: list[tuple[int, ...]] = []
    for part, (text, one, first) in enumerate(zip(texts, tokens, starts, strict=True)):
        for word in segment(text):
            own = tuple(first + n for n, (start, _) in enumerate(one.spans) if word.start <= start < word.end)
            if own:
                words.append((part, word.start, word.end))
                places.append(own)
    return _Located(features, tuple(words), tuple(places))


def _find_starts(ids: Sequence[int], parts: Sequence[Sequence[int]]) -> list[int]:
    """Where the tokens of each text begin among those of the whole input, which has special tokens around them."""
    starts, place = [], 0
    for part in parts:
        while list(ids[place : place + len(part)]) != list(part):
            place += 1
        starts.append(place)
        place += len(part)
    return starts


def _leave_out(located: _Located, model: TaskModel, label: int) -> tuple[float, np.ndarray[Any, Any]]:
    """The probability of the label, and what it loses without each word, (W,)."""
    inputs = [located.features]
    for own in located.places:
        left = [place for place in range(len(located.features["input_ids"])) if place not in own]
        inputs.append({name: [values[place] for place in left] for name, values in located.features.items()})
    probabilities = _probabilities(inputs, model)[:, label]
    return float(probabilities[0]), probabilities[0] - probabilities[1:]


def _probabilities(inputs: Sequence[Features], model: TaskModel) -> np.ndarray[Any, Any]:
    """Probabilities (N, L) of inputs, (T,) each."""
    import torch

    from core.tasks.batching import evaluating, iterate_batches
    from core.tasks.classification import label_collator

    found = torch.zeros(len(inputs), len(model.setup.labels), dtype=torch.float64)
    with evaluating(model.model):
        collate = label_collator(model.tokenizer)
        for indices, batch in iterate_batches(model.model, inputs, collate, batch_size=_AT_ONCE):
            found[indices] = model.model(**batch).logits.double().softmax(-1).cpu()
    return found.numpy()


def _integrate(
    located: _Located, model: TaskModel, label: int, steps: int
) -> tuple[float, np.ndarray[Any, Any], float]:
    """The label's probability, the scores of the words (W,), and the rise of its log probability."""
    import torch

    device = device_of(model.model)
    mask = int(model.tokenizer.mask_token_id)
    ids = list(located.features["input_ids"])
    covered = {place for own in located.places for place in own}
    hidden = [mask if place in covered else number for place, number in enumerate(ids)]
    others = {
        name: torch.tensor([values], device=device)
        for name, values in located.features.items()
        if name not in ("input_ids", "labels")
    }
    embedding: Any = model.model.get_input_embeddings()
    start, end = (embedding(torch.tensor(numbers, device=device)) for numbers in (hidden, ids))  # (T, D) each

    def log_probabilities(embeddings: Tensor) -> Tensor:
        expanded = {name: tensor.expand(len(embeddings), -1) for name, tensor in others.items()}
        logits: Tensor = model.model(inputs_embeds=embeddings, **expanded).logits  # (B, L)
        return logits.log_softmax(-1)[:, label]

    with torch.no_grad():
        low, high = log_probabilities(torch.stack((start, end))).tolist()
    gradient = torch.zeros_like(end)
    shares = (torch.arange(steps, device=device) + 0.5) / steps
    for chunk in shares.split(_AT_ONCE // 4):
        points = (start + chunk[:, None, None] * (end - start)).requires_grad_()  # (B, T, D)
        total = log_probabilities(points).sum()
        gradient += torch.autograd.grad(total, points)[0].sum(dim=0) / steps
    by_token = ((end - start) * gradient).sum(dim=-1).double().cpu().numpy()  # (T,)
    scores = np.array([by_token[list(own)].sum() for own in located.places])
    return float(np.exp(high)), scores, high - low
