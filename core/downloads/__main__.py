"""The work that needs a connection, in a process of its own, which can be ended however the connection hangs.

For people: ``python -m core.downloads prefetch FOLDER [NAME …]`` and ``check FOLDER`` (`core.downloads.command`).

For the app: ``plan PURPOSE SOURCE …`` prints what `make_plan` says of each, as JSON; ``fetch PURPOSE SOURCE COMMIT``
prints the number of bytes received so far, a line each time, and exits with 0 when everything is here. These two end
when their standard input does, and so with the app that started them.
"""

from __future__ import annotations

import io
import json
import os
import sys
import threading
from collections.abc import Sequence
from typing import Any, cast

import httpx2
from huggingface_hub import constants, set_client_factory, snapshot_download
from tqdm import tqdm  # type: ignore[import-untyped]

from core.downloads.plans import Purpose, Wanted, make_plan
from core.errors import AppError

CHUNK = 1_048_576  # bytes; ten times as many, the library's choice, are ten seconds of a shared line
SILENCE = 30.0  # seconds without a word from the Hub; the library would wait for ever


class Meter(tqdm):
    """The library's progress bars, of which only those that count bytes say something: a number a line."""

    most = 0
    telling = threading.Lock()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options | {"file": io.StringIO()})

    def update(self, n: float | None = 1) -> bool | None:
        """Count, and tell when there is more than any bar has told of."""
        moved = super().update(n)
        with Meter.telling:
            if self.unit == "B" and self.n > Meter.most:
                Meter.most = int(self.n)
                sys.stdout.write(f"{Meter.most}\n")
                sys.stdout.flush()
        return moved


def plan(wanted: Sequence[Wanted]) -> None:
    """Print what has to be fetched, or why it cannot be."""
    told: dict[str, Any]
    try:
        told = {"plans": [(found.bytes, found.commit) for found in map(make_plan, wanted)]}
    except AppError as error:
        told = {"error": type(error).__name__, "key": error.key, "params": error.params}
    sys.stdout.write(json.dumps(told))


def fetch(wanted: Wanted, commit: str) -> None:
    """Fetch the files of a commit into the cache."""
    snapshot_download(**wanted.selection | {"revision": commit}, tqdm_class=Meter)


def main() -> int:
    """Do what the command line asks for; returns the exit status."""
    verb, *named = sys.argv[1:] or [""]
    constants.DOWNLOAD_CHUNK_SIZE = CHUNK
    set_client_factory(lambda: httpx2.Client(follow_redirects=True, timeout=SILENCE))
    if verb not in ("plan", "fetch"):
        from core.downloads.command import run

        return run(sys.argv[1:])
    threading.Thread(target=_follow, daemon=True).start()
    if verb == "plan":
        pairs = zip(named[::2], named[1::2], strict=True)
        plan([Wanted(source, cast(Purpose, purpose)) for purpose, source in pairs])
    else:
        purpose, source, commit = named
        fetch(Wanted(source, cast(Purpose, purpose)), commit)
    return 0


def _follow() -> None:
    """Leave when the app has left."""
    while os.read(0, 1_024):
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
