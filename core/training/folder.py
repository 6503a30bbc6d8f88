"""The folder of a run: what lies where."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONFIG = "config.json"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A folder that holds one run, its paths, and which process works on it."""

    path: Path

    @property
    def config(self) -> Path:
        """The `RunConfig`."""
        return self.path / CONFIG

    @property
    def events(self) -> Path:
        """How it went, one event a line."""
        return self.path / "events.jsonl"

    @property
    def checkpoints(self) -> Path:
        """Where training goes on from."""
        return self.path / "checkpoints"

    @property
    def model(self) -> Path:
        """The finished model, as `core.tasks.loaded` loads it."""
        return self.path / "model"

    @property
    def metrics(self) -> Path:
        """The best model's metrics, and facts of the run."""
        return self.path / "metrics.json"

    @property
    def predictions(self) -> Path:
        """The best model's predictions on the validation part."""
        return self.path / "predictions.jsonl"

    @property
    def test_predictions(self) -> Path:
        """The best model's predictions on the test part, where there is one."""
        return self.path / "test_predictions.jsonl"

    @property
    def estimate(self) -> Path:
        """What a dry run found out."""
        return self.path / "estimate.json"

    @property
    def log(self) -> Path:
        """What the process wrote to its terminal."""
        return self.path / "log.txt"

    @property
    def stop(self) -> Path:
        """While this file is there, the process is asked to stop."""
        return self.path / "stop"

    @property
    def process(self) -> Path:
        """Who works on it: ``pid``, ``started``, ``offset`` (size of the events then), ``launch``, ``meeting``."""
        return self.path / "process.json"

    def claim(self, pid: int | None = None) -> int:
        """Write down that a process, by default this one, works on the run from now on; the size of its events."""
        import psutil

        pid = os.getpid() if pid is None else pid
        try:
            started = psutil.Process(pid).create_time()
        except psutil.NoSuchProcess:
            started = 0.0  # over already: its events tell how it went
        offset = self.events.stat().st_size if self.events.exists() else 0
        own = {"launch": name_launch(), "meeting": name_meeting()} if pid == os.getpid() else {}
        write_whole(self.process, {"pid": pid, "started": started, "offset": offset, **own})
        return offset

    def read_process(self) -> Mapping[str, Any]:
        """What `claim` wrote, empty before."""
        try:
            read = json.loads(self.process.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return read if isinstance(read, dict) else {}

    def is_worked_on(self) -> bool:
        """Whether the process that claimed the run is alive; another one that got its number later does not count."""
        import psutil

        claimed = self.read_process()
        try:
            process = psutil.Process(int(claimed["pid"]))
            same = abs(process.create_time() - float(claimed["started"])) < 1.0
            return same and process.status() != psutil.STATUS_ZOMBIE
        except (KeyError, ValueError, psutil.Error):
            return False


def name_launch() -> str:
    """What the processes that one launcher started on this machine have in common, and no others ever had."""
    import psutil

    try:
        return f"{os.getppid()}-{psutil.Process(os.getppid()).create_time()}"
    except psutil.Error:
        return ""  # the launcher is gone


def name_meeting() -> str:
    """Where the processes of a launch meet, the same on all its machines; an earlier launch may have met there too."""
    named = ("MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RUN_ID")
    return " ".join(os.environ[name] for name in named if name in os.environ)


def write_whole(path: Path, content: Any) -> None:
    """Write JSON so that a reader finds the old content or the new, never half."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    partial.replace(path)
