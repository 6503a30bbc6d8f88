"""The word catalogue: every sentence the app says, in Japanese and English.

Words live in ``assets/words/<locale>/<room>.json``, one flat object per room of the house. Layers above ask for a key;
`core` itself never writes a sentence.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal, get_args

Locale = Literal["ja", "en"]
LOCALES: tuple[Locale, ...] = get_args(Locale)
DEFAULT_LOCALE: Locale = "ja"

ASSETS = Path(__file__).parent.parent / "assets"


@cache
def words(locale: Locale) -> Mapping[str, str]:
    """All words of `locale`: catalogue key -> sentence with ``{placeholders}``.

    Raises:
        ValueError: two rooms define the same key.
    """
    catalogue: dict[str, str] = {}
    for path in sorted((ASSETS / "words" / locale).glob("*.json")):
        room = json.loads(path.read_text(encoding="utf-8"))
        if twice := catalogue.keys() & room.keys():
            raise ValueError(f"{path.name} defines again: {sorted(twice)}")
        catalogue |= room
    return MappingProxyType(catalogue)


def translate(key: str, locale: Locale, **params: str | int | float) -> str:
    """The sentence behind `key` with its placeholders filled in."""
    return words(locale)[key].format(**params)


def preferred_locale(languages: str) -> Locale:
    """The first locale we speak in an ``Accept-Language`` header, Japanese when there is none."""
    ranges = (part.partition(";q=") for part in languages.split(","))
    ranked = sorted(ranges, key=lambda part: -_weight(part[2]))
    return next(_spoken(tag.strip()[:2].lower() for tag, _, _ in ranked), DEFAULT_LOCALE)


def as_locale(value: str | None) -> Locale | None:
    """`value` as a locale, or None when we do not speak it."""
    return next((locale for locale in LOCALES if locale == value), None)


def _spoken(tags: Iterable[str]) -> Iterator[Locale]:
    return (locale for tag in tags if (locale := as_locale(tag)))


def _weight(quality: str) -> float:
    try:
        return float(quality or 1)
    except ValueError:
        return 0.0
