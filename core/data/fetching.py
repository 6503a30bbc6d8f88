"""A data set of the Hub becomes a file of the visitor's, by a process of its own that can be ended however it hangs.

For the app: ``python -m core.data.fetching PLACE FILE`` writes the rows as JSONL and prints, as JSON, how many there
are or why there are none. It ends when its standard input does, and so with the app that started it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from core.data.files import read_file
from core.data.mapping import guess_task, match_columns
from core.data.own import take_in
from core.errors import AppError, InvalidInput, ServiceError
from core.jobs import Progress, Work
from core.settings import ROOT

JOB = "fetch-data"  # the kind of these jobs
MOST_ROWS = 20_000  # the first of them: what a page can look at
PAUSE = 0.2  # seconds from one look at the process to the next
PATIENCE = 5.0  # seconds that the process gets to end


def fetch(place: str, keeping: tuple[Path, str], *, most_bytes: int) -> Work:
    """Fetch the training part of a data set of the Hub and keep it like a file that was brought; a job.

    Args:
        place: ``owner/name[:<configuration>[:<split>]]``.
        keeping: the workspace, and a name made by `core.data.own.new_name`.
        most_bytes: how large a file may be.

    Raises:
        InvalidInput, ServiceError: as `core.data.hub.read_hub`; the rows are too large, or no task has their columns.
    """
    with tempfile.TemporaryDirectory(dir=keeping[0], prefix="fetching-") as folder:
        file = Path(folder) / "rows.jsonl"
        yield from _write_apart(place, file)
        if file.stat().st_size > most_bytes:
            raise InvalidInput("error.statistics.too_large", megabytes=most_bytes // 1_000_000)
        table = read_file(str(file))
        task = guess_task(table)
        columns = {name: column for name, column in match_columns(table, task)[0].items() if column}
        return (yield from take_in(file, place, task, columns, keeping))


def _write_apart(place: str, file: Path) -> Work:
    """Let a process write the rows; in the end it does not run any more."""
    out, err = file.with_name("out"), file.with_name("err")
    with out.open("wb") as said, err.open("wb") as complaints:
        process = subprocess.Popen(
            [sys.executable, "-m", "core.data.fetching", place, str(file)],
            cwd=ROOT,
            env=os.environ | {"HF_HUB_DISABLE_XET": "1"},
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=complaints,
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # the same on Windows
        )
    try:
        while process.poll() is None:
            yield Progress(0, 0)
            time.sleep(PAUSE)
    finally:
        if process.poll() is None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=PATIENCE)
        if process.poll() is None:
            process.kill()
            process.wait()
        if process.stdin:
            process.stdin.close()
    if process.returncode:
        raise RuntimeError(err.read_text("utf-8", "replace")[-2_000:])
    told = json.loads(out.read_text("utf-8"))
    if "error" in told:
        kind = ServiceError if told["error"] == ServiceError.__name__ else InvalidInput
        raise kind(told["key"], **told["params"])
    return told


def write_rows(place: str, file: Path) -> dict[str, Any]:
    """Write the rows of a data set, and tell how many, or why there are none."""
    from core.data.loading import read_source

    try:
        table = read_source(f"hub:{place}", part="train")
    except AppError as error:
        return {"error": type(error).__name__, "key": error.key, "params": dict(error.params)}
    with file.open("w", encoding="utf-8", errors="surrogatepass") as lines:
        for row in table.rows[:MOST_ROWS]:
            lines.write(json.dumps(dict(row.values), ensure_ascii=False, default=str) + "\n")
    return {"rows": min(len(table.rows), MOST_ROWS)}


def _follow() -> None:
    """Leave when the app has left."""
    while os.read(0, 1_024):
        pass
    os._exit(1)


def main() -> int:
    """Write the rows and print what came of it; returns an exit status."""
    threading.Thread(target=_follow, daemon=True).start()
    told = write_rows(sys.argv[1], Path(sys.argv[2]))
    sys.stdout.write(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
