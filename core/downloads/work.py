"""The job: a process of its own asks the Hub and fetches the files, so that stopping stops it, however it hangs."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from core.downloads.pins import repository_folder, write_pin
from core.downloads.plans import Plan, Wanted, require_disk
from core.errors import ModelUnavailable, ServiceError
from core.jobs import Progress, Work
from core.models.loading import telling_by_key
from core.settings import ROOT

logger = logging.getLogger(__name__)

JOB = "fetch"  # the kind of these jobs
PAUSE = 0.2  # seconds from one look at the progress to the next
PATIENCE = 5.0  # seconds that the process gets to end


def fetch(wanted: Sequence[Wanted]) -> Work:
    """Fetch what is not here, with a `Progress` (bytes done, in all) several times a second; returns the names.

    What came of it so far names them too. Close the generator to stop: files that are complete stay in the cache.

    Raises:
        ModelUnavailable: as `make_plan`; the disk is too full; the connection broke.
        ServiceError: as `make_plan`.
    """
    from huggingface_hub.utils import validate_repo_id

    told = {"sources": [one.source for one in wanted]}
    for one in wanted:
        with telling_by_key(one.source):
            validate_repo_id(one.source)  # what passes is a good name of a folder, too
    yield Progress(0, 0, partial=told)
    whole: set[Wanted] = set()
    with _tidied(wanted, whole):
        plans = yield from _plan(wanted)
        require_disk(plans)
        total, done = sum(plan.bytes for plan in plans), 0
        for plan in plans:
            for received in _receive(plan):
                yield Progress(done + min(received, plan.bytes), total)
            write_pin(plan.wanted.source, plan.commit, plan.wanted.branch)
            whole.add(plan.wanted)
            done += plan.bytes
    yield Progress(done, total)
    return told


@dataclass(frozen=True)
class _Child:
    """A process of `core.downloads`, and the files that take what it prints."""

    process: subprocess.Popen[bytes]
    out: Path
    err: Path

    def runs(self) -> bool:
        return self.process.poll() is None

    def said(self) -> str:
        return self.out.read_text("utf-8")

    def complaints(self) -> str:
        return self.err.read_text("utf-8", "replace")[-2_000:]


def _plan(wanted: Sequence[Wanted]) -> Generator[Progress, None, tuple[Plan, ...]]:
    with _started("plan", [(one.purpose, one.source) for one in wanted]) as child:
        while child.runs():
            yield Progress(0, 0)
            time.sleep(PAUSE)
        if child.process.returncode:
            raise RuntimeError(child.complaints())
        told = json.loads(child.said())
    if "error" in told:
        kind = ServiceError if told["error"] == ServiceError.__name__ else ModelUnavailable
        raise kind(told["key"], **told["params"])
    return tuple(Plan(one, *found) for one, found in zip(wanted, told["plans"], strict=True))


def _receive(plan: Plan) -> Iterator[int]:
    """Bytes received so far, again and again until all are here."""
    with _started("fetch", [(plan.wanted.purpose, plan.wanted.source, plan.commit)]) as child:
        while child.runs():
            yield _last_number(child.said())
            time.sleep(PAUSE)
        if child.process.returncode:
            logger.warning("%s was not fetched: %s", plan.wanted.source, child.complaints())
            raise ModelUnavailable("error.model.broken_off", source=plan.wanted.source)


@contextmanager
def _started(verb: str, wanted: Iterable[tuple[str, ...]]) -> Iterator[_Child]:
    """The process while it works; in the end it does not run any more.

    It holds a pipe from here as its standard input, by which it learns that the app has died. Ctrl-C is for the app,
    which ends it in its own time.
    """
    named = [argument for one in wanted for argument in one]
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        with out.open("wb") as said, err.open("wb") as complaints:
            process = subprocess.Popen(
                [sys.executable, "-m", "core.downloads", verb, *named],
                cwd=ROOT,
                env=os.environ | {"HF_HUB_DISABLE_XET": "1"},  # one way to fetch, the one that is tested
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=complaints,
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # the same on Windows
            )
        try:
            yield _Child(process, out, err)
        finally:
            _end(process)


@contextmanager
def _tidied(wanted: Sequence[Wanted], whole: Collection[Wanted]) -> Iterator[None]:
    """When it fails inside, the cache is left without torn files of what is not `whole` by then.

    Files that are complete stay. Nothing finds them before there is a pin: a snapshot with some of the files would be
    loaded as a tokenizer that is not quite the right one.
    """
    places = {one: repository_folder(one.source) for one in wanted}
    torn = {path for place in places.values() for path in place.glob("blobs/*.incomplete")}
    try:
        yield
    except BaseException:  # among them the end of a generator that is closed
        for one in set(wanted) - set(whole):
            for path in set(places[one].glob("blobs/*.incomplete")) - torn:  # hundreds of megabytes of no use
                path.unlink(missing_ok=True)
        raise


def _last_number(said: str) -> int:
    lines = said.split("\n")[:-1]  # the last one may still be on its way
    return int(lines[-1]) if lines else 0


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=PATIENCE)
    if process.poll() is None:
        process.kill()
        process.wait()
    if process.stdin:
        process.stdin.close()
