"""A visitor's folder: found again by an unguessable id, bounded in size, removed after a time to live."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from core.errors import InvalidInput
from core.settings import ROOT

WORKSPACE_COOKIE = "lab-workspace"
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Workspaces:
    """All visitors' folders below `folder`; `lifetime` in seconds since the last use, `quota` in bytes for each."""

    folder: Path
    lifetime: float
    quota: int

    def open(self, identity: str) -> Path:
        """The folder of one visitor, made when it is not there.

        Raises:
            ValueError: `identity` was not made by `new_identity`; nothing of it reaches the file system.
        """
        if not _ID.fullmatch(identity):
            raise ValueError("not a workspace id")
        path = self.folder / identity
        path.mkdir(parents=True, exist_ok=True)
        path.touch()  # its modification time is the last use
        return path

    def require_room(self, identity: str, bytes_wanted: int) -> None:
        """Check that `bytes_wanted` more still fit.

        Raises:
            InvalidInput: they do not.
        """
        used = sum(file.stat().st_size for file in self.open(identity).rglob("*") if file.is_file())
        if used + bytes_wanted > self.quota:
            raise InvalidInput("error.workspace.full", megabytes=self.quota // 1_000_000)

    def erase(self, identity: str) -> None:
        """Remove everything of one visitor."""
        shutil.rmtree(self.open(identity), ignore_errors=True)

    def sweep(self, now: float | None = None, *, keep: Collection[str] = ()) -> int:
        """Remove what is past its lifetime, but nothing of the visitors in `keep`; how many folders went."""
        deadline = (time.time() if now is None else now) - self.lifetime
        stale = [
            path
            for path in self.folder.glob("*")
            if _ID.fullmatch(path.name) and path.name not in keep and _last_use(path) < deadline
        ]
        for path in stale:
            shutil.rmtree(path, ignore_errors=True)
        return len(stale)


def _last_use(path: Path) -> float:
    """Seconds since the epoch; for a folder that its visitor has just erased the future, so that nobody touches it."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


def workspaces_folder() -> Path:
    """Where the visitors' folders lie: the setting ``--workspace``, which `app.py` hands on as its variable."""
    return Path(os.environ.get("LAB_WORKSPACE", ROOT / "workspace"))


def new_identity() -> str:
    """128 random bits as 32 hexadecimal digits."""
    return secrets.token_hex(16)


def is_identity(value: str | None) -> bool:
    """Whether `value` has the form of an id made here."""
    return value is not None and _ID.fullmatch(value) is not None
