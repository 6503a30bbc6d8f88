"""The scores that a tagger gives every label of every token, for texts of any length, and what is read from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from core.tasks.batching import evaluating, group_by_length
from core.tasks.offsets import LocatedTokens, locate_tokens
from core.tasks.task import device_of
from core.tasks.tokenizing import count_positions

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from core.tasks.crf import LinearChainCrf
    from core.tasks.task import Features
    from core.tasks.viterbi import TransitionScores

DECODINGS = ("argmax", "viterbi", "crf")


@dataclass(frozen=True, slots=True, eq=False)
class Emissions:
    """A text as a tagger sees it: T tokens, without special ones, and a score for each of L labels."""

    tokens: LocatedTokens
    scores: Tensor  # (T, L), float32, on the CPU


@dataclass(frozen=True, slots=True)
class Window:
    """Tokens [first, last) that the model sees at once, and those [start, end) of them that it scores."""

    first: int
    last: int
    start: int
    end: int


def compute_emissions(
    texts: Sequence[str],
    model: PreTrainedModel,
    *,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int = 512,
    batch_size: int = 32,
) -> list[Emissions]:
    """Scores of every label for every token of each text.

    A text that does not fit is read through windows that overlap by a quarter; each token is scored where it has the
    more context.
    """
    import torch

    located = locate_tokens(tokenizer, texts)
    room = count_room(tokenizer, max_length, positions=count_positions(model.config))
    windows = [
        (index, window) for index, tokens in enumerate(located) for window in split_windows(len(tokens.ids), room)
    ]
    features: list[Features] = [
        {"input_ids": add_special(located[index].ids[window.first : window.last], tokenizer)}
        for index, window in windows
    ]
    width = len(model_labels(model))
    found = [torch.zeros(len(tokens.ids), width) for tokens in located]
    device = device_of(model)
    with evaluating(model):
        for group in group_by_length(features, batch_size=batch_size):
            batch = pad_ids([features[member]["input_ids"] for member in group], tokenizer)
            logits = model(**{name: tensor.to(device) for name, tensor in batch.items()}).logits.float().cpu()
            for member, rows in zip(group, logits, strict=True):  # (T, L)
                index, window = windows[member]
                shift = 1 - window.first  # after the special token in front
                found[index][window.start : window.end] = rows[window.start + shift : window.end + shift]
    return [Emissions(tokens, scores) for tokens, scores in zip(located, found, strict=True)]


def split_windows(count: int, size: int) -> tuple[Window, ...]:
    """Windows over `count` tokens, each `size` long, overlapping by at least a quarter; one where all fit in.

    The scored parts meet in the middle of every overlap, so that they cover every token once.
    """
    if count <= size:
        return (Window(0, count, 0, count),) if count else ()
    step = max(size - size // 4, 1)
    firsts = [*range(0, count - size, step), count - size]
    borders = [0, *((one + size + other) // 2 for one, other in pairwise(firsts)), count]
    return tuple(
        Window(first, first + size, start, end) for first, (start, end) in zip(firsts, pairwise(borders), strict=True)
    )


def decode_labels(
    emissions: Sequence[Emissions], model: PreTrainedModel, *, decoding: str, batch_size: int = 32
) -> list[list[int]]:
    """Label ids of the tokens of each text, by ``argmax``, ``viterbi`` or ``crf``.

    Raises:
        ValueError: another decoding, or ``crf`` of a model that has none.
    """
    import torch

    from core.tasks.viterbi import constrain_transitions, viterbi_decode

    if decoding not in DECODINGS:
        raise ValueError(decoding)
    if decoding == "argmax":
        return [one.scores.argmax(-1).tolist() for one in emissions]
    scores = find_crf(model).scores if decoding == "crf" else constrain_transitions(model_labels(model))
    found: list[list[int]] = [[] for _ in emissions]
    with torch.no_grad():
        for group, padded, mask in iterate_emissions(emissions, batch_size=batch_size):
            labels = viterbi_decode(padded, mask, scores).labels
            for member, row in zip(group, labels.tolist(), strict=True):
                found[member] = row[: len(emissions[member].scores)]
    return found


def model_labels(model: PreTrainedModel) -> tuple[str, ...]:
    """The labels of a model's outputs, in their order."""
    return tuple(str(label) for _, label in sorted((model.config.id2label or {}).items()))


def find_crf(model: PreTrainedModel) -> LinearChainCrf:
    """The CRF of a model as it is now, in full precision on the CPU: decoding takes many small steps.

    Raises:
        ValueError: the model has none.
    """
    from core.tasks.crf import LinearChainCrf

    crf: Any = getattr(model, "crf", None)  # asked for by name: adapters may stand around the module
    if crf is None:
        raise ValueError(f"{type(model).__name__} has no CRF")
    scores: TransitionScores = crf.scores
    copy = LinearChainCrf(len(scores.start)).requires_grad_(False)
    parts = {"start": scores.start, "matrix": scores.matrix, "end": scores.end}
    copy.load_state_dict({name: part.detach().float().cpu() for name, part in parts.items()})
    return copy


def iterate_emissions(emissions: Sequence[Emissions], *, batch_size: int) -> Iterator[tuple[list[int], Tensor, Tensor]]:
    """Texts of like length: their indices, emissions (B, T, L) and mask (B, T)."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    order = sorted(range(len(emissions)), key=lambda index: -len(emissions[index].scores))
    for start in range(0, len(order), batch_size):
        group = order[start : start + batch_size]
        lengths = torch.tensor([len(emissions[member].scores) for member in group])
        padded = pad_sequence([emissions[member].scores for member in group], batch_first=True)
        yield group, padded, torch.arange(padded.shape[1]) < lengths[:, None]


def count_room(tokenizer: PreTrainedTokenizerBase, max_length: int, *, positions: int = 0) -> int:
    """How many tokens of a text fit between the special ones."""
    limits = (max_length, tokenizer.model_max_length, positions or max_length)
    return max(min(limits) - 2, 1)


def add_special(ids: Iterable[int], tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Ids with [CLS] before and [SEP] after them."""
    return [tokenizer.cls_token_id, *ids, tokenizer.sep_token_id]


def pad_ids(rows: Sequence[Sequence[int]], tokenizer: PreTrainedTokenizerBase) -> dict[str, Tensor]:
    """Ids and attention mask, (B, T); segment ids are left out: one text is all zeros, which is what BERT assumes."""
    return {
        "input_ids": pad_rows(rows, tokenizer.pad_token_id),
        "attention_mask": pad_rows([[1] * len(row) for row in rows], 0),
    }


def pad_rows(rows: Sequence[Sequence[int]], value: int) -> Tensor:
    """Rows of whole numbers filled up with `value` to the longest, (B, T)."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    return pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=value)
