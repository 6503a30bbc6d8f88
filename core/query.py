"""A query: the visitor's choices in one exhibit as a frozen dataclass, and its life as a link.

Every field names one widget and carries its bounds. A link holds only the fields that differ from their defaults, and
of models only those of the catalogue. A stale link opens all the same: unknown names are ignored, numbers are clamped
and texts are capped, and `read_link` says so.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar

VERSION = 1  # of links, as their parameter ``v``; whoever raises it makes `read_link` understand the older ones
SHELL_NAMES = ("v", "without", "tab", "lang", "job")  # parameters of every link; no field may be called so
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
    silently. Only a link is cut, in `read_link`.
    """
    known = {f.name: f.metadata["bounds"] for f in fields(query)}
    return query(**{name: _fit(values[name], known[name], default(query, name)) for name in known if name in values})


def to_link(query: Query) -> dict[str, str]:
    """The fields that differ from their defaults, as link parameters, with the version of the links.

    What no link carries (`find_left_out`) is named in ``without``, so that whoever opens it can be told.
    """
    entries = (_entry(query, name) for name in names(type(query)))
    changed = dict(entry for entry in entries if entry)
    if left_out := find_left_out(query):
        changed["without"] = "|".join(left_out)
    return changed | {"v": str(VERSION)} if changed else {}


def find_left_out(query: Query) -> tuple[str, ...]:
    """The fields that a link of `query` does not carry whole.

    They are texts over the limit, and models outside the catalogue: a link is opened with a click, and what is loaded
    by it, or where a folder lies on this machine, is not for whoever made it to say.
    """
    return tuple(
        name
        for name in names(type(query))
        if (value := getattr(query, name)) != default(type(query), name)
        and (_shared(query, name) != value or _entry(query, name) is None)
    )


@dataclass(frozen=True)
class Opened(Generic[Q]):
    """What a link says, as far as it is understood here; the rest by name."""

    query: Q
    newer: bool = False  # a later version of the app made it
    unknown: tuple[str, ...] = ()  # parameters that this exhibit has no field for
    unfit: tuple[str, ...] = ()  # fields whose value is not one that a link may set, or out of bounds
    without: tuple[str, ...] = ()  # fields of which whoever made the link had more than a link carries


def read_link(query: type[Q], params: Mapping[str, str]) -> Opened[Q]:
    """The query a link names, and what of the link could not be used; never fails."""
    values: dict[str, Any] = {}
    unfit: list[str] = []
    known = {f.name: f.metadata["bounds"] for f in fields(query)}
    for name, limits in known.items():
        value = params.get(name)
        if value is None and (deflated := params.get(f"{name}.z")) is not None:
            value = _inflate(deflated)
            if value is None:
                unfit.append(name)
        if value is None:
            continue
        values[name], fits = _read(value, limits)
        if not fits:
            unfit.append(name)
    understood = {*SHELL_NAMES, *known, *(f"{name}.z" for name in known)}
    unknown = tuple(name for name in params if name not in understood and not name.startswith("__"))  # Gradio's own
    version = params.get("v", "")
    without = tuple(name for name in params.get("without", "").split("|") if name in known)
    newer = version.isdecimal() and int(version) > VERSION
    return Opened(make(query, values), newer, unknown, tuple(unfit), without)


def _entry(query: Query, name: str) -> tuple[str, str] | None:
    """A field as a link parameter, a longer text deflated; None for a default, and for what no link carries."""
    value = _shared(query, name)
    if value is None or value == default(type(query), name):
        return None
    written = _write(value)
    if len(written.encode("utf-8", "surrogatepass")) > PLAIN_BYTES:
        name, written = f"{name}.z", _deflate(written)
    return (name, written) if len(written) <= LINK_TEXT_LIMIT else None


def _shared(query: Query, name: str) -> Any:
    """What of a field others may be sent; None for nothing."""
    limits, value = bounds(type(query), name), getattr(query, name)
    if not limits.free:
        return value
    if isinstance(value, tuple):
        return tuple(one for one in value if one in limits.options) or None
    return value if value in limits.options else None


def _read(value: str, limits: Bounds) -> tuple[Any, bool]:
    """The value that a parameter stands for, and whether it can be taken as it is."""
    match limits.kind:
        case "text":
            return value[: limits.limit], len(value) <= limits.limit
        case "flag":
            return value in ("1", "true", "True"), value in ("0", "1", "true", "True", "false", "False")
        case "choice":
            return value if value in limits.options else None, value in limits.options
        case "choices":
            chosen = value.split("|")
            offered = tuple(one for one in chosen if one in limits.options)
            return offered, len(chosen) == len(offered) <= limits.high
        case _:
            try:
                return value, limits.low <= float(value) <= limits.high
            except ValueError:
                return value, False


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
        stream = zlib.decompressobj()
        unpacked = stream.decompress(packed, 4 * LONGEST_TEXT)
    except (ValueError, zlib.error):
        return None
    if not stream.eof and len(unpacked) < 4 * LONGEST_TEXT:  # cut short on its way
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
