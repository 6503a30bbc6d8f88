"""The job: a process of its own fetches the files, so that stopping stops it, however the connection hangs."""

from __future__ import annotations

import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from core.downloads.plans import Plan, Wanted, make_plan, require_disk
from core.errors import ModelUnavailable
from core.jobs import Progress, Work
from core.settings import ROOT

logger = logging.getLogger(__name__)

PAUSE = 0.2  # seconds from one look at the progress to the next
PATIENCE = 5.0  # seconds that the process gets to end


def fetch(wanted: Sequence[Wanted]) -> Work:
    """Fetch what is not here, with a `Progress` (bytes done, in all) several times a second; returns the names.

    What came of it so far names them too. Close the generator to stop: files that are complete stay in the cache.

    Raises:
        ModelUnavailable: as `make_plan`; the disk is too full; the connection broke.
        ServiceError: as `make_plan`.
    """
    told = {"sources": [one.source for one in wanted]}
    yield Progress(0, 0, partial=told)
    plans = tuple(make_plan(one) for one in wanted)
    require_disk(plans)
    total, done = sum(plan.bytes for plan in plans), 0
    for plan in plans:
        for received in _receive(plan):
            yield Progress(done + min(received, plan.bytes), total)
        done += plan.bytes
    yield Progress(done, total)
    return told


def _receive(plan: Plan) -> Iterator[int]:
    """Bytes received so far, again and again until all are here."""
    wanted, partial = plan.wanted, set(_partial_files(plan))
    command = [sys.executable, "-m", "core.downloads", wanted.source, wanted.revision, *wanted.patterns]
    with tempfile.TemporaryDirectory() as folder:
        received, complaints = Path(folder) / "received", Path(folder) / "complaints"
        with received.open("wb") as out, complaints.open("wb") as err:
            process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        try:
            while process.poll() is None:
                yield _last_number(received)
                time.sleep(PAUSE)
        finally:
            _end(process)
            if process.returncode:
                for path in set(_partial_files(plan)) - partial:  # hundreds of megabytes that nobody would use
                    path.unlink(missing_ok=True)
        if process.returncode:
            logger.warning("%s was not fetched: %s", wanted.source, complaints.read_text("utf-8", "replace")[-2_000:])
            raise ModelUnavailable("error.model.broken_off", source=wanted.source)


def _partial_files(plan: Plan) -> Iterator[Path]:
    """The files in the cache that are not complete."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    name = repo_folder_name(repo_id=plan.wanted.source, repo_type="model")
    return (Path(constants.HF_HUB_CACHE) / name / "blobs").glob("*.incomplete")


def _last_number(path: Path) -> int:
    lines = path.read_text("utf-8").split("\n")[:-1]  # the last one may still be on its way
    return int(lines[-1]) if lines else 0


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=PATIENCE)
    if process.poll() is None:
        process.kill()
        process.wait()
