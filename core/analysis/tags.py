"""Causes that a reader gives to rows, counted as they are given, and taken back one by one.

A value of its own that never changes: whoever keeps it (the visitor's page) keeps the newest.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Any

from core.errors import InvalidInput

LONGEST_HISTORY = 200  # changes that can be undone
MOST_REMEMBERED = 100_000  # rows in all of these together; the last change can be undone however many it was of
LONGEST_TAG = 40  # characters
MOST_TAGS = 50


@dataclass(frozen=True, slots=True)
class Change:
    """One thing the reader did: a tag was given to rows that had it not, or taken from rows that had it."""

    tag: str
    rows: tuple[int, ...]
    given: bool


@dataclass(frozen=True)
class Tags:
    """The tags of rows, those of a row by name, and what was done; rows go by their ``index``."""

    marks: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    done: tuple[Change, ...] = ()
    undone: tuple[Change, ...] = field(default=(), repr=False)

    def give(self, tag: str, rows: Iterable[int]) -> Tags:
        """Give a tag to rows, to all of a filter, say; those that have it keep it.

        Raises:
            InvalidInput: ``error.analysis.tag`` (empty, or longer than ``limit``), ``error.analysis.many_tags``.
        """
        tag = tag.strip()
        if not tag or len(tag) > LONGEST_TAG:
            raise InvalidInput("error.analysis.tag", limit=LONGEST_TAG)
        if len({*self.counts(), tag}) > MOST_TAGS:
            raise InvalidInput("error.analysis.many_tags", limit=MOST_TAGS)
        new = tuple(dict.fromkeys(row for row in rows if tag not in self.marks.get(row, ())))
        return self._do(Change(tag, new, given=True))

    def take(self, tag: str, rows: Iterable[int]) -> Tags:
        """Take a tag from the rows that have it."""
        tag = tag.strip()
        having = tuple(dict.fromkeys(row for row in rows if tag in self.marks.get(row, ())))
        return self._do(Change(tag, having, given=False))

    def toggle(self, tag: str, row: int) -> Tags:
        """Give a tag to a row, or take it away when the row has it.

        Raises:
            InvalidInput: as `give`.
        """
        return self.take(tag, [row]) if tag.strip() in self.marks.get(row, ()) else self.give(tag, [row])

    def undo(self) -> Tags:
        """As it was before the last change; the same when there is none."""
        if not self.done:
            return self
        last = self.done[-1]
        reverted = _apply(self.marks, replace(last, given=not last.given))
        return Tags(reverted, self.done[:-1], (*self.undone, last))

    def redo(self) -> Tags:
        """As it was before the last `undo`; the same when there is none, or something else was done since."""
        if not self.undone:
            return self
        again = self.undone[-1]
        return Tags(_apply(self.marks, again), (*self.done, again), self.undone[:-1])

    def counts(self) -> dict[str, int]:
        """In how many rows each tag is, the most frequent first, equals by name."""
        counts = Counter(tag for tags in self.marks.values() for tag in tags)
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def rows_with(self, tag: str) -> tuple[int, ...]:
        """The rows that have a tag, in order."""
        return tuple(sorted(row for row, tags in self.marks.items() if tag in tags))

    def as_plain(self) -> dict[str, list[str]]:
        """The tags of rows as plain JSON, without the history."""
        return {str(row): list(tags) for row, tags in sorted(self.marks.items())}

    def _do(self, change: Change) -> Tags:
        if not change.rows:
            return self
        return Tags(_apply(self.marks, change), _shorten((*self.done, change)))


def write_history(tags: Tags) -> str:
    """Tags with what was done and undone, as JSON that `read_history` reads."""
    changes = ([asdict(change) for change in part] for part in (tags.done, tags.undone))
    return json.dumps([tags.as_plain(), *changes], ensure_ascii=False)


def read_history(written: str) -> Tags:
    """What `write_history` wrote.

    Raises:
        ValueError: it did not.
    """
    plain, *parts = json.loads(written)
    done, undone = (tuple(Change(one["tag"], tuple(one["rows"]), one["given"]) for one in part) for part in parts)
    return replace(read_tags(plain), done=done, undone=undone)


def read_tags(plain: Any) -> Tags:
    """Tags from what `Tags.as_plain` gave and a browser kept; what is not of that form is left out."""
    marks: dict[int, tuple[str, ...]] = {}
    known: set[str] = set()
    for row, tags in plain.items() if isinstance(plain, Mapping) else ():
        if not (isinstance(row, str) and row.isascii() and row.isdecimal() and isinstance(tags, list)):
            continue
        own = []
        for tag in tags:
            if isinstance(tag, str) and 0 < len(tag.strip()) <= LONGEST_TAG and len(known | {tag.strip()}) <= MOST_TAGS:
                known.add(tag.strip())
                own.append(tag.strip())
        if own:
            marks[int(row)] = tuple(sorted(set(own)))
    return Tags(MappingProxyType(marks))


def _shorten(done: tuple[Change, ...]) -> tuple[Change, ...]:
    """The newest changes, as many as are remembered."""
    kept, rows = 1, len(done[-1].rows)
    while kept < min(len(done), LONGEST_HISTORY) and (rows := rows + len(done[-kept - 1].rows)) <= MOST_REMEMBERED:
        kept += 1
    return done[-kept:]


def _apply(marks: Mapping[int, tuple[str, ...]], change: Change) -> Mapping[int, tuple[str, ...]]:
    changed = dict(marks)
    for row in change.rows:
        own = changed.get(row, ())
        left = tuple(sorted({*own, change.tag} if change.given else {*own} - {change.tag}))
        if left:
            changed[row] = left
        else:
            changed.pop(row, None)
    return MappingProxyType(changed)
