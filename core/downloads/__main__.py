"""Fetch files of a repository of the Hub: ``python -m core.downloads REPOSITORY REVISION PATTERN …``.

Prints the number of bytes received so far, a line each time; the exit status is 0 when everything is here.
"""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Sequence
from typing import Any

from huggingface_hub import constants, snapshot_download
from tqdm import tqdm  # type: ignore[import-untyped]

from core.downloads.plans import IGNORED

CHUNK = 1_048_576  # bytes; ten times as many, the library's choice, are ten seconds of a shared line


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


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch what the command line names; returns the exit status."""
    repository, revision, *patterns = sys.argv[1:] if arguments is None else arguments
    constants.DOWNLOAD_CHUNK_SIZE = CHUNK
    snapshot_download(
        repository,
        revision=revision,
        allow_patterns=patterns,
        ignore_patterns=list(IGNORED),
        tqdm_class=Meter,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
