"""``python -m core.downloads prefetch FOLDER [NAME …]`` and ``check FOLDER``: for people, in words."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from core.downloads import prefetch
from core.downloads.pins import SHORT
from core.downloads.plans import is_here
from core.errors import AppError
from core.i18n import Locale, preferred_locale, translate


def run(arguments: Sequence[str]) -> int:
    """Do what the command line asks; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m core.downloads", description="Models of the Hub, in a folder.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    filling = verbs.add_parser("prefetch", help="fill a folder that `app.py --hub FOLDER` takes models from")
    filling.add_argument("folder", type=Path, metavar="FOLDER", help="a memory stick, a shared folder")
    filling.add_argument("names", nargs="*", metavar="NAME", help="ids of the catalogue; none lists what there is")
    filling.add_argument("--all", action="store_true", help="everything in the catalogue")
    filling.add_argument("--newer", action="store_true", help="what the branch is now, not the commit kept so far")
    checking = verbs.add_parser("check", help="compare all files with SHA256SUMS, without a network")
    checking.add_argument("folder", type=Path, metavar="FOLDER")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.verb == "check":
            return _check(chosen.folder)
        return _prefetch(chosen.folder, chosen.names, everything=chosen.all, newer=chosen.newer)
    except AppError as error:
        sys.stderr.write(translate(error.key, _locale(), **error.params) + "\n")
        return 1


def _prefetch(folder: Path, names: Sequence[str], *, everything: bool, newer: bool) -> int:
    prefetch.use_folder(folder)
    wanted = list(prefetch.list_catalogue(newer=newer)) if everything else prefetch.choose(names, newer=newer)
    if not wanted:
        _list()
        return 0
    plans = prefetch.make_plans(wanted)
    megabytes = f"{sum(plan.bytes for plan in plans) / 1e6:,.1f}"
    _say("prefetch.plan", count=len(plans), megabytes=megabytes, folder=str(folder))
    folder.mkdir(parents=True, exist_ok=True)
    for stored in prefetch.fill(plans):
        _say("prefetch.stored", source=stored.source, commit=stored.commit, files=stored.files)
    _say("prefetch.use", folder=str(folder))
    return 0


def _list() -> None:
    """What can be chosen, and what of it is in the folder."""
    for one in prefetch.list_catalogue():
        size = one.preset.megabytes if one.preset else 0
        here = translate("prefetch.here", _locale(), commit=one.pin[:SHORT]) if one.pin and is_here(one) else ""
        sys.stdout.write(f"{one.source:<58}{size:>8,.1f} MB  {here}\n".rstrip(" \n") + "\n")


def _check(folder: Path) -> int:
    files, damaged = prefetch.check(folder)
    for name in damaged:
        _say("prefetch.damaged", name=name)
    if not damaged:
        _say("prefetch.whole", files=files)
    return 1 if damaged else 0


def _say(key: str, **params: str | int) -> None:
    sys.stdout.write(translate(key, _locale(), **params) + "\n")
    sys.stdout.flush()


def _locale() -> Locale:
    return preferred_locale(os.environ.get("LC_ALL") or os.environ.get("LANG", ""))
