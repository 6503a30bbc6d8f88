"""What goes into a model: tokens with their places in the text, their ids, and which text they belong to."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.errors import InvalidInput
from core.models.loading import LoadedModel
from core.text.segmentation import segment
from core.text.tokenization import tokenize
from core.text.types import Token, Tokenization

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Unit:
    """A row or column of a picture: one token, or one word made of several.

    ``[start, end)`` are characters of the text number `sequence` (None for a special token that was added around the
    text, whose span is empty); `word` counts MeCab words within it; `tokens` are the positions in the model's input.
    """

    label: str
    start: int
    end: int
    sequence: int | None
    segment: int
    word: int | None
    special: bool
    unknown: bool
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """Which tokens of the text the model saw: `shown` of `total` from `first` on, added special tokens not counted."""

    first: int
    shown: int
    total: int

    @property
    def truncated(self) -> bool:
        """Whether tokens were left out."""
        return self.shown < self.total

    @property
    def last(self) -> int:
        """The token after the last one shown."""
        return self.first + self.shown


@dataclass(frozen=True, slots=True)
class Inputs:
    """One input of a model, T tokens long."""

    text: str
    pair: str | None
    units: tuple[Unit, ...]
    ids: tuple[int, ...]
    segment_ids: tuple[int, ...]
    window: Window


def encode(
    text: str, loaded: LoadedModel, *, pair: str | None = None, first: int = 0, limit: int | None = None
) -> Inputs:
    """Tokenize a text or a pair for a model.

    With a `limit`, at most that many tokens go in: the special tokens, and as much of the text from its token `first`
    on as fits beside them. Without one, a text longer than the model can take is refused.

    Raises:
        InvalidInput: ``error.text.empty``, ``error.text.surrogate``, ``error.model.too_many_tokens``.
    """
    tokenization = tokenize(text, loaded.tokenizer, pair=pair)
    content = [place for place, token in enumerate(tokenization.tokens) if token.sequence is not None]
    if not content or not tokenization.content():
        raise InvalidInput("error.text.empty")
    added = len(tokenization.tokens) - len(content)
    if limit is None and len(tokenization.tokens) > loaded.positions:
        raise InvalidInput("error.model.too_many_tokens", tokens=len(tokenization.tokens), limit=loaded.positions)
    room = min(limit or loaded.positions, loaded.positions) - added
    first = min(max(first, 0), max(len(content) - room, 0))  # a window never runs past the end
    inside = set(content[first : first + room])
    shown = [t for place, t in enumerate(tokenization.tokens) if t.sequence is None or place in inside]
    words = [_words(tokenization, sequence) for sequence in range(len(tokenization.normalizations))]
    return Inputs(
        text,
        pair,
        tuple(_unit(place, token, words) for place, token in enumerate(shown)),
        tuple(token.id for token in shown),
        tuple(token.segment for token in shown),
        Window(first, len(inside), len(content)),
    )


def input_tensors(inputs: Inputs, loaded: LoadedModel) -> dict[str, torch.Tensor]:
    """The arguments of a forward pass, each (1, T); segment ids only where the model tells segments apart."""
    import torch

    ids = torch.tensor([inputs.ids])
    tensors = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if getattr(loaded.model.config, "type_vocab_size", 0) > 1:  # never left to a default: it would say 0 for both texts
        tensors["token_type_ids"] = torch.tensor([inputs.segment_ids])
    return tensors


def merge_words(
    units: Sequence[Unit], texts: Sequence[str | None]
) -> tuple[tuple[Unit, ...], tuple[tuple[int, ...], ...]]:
    """Merge neighbouring tokens of one word; the merged units, and the indices into `units` that each is made of."""
    members: list[list[int]] = []
    for place, unit in enumerate(units):
        before = units[place - 1] if place else None
        same = (
            before is not None
            and unit.word is not None
            and (unit.sequence, unit.word) == (before.sequence, before.word)
        )
        if same:
            members[-1].append(place)
        else:
            members.append([place])
    return tuple(_join([units[place] for place in group], texts) for group in members), tuple(map(tuple, members))


def _join(parts: Sequence[Unit], texts: Sequence[str | None]) -> Unit:
    start, end = parts[0].start, max(part.end for part in parts)
    if len(parts) == 1:
        return parts[0]
    text = texts[parts[0].sequence or 0] or ""
    return replace(
        parts[0],
        label=text[start:end] or "".join(part.label for part in parts),
        end=end,
        unknown=any(part.unknown for part in parts),
        tokens=tuple(place for part in parts for place in part.tokens),
    )


def _words(tokenization: Tokenization, sequence: int) -> Sequence[int] | None:
    """Where MeCab's words start; None when the tokenizer has counted them itself.

    What other tokenizers call a word ends at a space, so that a Japanese sentence would be one word.
    """
    if tokenization.family.startswith("mecab"):
        return None
    return [word.start for word in segment(tokenization.normalizations[sequence].original)]


def _unit(place: int, token: Token, words: Sequence[Sequence[int] | None]) -> Unit:
    word = token.word
    if token.sequence is not None and (starts := words[token.sequence]) is not None:
        # A token that only begins inside a word counts to that word: subwords need not keep MeCab's borders.
        word = None if token.special else max(bisect_right(starts, token.start) - 1, 0)
    return Unit(
        label=token.surface,
        start=token.start,
        end=token.end,
        sequence=token.sequence,
        segment=token.segment,
        word=word,
        special=token.sequence is None,
        unknown=token.unknown,
        tokens=(place,),
    )
