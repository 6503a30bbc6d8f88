"""The runs of visitors, each in its own workspace, named by what nobody can guess: whoever has the name may look.

Only the workspace that a run lies in may stop, delete or take it away.
"""

from __future__ import annotations

import re
from pathlib import Path

from core.errors import InvalidInput
from core.presets import OWN
from core.training.folder import CONFIG, RunFolder
from core.training.runs import RunStore
from core.workspaces import workspaces_folder

RUNS = "runs"  # the folder inside a workspace
_KEY = re.compile(r"[0-9a-f]{32}")
_START = len("20260101-120000-")  # before the key stands when the run was made


def open_store(workspace: Path) -> RunStore:
    """The runs of one visitor."""
    return RunStore(workspace / RUNS)


def key_of(identity: str) -> str:
    """The part of a run's id that links and pages name it by."""
    return identity[_START:]


def is_key(name: str) -> bool:
    """Whether it has the form of such a part."""
    return _KEY.fullmatch(name) is not None


def find_run(key: str) -> RunFolder:
    """The folder of the run with this key, whoever's it is.

    Raises:
        InvalidInput: ``error.training.no_run``: there is none, or none any more.
    """
    found = next(workspaces_folder().glob(f"*/{RUNS}/*-{key}/{CONFIG}"), None) if is_key(key) else None
    if found is None:
        raise InvalidInput("error.training.no_run", id=key[:8])
    return RunFolder(found.parent.resolve())


def name_model(run: RunFolder) -> str:
    """What a run's model and predictions are called where a model can be named (`core.presets.OWN`)."""
    time, key = run.path.name[: _START - 1], key_of(run.path.name)
    return f"{OWN}{time}:{key}"
