"""Train what a run's folder says: ``python -m core.training RUN_DIR``; the same command goes on after an interruption.

On several processors or devices: ``torchrun --nproc-per-node 2 -m core.training RUN_DIR``. The exit status is 0 when
the run finished or was stopped, 1 when it failed.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from core.errors import AppError
from core.training.config import example_config, write_config
from core.training.events import Failed
from core.training.folder import RunFolder
from core.training.process import succeeded, work


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m core.training", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, metavar="RUN_DIR", help="folder of the run, with its config.json")
    first = parser.add_mutually_exclusive_group()
    first.add_argument("--config", type=Path, help="copy this configuration into the folder first")
    first.add_argument("--task", help="where the folder has none, write one for a taste of this task")
    parser.add_argument("--estimate", action="store_true", help="only measure a few steps and write estimate.json")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(name)s %(message)s")
    try:
        folder = RunFolder(chosen.run.resolve())
        if chosen.task and not folder.config.exists():
            config = example_config(chosen.task)
            folder.path.mkdir(parents=True, exist_ok=True)
            write_config(config, folder.config)
        if chosen.estimate:
            from core.training.estimate import measure

            return measure(folder.path)
        outcome = work(folder.path, config_file=chosen.config)
    except AppError as error:
        logging.getLogger(__name__).error("%s", error)
        return 1
    if isinstance(outcome, Failed):
        logging.getLogger(__name__).error("%s %s", outcome.cause, dict(outcome.params))
    return 0 if succeeded(outcome) else 1


if __name__ == "__main__":
    sys.exit(main())
