"""Attention between two texts: what an encoder-decoder looks at in what it reads, while it writes (book 2.3.1, 3.4)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.errors import ModelUnavailable
from core.models.attention import LIMIT, AttentionMap
from core.models.inputs import Inputs, Unit, encode
from core.models.loading import LoadedModel
from core.text.pieces import piece_bytes, plain_piece, readable_piece
from core.text.segmentation import segment

WRITTEN = 40  # tokens at most
STRAY = "▯"  # stands in the text for a byte that is no character


@dataclass(frozen=True, slots=True)
class Crossing:
    """What an encoder-decoder read and wrote, T and U tokens long with their end marks, and its three attentions.

    The units of the text have the sequence 0, those of the `target` 1. The rows of `cross` are the target's tokens as
    each is written, its keys the tokens read. `decoder` is between what the decoder is given: the start mark and the
    tokens before the last. `generated`: the model wrote the target by itself, the likeliest token every time.
    """

    target: str
    generated: bool
    encoder: AttentionMap  # (layers, H, T, T)
    decoder: AttentionMap  # (layers, H, U, U), causal
    cross: AttentionMap  # (layers, H, U, T)


def attend_across(
    text: str, loaded: LoadedModel, *, target: str | None = None, first: int = 0, limit: int = LIMIT
) -> Crossing:
    """Attention of all layers and heads while an encoder-decoder reads a text and writes a target.

    Without a `target` it writes at most `WRITTEN` tokens of its own. More than `limit` tokens of the text are seen
    through a window from token `first` on.

    Raises:
        InvalidInput: as `core.models.inputs.encode`, for the text or for the target.
        ModelUnavailable: ``error.generation.needs.seq2seq``; the model hands out no attention.

    Source: Vaswani et al. 2017, section 3.2.3; book 2.3.1.
    """
    import torch

    if loaded.head != "seq2seq-lm":
        raise ModelUnavailable("error.generation.needs.seq2seq", source=loaded.source)
    model: Any = loaded.model
    inputs = _end(encode(text, loaded, first=first, limit=limit - 1), loaded)
    start = int(model.config.decoder_start_token_id)
    given = torch.tensor([inputs.ids])
    tensors = {"input_ids": given, "attention_mask": torch.ones_like(given)}
    with torch.inference_mode():
        if target is None:
            row = model.generate(**tensors, do_sample=False, num_beams=1, max_new_tokens=WRITTEN)
        else:
            row = torch.tensor([[start, *_end(encode(target, loaded, limit=WRITTEN - 1), loaded).ids]])
        output = model(**tensors, decoder_input_ids=row[:, :-1], output_attentions=True)
    attentions = (output.encoder_attentions, output.decoder_attentions, output.cross_attentions)
    if not all(attentions):
        raise ModelUnavailable("error.model.unsupported", source=loaded.source, type=model.config.model_type)
    encoder, decoder, cross = (torch.cat(layers).numpy() for layers in attentions)
    written, units = lay_out(row[0, 1:].tolist(), loaded, sequence=1)
    _, (mark,) = lay_out([start], loaded, sequence=1)
    before = (replace(mark, special=True, sequence=None), *(_move(unit) for unit in units[:-1]))
    segments = (0,) * len(units)
    return Crossing(
        target=written,
        generated=target is None,
        encoder=AttentionMap(text, None, inputs.units, encoder, inputs.segment_ids, inputs.window),
        decoder=AttentionMap(text, written, before, decoder, segments, inputs.window, causal=True),
        cross=AttentionMap(text, written, units, cross, segments, inputs.window, read=inputs.units),
    )


def lay_out(ids: Sequence[int], loaded: LoadedModel, *, sequence: int) -> tuple[str, tuple[Unit, ...]]:
    """The text that a model wrote, and its tokens as units with their places in it.

    End marks and the like are special and take no place; of bytes that make a character together each covers it all.
    """
    tokenizer = loaded.tokenizer
    special = [number in tokenizer.special_ids and not _is_sentinel(tokenizer.pieces[number]) for number in ids]
    parts = [
        b"" if mark else bytes(piece_bytes(piece, tokenizer.family)) or _plain(piece, loaded).encode()
        for piece, mark in zip((tokenizer.pieces[number] for number in ids), special, strict=True)
    ]
    decoded = b"".join(parts).decode(errors="surrogateescape")  # a stray byte becomes one half character
    text = "".join(STRAY if "\udc80" <= letter <= "\udcff" else letter for letter in decoded)
    owners = [n for n, letter in enumerate(decoded) for _ in letter.encode(errors="surrogateescape")]
    starts = [word.start for word in segment(text)]
    units: list[Unit] = []
    reached = 0
    for place, (number, part, mark) in enumerate(zip(ids, parts, special, strict=True)):
        covered = owners[reached : reached + len(part)]
        reached += len(part)
        piece, begin = tokenizer.pieces[number], covered[0] if covered else (units[-1].end if units else 0)
        units.append(
            Unit(
                label=piece if mark else readable_piece(piece, tokenizer.family, continues=False),
                start=begin,
                end=covered[-1] + 1 if covered else begin,
                sequence=None if mark else sequence,
                segment=0,
                word=None if mark else max(bisect_right(starts, begin) - 1, 0),
                special=mark,
                unknown=number == tokenizer.unknown_id,
                tokens=(place,),
            )
        )
    return text, tuple(units)


def _plain(piece: str, loaded: LoadedModel) -> str:
    return plain_piece(piece, loaded.tokenizer.family, continues=False)


def _is_sentinel(piece: str) -> bool:
    """T5's marks of a gap are something that is read and written, not put around a text."""
    return piece.startswith("<extra_id_")


def _move(unit: Unit) -> Unit:
    """The unit behind the start mark that the decoder is given before it."""
    return replace(unit, tokens=tuple(place + 1 for place in unit.tokens))


def _end(inputs: Inputs, loaded: LoadedModel) -> Inputs:
    """The inputs with the end mark that T5 was trained with, where the tokenizer adds none."""
    end = loaded.tokenizer.model.eos_token_id
    if end is None or inputs.ids[-1] == end:
        return inputs
    _, (mark,) = lay_out([end], loaded, sequence=0)
    place = inputs.units[-1].end
    unit = replace(mark, start=place, end=place, tokens=(len(inputs.ids),))
    return replace(inputs, units=(*inputs.units, unit), ids=(*inputs.ids, end), segment_ids=(*inputs.segment_ids, 0))
