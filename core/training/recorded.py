"""Runs that were recorded for this project, so that a page has one to show at once, and where nobody may train.

``python -m core.training.recorded`` trains what is missing anew, each from its recipe with the bundled samples and
models, and keeps of it what is text: configuration, events, metrics and predictions.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from core.data.source import DataSource
from core.settings import ROOT
from core.tasks.registry import TASKS, find_task
from core.training.config import EXAMPLES, LoraSettings, RunConfig, preset, write_config
from core.training.folder import RunFolder
from core.training.records import RECORDED

Change = Literal["rate", "lora", "half"]
CHANGES: tuple[Change, ...] = ("rate", "lora", "half")
SHARE = 0.2  # of a sample's rows are held out: it is small
SAMPLE = "sample"  # the bundled sample of a task; of classification reviews, by what they are about
SENTIMENT = "sentiment"  # the same reviews, by whether they praise
# Samples with other labels than those that stand in their column of that name.
COLUMNS: Mapping[str, Mapping[str, str]] = MappingProxyType({"classification": MappingProxyType({"label": "domain"})})
LOG_DATES = "%(asctime)s %(message)s"


def sample_source(task: str, *, sentiment: bool = False) -> DataSource:
    """The bundled sample of a task; for classification reviews by what they are about, or by whether they praise.

    Raises:
        KeyError: there is no such task.
    """
    train, validation = EXAMPLES[task]
    columns = {} if sentiment else dict(COLUMNS.get(task, {}))
    judged = f"sample:{validation}" if validation else ""
    return DataSource(f"sample:{train}", validation=judged, columns=columns, validation_share=SHARE)


def vary(config: RunConfig, change: Change, *, examples: int) -> RunConfig:
    """The same run with one thing changed: ten times the learning rate, low-rank adapters, half the examples."""
    if change == "rate":
        rate = float(f"{10 * config.hyperparameters.learning_rate:.6g}")
        return replace(config, hyperparameters=replace(config.hyperparameters, learning_rate=rate))
    if change == "lora":
        return replace(config, lora=LoraSettings())
    return replace(config, data=replace(config.data, limit=max(1, examples // 2)))


def recipes() -> dict[str, RunConfig]:
    """What is recorded, by name: a taste of every task, and of classification also what a change makes of it."""
    tastes = {
        name: RunConfig(
            name,
            sample_source(name),
            model=find_task(name).architecture,
            hyperparameters=preset("taste", find_task(name).defaults),
        )
        for name in TASKS
    }
    first = tastes["classification"]
    sentiment = replace(first, data=sample_source("classification", sentiment=True))
    changed = {f"classification-{change}": vary(first, change, examples=320) for change in CHANGES}
    return {"classification": first, SENTIMENT: sentiment, **changed, **tastes}


def record(name: str, config: RunConfig, *, root: Path = RECORDED) -> int:
    """Train a recipe in a folder that is thrown away, and keep its texts; the exit status of the run."""
    with tempfile.TemporaryDirectory() as place:
        folder = RunFolder(Path(place).resolve() / name)
        folder.path.mkdir()
        write_config(config, folder.config)
        command = [sys.executable, "-m", "core.training", str(folder.path)]
        with folder.log.open("wb") as log:
            status = subprocess.run(
                command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, env=_environment(), check=False
            ).returncode
        if status:
            logging.error("%s: %s", name, folder.log.read_text(encoding="utf-8", errors="replace")[-2_000:])
        kept = root / name
        kept.mkdir(parents=True, exist_ok=True)
        for path in (folder.config, folder.events, folder.metrics, folder.predictions):
            if path.is_file():
                shutil.copy(path, kept / path.name)
    return status


def main(arguments: Sequence[str] | None = None) -> int:
    """Record the runs that are named, or all that are not there; returns an exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m core.training.recorded", description=(__doc__ or "").splitlines()[0]
    )
    known = recipes()
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which, anew; of {', '.join(known)}")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format=LOG_DATES)
    for name in chosen.names:
        if name not in known:
            parser.error(f"{name!r} is not one of {', '.join(known)}")
    missing = [name for name in known if not (RECORDED / name / "metrics.json").is_file()]
    failed = 0
    for name in chosen.names or missing:
        logging.info("%s", name)
        failed += bool(record(name, known[name]))
    return 1 if failed else 0


def _environment() -> dict[str, Any]:
    """As the app starts runs: on one thread, so that the same machine gives the same run again."""
    return {**os.environ, "OMP_NUM_THREADS": "1"}


if __name__ == "__main__":
    sys.exit(main())
