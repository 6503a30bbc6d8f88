"""Filling blanks with a masked language model (book 3.3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.errors import InvalidInput, ModelUnavailable
from core.models.inputs import Inputs, Unit, encode, input_tensors
from core.models.loading import LoadedModel
from core.text.pieces import readable_piece

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Candidate:
    """A token in a blank, and the sentence with it filled in.

    `token` is for the eye, `piece` is what the vocabulary says; `rank` counts from 1.
    """

    token: str
    piece: str
    id: int
    probability: float
    rank: int
    sentence: str


@dataclass(frozen=True, slots=True)
class FilledMask:
    """What may stand at one blank; `original` is the token that stood there, None when the visitor typed the blank."""

    position: int
    original: Candidate | None
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Filling:
    """All blanks of a text. With several, each is filled as if alone (`independent`): the others stay blank."""

    units: tuple[Unit, ...]
    masks: tuple[FilledMask, ...]
    independent: bool


@dataclass(frozen=True, slots=True)
class Blank:
    """A model input with a blank at `position`; `original` is the id of the token that it hides, None when typed."""

    inputs: Inputs
    position: int
    original: int | None


def fill_mask(text: str, loaded: LoadedModel, *, position: int | None = None, k: int = 5) -> Filling:
    """The k likeliest tokens for each blank of a text.

    `position` is the token to blank out, an index into the units; None takes the masks written in the text
    (``[MASK]``, or the model's own mask token).

    Raises:
        InvalidInput: the text is empty, too long for the model, without any blank, or has no such token.
    """
    import torch

    written = _write_mask(text, loaded)
    inputs = encode(written, loaded)
    blanks = [
        make_blank(inputs, loaded, position=place)
        for place in ([position] if position is not None else _masks(inputs, loaded))
    ]
    if not blanks:
        raise InvalidInput("error.model.no_mask")
    with torch.inference_mode():
        logits = loaded.model(**input_tensors(blanks[0].inputs, loaded)).logits[0]  # (T, V)
    masks = []
    for blank in blanks:
        probabilities = logits[blank.position].softmax(dim=-1)  # (V,)
        original = None if blank.original is None else candidate(blank.original, probabilities, blank, loaded)
        masks.append(FilledMask(blank.position, original, best_candidates(probabilities, blank, loaded, k=k)))
    return Filling(blanks[0].inputs.units, tuple(masks), len(masks) > 1)


def make_blank(text: str | Inputs, loaded: LoadedModel, *, position: int | None = None) -> Blank:
    """Blank out the token at `position`, or take the first mask of the text.

    Raises:
        InvalidInput: as `fill_mask`.
        ModelUnavailable: the model has no mask token, or was loaded without its head.
    """
    inputs = encode(_write_mask(text, loaded), loaded) if isinstance(text, str) else text
    mask_id = _mask_id(loaded)
    if position is None:
        masks = _masks(inputs, loaded)
        if not masks:
            raise InvalidInput("error.model.no_mask")
        return Blank(inputs, masks[0], None)
    if not 0 <= position < len(inputs.ids):
        raise InvalidInput("error.model.token_index", position=position, last=len(inputs.ids) - 1)
    if inputs.units[position].special:
        raise InvalidInput("error.model.special_token", token=inputs.units[position].label)
    original = inputs.ids[position]
    ids = (*inputs.ids[:position], mask_id, *inputs.ids[position + 1 :])
    return Blank(replace(inputs, ids=ids), position, None if original == mask_id else original)


def see_blank(text: str, loaded: LoadedModel, *, position: int, first: int, limit: int) -> tuple[Inputs, int]:
    """At most `limit` tokens of a text, from token `first` on or around a mask that is written, and where the blank is.

    `position` counts within these tokens; below 0 it is the first mask that is written, else the token in the middle.

    Raises:
        InvalidInput: as `fill_mask`.
        ModelUnavailable: as `make_blank`.
    """
    written, mask_id = _write_mask(text, loaded), _mask_id(loaded)
    inputs = encode(written, loaded, first=first, limit=limit)
    if position < 0 and mask_id not in inputs.ids:
        content: list[int] = loaded.tokenizer.model(written, add_special_tokens=False)["input_ids"]
        if mask_id not in content:
            return inputs, keep_inside(position, len(inputs.ids))
        inputs = encode(written, loaded, first=content.index(mask_id) - len(inputs.ids) // 2, limit=limit)
    return inputs, inputs.ids.index(mask_id) if position < 0 else keep_inside(position, len(inputs.ids))


def keep_inside(position: int, length: int) -> int:
    """A position between the special tokens at both ends of an input; below 0 the one in the middle."""
    return min(max(position if position >= 0 else length // 2, 1), length - 2)


def best_candidates(probabilities: torch.Tensor, blank: Blank, loaded: LoadedModel, *, k: int) -> tuple[Candidate, ...]:
    """The k likeliest tokens of `probabilities` (V,), likeliest first."""
    best = probabilities.topk(min(max(k, 1), len(probabilities))).indices.tolist()
    return tuple(
        replace(candidate(number, probabilities, blank, loaded), rank=rank) for rank, number in enumerate(best, 1)
    )


def candidate(number: int, probabilities: torch.Tensor, blank: Blank, loaded: LoadedModel) -> Candidate:
    """The token with the id `number` as a candidate for a blank.

    Raises:
        InvalidInput: the vocabulary has no such id.
    """
    pieces = loaded.tokenizer.pieces
    if not 0 <= number < min(len(pieces), len(probabilities)):
        raise InvalidInput("error.model.target_index", id=number)
    piece = pieces[number]
    continues = piece.startswith("##")
    token = readable_piece(piece, loaded.tokenizer.family, continues=continues)
    return Candidate(
        token=token,
        piece=piece,
        id=number,
        probability=float(probabilities[number]),
        rank=1 + int((probabilities > probabilities[number]).sum()),
        sentence=_fill_in(token.removeprefix("▁"), blank),
    )


def _fill_in(token: str, blank: Blank) -> str:
    unit = blank.inputs.units[blank.position]
    text = (blank.inputs.pair if unit.sequence else blank.inputs.text) or ""
    return text[: unit.start] + token + text[unit.end :]


def _masks(inputs: Inputs, loaded: LoadedModel) -> Sequence[int]:
    mask_id = _mask_id(loaded)
    return [place for place, number in enumerate(inputs.ids) if number == mask_id]


def _mask_id(loaded: LoadedModel) -> int:
    if loaded.head != "masked-lm" or loaded.tokenizer.model.mask_token_id is None:
        raise ModelUnavailable("error.model.no_head", source=loaded.source)
    return int(loaded.tokenizer.model.mask_token_id)


def _write_mask(text: str, loaded: LoadedModel) -> str:
    """The text with every ``[MASK]`` written as this model writes it (RoBERTa: ``<mask>``)."""
    return text.replace("[MASK]", loaded.tokenizer.model.mask_token or "[MASK]")
