"""A visitor's tags of one source, kept in the visitor's workspace from one visit to the next."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from core.analysis.tags import Tags, read_history, write_history

FOLDER = "tags"  # inside a workspace
_CHANGING = threading.Lock()


@dataclass(frozen=True)
class Kept:
    """The tags, and their names in the order in which they were first given: a tag keeps its key while others come."""

    tags: Tags = field(default_factory=Tags)
    names: tuple[str, ...] = ()


def read_kept(workspace: Path, source: str) -> Kept:
    """What was kept of a source; nothing where there is none."""
    path = _place(workspace, source)
    if not path.is_file():
        return Kept()
    content = json.loads(path.read_text(encoding="utf-8"))
    return Kept(read_history(content["history"]), tuple(content["names"]))


def change_kept(workspace: Path, source: str, change: Callable[[Tags], Tags]) -> Kept:
    """Change the tags of a source and keep them; two changes at once come one after the other.

    Raises:
        InvalidInput: as `change` does; then all is as it was.
    """
    with _CHANGING:
        before = read_kept(workspace, source)
        tags = change(before.tags)
        if tags is before.tags:
            return before
        names = tuple(dict.fromkeys((*before.names, *tags.counts())))
        known = {*tags.counts(), *(one.tag for one in (*tags.done, *tags.undone))}
        after = Kept(tags, tuple(name for name in names if name in known))
        path = _place(workspace, source)
        path.parent.mkdir(exist_ok=True)
        content = {"names": after.names, "history": write_history(tags)}
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        partial.replace(path)
        return after


def _place(workspace: Path, source: str) -> Path:
    return workspace / FOLDER / f"{hashlib.sha256(source.encode()).hexdigest()[:32]}.json"
