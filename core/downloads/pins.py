"""Pins: the commit at which a repository of the Hub was first fetched, and stays until somebody asks for a newer one.

A branch moves; what a page shows should not. The Hub's own client looks a branch up in ``refs`` of its cache when it is
offline, so the pin is written there, and only when all files of the commit are there.
"""

from __future__ import annotations

from pathlib import Path

BRANCH = "main"
SHORT = 8  # digits of a commit that are enough to tell it from others


def find_pin(source: str, branch: str = BRANCH) -> str | None:
    """The commit of `source` that this machine uses (40 hexadecimal digits); None before it was fetched."""
    try:
        commit = _place(source, branch).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):  # a name that is none has no file
        return None
    return commit or None


def write_pin(source: str, commit: str, branch: str = BRANCH) -> None:
    """From now on `source` is used at `commit`."""
    place = _place(source, branch)
    place.parent.mkdir(parents=True, exist_ok=True)
    fresh = place.with_name(f"{place.name}.new")
    fresh.write_text(commit, encoding="utf-8")
    fresh.replace(place)


def repository_folder(source: str) -> Path:
    """Where the Hub's client keeps a repository."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=source, repo_type="model")


def _place(source: str, branch: str) -> Path:
    return repository_folder(source) / "refs" / branch
