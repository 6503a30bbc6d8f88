"""The blank of a sentence: the one the visitor typed, the token they clicked, or the one in the middle."""

from __future__ import annotations

from collections.abc import Sequence

from core.i18n import Locale, translate
from core.models.fill import Candidate, keep_inside
from core.models.inputs import Unit, encode
from core.models.loading import LoadedModel
from tabs._kit import pictures
from tabs.attention import choices

MASK = "[MASK]"


def find_blank(text: str, loaded: LoadedModel, position: int) -> int | None:
    """The position to blank out; None when a mask is written in the text and no token was clicked (`position` < 0)."""
    mask = loaded.tokenizer.model.mask_token or MASK
    written = text.replace(MASK, mask)
    if position < 0 and mask in written:
        return None
    return keep_inside(position, len(encode(written, loaded).ids))


def lines_to_blank(text: str, position: int, *, options: str = "") -> str:
    """The same in a script: ``inputs`` and ``ids`` with the mask in place, its ``position``, the ``original`` id."""
    if position < 0 and MASK in text:
        place = "(ids == tokenizer.mask_token_id).nonzero()[0].item()"
    else:
        place = f"min({max(position, 1)}, len(ids) - 2)" if position >= 0 else "len(ids) // 2"
    written = f"{text!r}.replace({MASK!r}, tokenizer.mask_token)" if MASK in text else repr(text)
    return f"""inputs = tokenizer({written}, {options}return_tensors="pt")
ids = inputs["input_ids"][0]
position = {place}
original = ids[position].item()
ids[position] = tokenizer.mask_token_id"""


def blank_boxes(units: Sequence[Unit], position: int, locale: Locale, *, also: Sequence[int] = ()) -> str:
    """The tokens; a click moves the blank. Positions in `also` are blank too."""
    boxes = [
        pictures.Box(
            MASK if place == position or place in also else unit.label,
            below=unit.label if place == position and unit.label != MASK else "",
            state=choices.state(unit, masked=place == position or place in also),
            hint="" if unit.special else translate("attention.common.mask_this", locale, label=unit.label),
            pick=None if unit.special else {"position": place},
            word_start=choices.starts_word(units, place),
        )
        for place, unit in enumerate(units)
    ]
    return pictures.token_boxes(boxes, title=translate("attention.common.boxes", locale))


def candidate_bars(candidates: Sequence[Candidate], *, title: str) -> str:
    """Candidates with their probabilities."""
    entries = [pictures.Bar(c.token, c.probability, share(c.probability)) for c in candidates]
    return pictures.bars(entries, title=title, high=1.0)


def share(probability: float) -> str:
    """A probability as a percentage that is never rounded to nothing: 24.9 %, 0.0055 %."""
    return f"{probability:.1%}" if probability >= 0.001 else f"{100 * probability:.2g}%"
