"""A query: the visitor's choices in one exhibit as a frozen dataclass, and its life as a link.

Every field names one widget and carries its bounds. A link holds only the fields that differ from their defaults; a
stale link opens all the same, because unknown names are ignored, numbers are clamped and texts are capped.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal, Protocol, TypeVar

from core.presets import is_path

LINK_TEXT_LIMIT = 2_000  # characters of one text as it stands in a link; a longer one stays in the visitor's browser
PLAIN_BYTES = 300  # UTF-8; a longer text is deflated, as the parameter ``<name>.z``, which no field can be called
LONGEST_TEXT = 8_000  # characters
SECRET_NAMES = ("key", "token", "password", "secret", "credential")

Kind = Literal["text", "whole", "real", "choice", "choices", "flag"]


class Query(Protocol):
    """Any frozen dataclass whose fields were made by the functions below."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


Q = TypeVar("Q", bound=Query)


@dataclass(frozen=True)
class Bounds:
    """What a field may hold; `low` and `high` bound a number, `options` a choice, `limit` a text in characters."""

    kind: Kind
    low: float = 0
    high: float = 0
    step: float = 1
    options: tuple[str, ...] = ()
    limit: int = 0
    free: bool = False  # a choice that also takes what the visitor types (a model id)


def text(default: str = "", *, limit: int = LONGEST_TEXT) -> str:
    """A text of at most `limit` characters (Unicode code points)."""
    return _field(default, Bounds("text", limit=limit))


def within(default: int, low: int, high: int, *, step: int = 1) -> int:
    """A whole number in [low, high], `step` apart from `low`."""
    return _field(default, Bounds("whole", low=low, high=high, step=step))


def between(default: float, low: float, high: float, *, step: float) -> float:
    """A real number in [low, high]."""
    return _field(default, Bounds("real", low=low, high=high, step=step))


def one_of(default: str, *options: str, free: bool = False) -> str:
    """One of `options`; with `free`, any other text of up to 200 characters too."""
    return _field(default, Bounds("choice", options=options, limit=200, free=free))


def some_of(default: tuple[str, ...], *options: str, most: int, free: bool = False) -> tuple[str, ...]:
    """At least one and at most `most` of `options`, in the order chosen."""
    return _field(default, Bounds("choices", options=options, high=most, limit=200, free=free))


def flag(default: bool = False) -> bool:
    """On or off."""
    return _field(default, Bounds("flag"))


def bounds(query: type[Query], name: str) -> Bounds:
    """The bounds of one field of a query class."""
    return query.__dataclass_fields__[name].metadata["bounds"]


def default(query: type[Query], name: str) -> Any:
    """The default of one field of a query class."""
    return query.__dataclass_fields__[name].default


def names(query: type[Query]) -> tuple[str, ...]:
    """The field names of a query class, in order."""
    return tuple(f.name for f in fields(query))


def make(query: type[Q], values: Mapping[str, Any]) -> Q:
    """A query from whatever came in: unknown names ignored, everything else brought within its bounds.

    Texts are *not* cut here: one that is too long is an error its exhibit words (`core.text`), so nothing is lost
    silently. Only a link is cut, in `from_link`.
    """
    known = {f.name: f.metadata["bounds"] for f in fields(query)}
    return query(**{name: _fit(values[name], known[name], default(query, name)) for name in known if name in values})


def to_link(query: Query) -> dict[str, str]:
    """The fields that differ from their defaults, as link parameters.

    Texts over the limit are left out, and so are choices that name a folder: where it lies is nobody else's business.
    """
    changed = {}
    for name in names(type(query)):
        value = getattr(query, name)
        if value == default(type(query), name) or (bounds(type(query), name).free and _names_folder(value)):
            continue
        written = _write(value)
        if len(written.encode("utf-8", "surrogatepass")) > PLAIN_BYTES:
            name, written = f"{name}.z", _deflate(written)
        if len(written) <= LINK_TEXT_LIMIT:
            changed[name] = written
    return changed


def from_link(query: type[Q], params: Mapping[str, str]) -> Q:
    """The query a link names; never fails."""
    values: dict[str, Any] = {}
    for f in fields(query):
        limits: Bounds = f.metadata["bounds"]
        value = params.get(f.name)
        if value is None and (deflated := params.get(f"{f.name}.z")):
            value = _inflate(deflated)
        if value is None:
            continue
        match limits.kind:
            case "text":
                values[f.name] = value[: limits.limit]
            case "flag":
                values[f.name] = value in ("1", "true", "True")
            case "choices":
                values[f.name] = tuple(value.split("|"))
            case _:
                values[f.name] = value
    return make(query, values)


def _names_folder(value: str | tuple[str, ...]) -> bool:
    return any(map(is_path, value if isinstance(value, tuple) else (value,)))


def _field(value: Any, limits: Bounds) -> Any:
    if isinstance(value, list):
        raise TypeError("a default must be immutable")
    return field(default=value, metadata={"bounds": limits})


def _write(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, tuple):
        return "|".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _deflate(written: str) -> str:
    return base64.urlsafe_b64encode(zlib.compress(written.encode("utf-8", "surrogatepass"), 9)).decode().rstrip("=")


def _inflate(deflated: str) -> str | None:
    """The text, no longer than a field may hold, however much a stranger packed into it; None for nonsense."""
    if len(deflated) > LINK_TEXT_LIMIT:
        return None
    try:
        packed = base64.urlsafe_b64decode(deflated + "=" * (-len(deflated) % 4))
        unpacked = zlib.decompressobj().decompress(packed, 4 * LONGEST_TEXT)
    except (ValueError, zlib.error):
        return None
    return unpacked.decode("utf-8", "ignore")


def _fit(value: Any, limits: Bounds, fallback: Any) -> Any:
    match limits.kind:
        case "text":
            return value if isinstance(value, str) else fallback
        case "flag":
            return bool(value)
        case "choice":
            return value if _allowed(value, limits) else fallback
        case "choices":
            given = value if isinstance(value, list | tuple) else ()
            chosen = dict.fromkeys(v for v in given if _allowed(v, limits))
            return tuple(chosen)[: int(limits.high)] or fallback
        case _:
            try:
                number = float(value)
            except (TypeError, ValueError, OverflowError):
                return fallback
            if number != number:  # NaN compares unequal to itself
                return fallback
            clamped = min(max(number, limits.low), limits.high)
            if limits.kind == "real":
                return clamped
            return int(limits.low) + int(limits.step) * round((clamped - limits.low) / limits.step)


def _allowed(value: Any, limits: Bounds) -> bool:
    return value in limits.options or (limits.free and isinstance(value, str) and 0 < len(value) <= limits.limit)
