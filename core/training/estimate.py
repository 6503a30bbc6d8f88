"""Before a run starts: how long it will take and how much memory, measured on this machine by a few of its own steps.

The dry run happens in a process of its own, so that its peak of memory is its own and an end by lack of memory harms
nobody. It takes the longest examples first, whose batch decides whether memory suffices, then any others for the pace.
"""

from __future__ import annotations

import json
import logging
import math
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import InvalidInput
from core.jobs import Progress, finish
from core.settings import ROOT
from core.tasks.task import Hyperparameters
from core.training.config import RunConfig, read_config, write_config
from core.training.events import plain
from core.training.failures import explain
from core.training.folder import RunFolder, write_whole

if TYPE_CHECKING:
    from transformers import TrainerCallback

    from core.training.engine import Parts, Prepared

logger = logging.getLogger(__name__)

STEPS_TIMED = 3
EXAMPLES_PREDICTED = 32
EXAMPLES_ENCODED = 512  # once more, without a limit
SECONDS_AT_MOST = 240.0
PAUSE = 0.2  # seconds from one look at the process to the next


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will need. Shares are 0 to 1; lengths in tokens; `labels` counts the training part.

    `truncated` is the share of training examples that lose their end to ``max_length``. `leaked` counts validation
    examples whose content is in the training part too, `nearly_leaked` those that differ from one there by a few
    characters.
    """

    seconds: float
    seconds_per_step: float
    seconds_per_evaluation: float
    evaluations: int
    steps: int
    megabytes: float  # of memory, at its peak
    parameters: int
    trainable: int
    examples: int
    validation: int
    test: int
    broken: int
    truncated: float
    median_length: float
    longest: int
    leaked: int
    nearly_leaked: int
    labels: Mapping[str, int] = field(default_factory=dict)


def estimate(config: RunConfig, *, timeout: float = SECONDS_AT_MOST) -> Estimate:
    """Measure a few steps of `config` in a process of its own; `timeout` in seconds.

    Raises:
        InvalidInput: the run would fail: the key is the cause that its `Failed` event would have.
    """
    return finish(estimate_apart(config, timeout=timeout))


def estimate_apart(config: RunConfig, *, timeout: float = SECONDS_AT_MOST) -> Generator[Progress, None, Estimate]:
    """As `estimate`, with a sign of life several times a second; close it to end the process.

    Raises:
        InvalidInput: as `estimate`.
    """
    with tempfile.TemporaryDirectory(prefix="estimate-") as name:
        folder = RunFolder(Path(name).resolve())
        write_config(config, folder.config)
        process = subprocess.Popen(
            [sys.executable, "-m", "core.training", str(folder.path), "--estimate"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            began = time.monotonic()
            while process.poll() is None:
                if time.monotonic() - began > timeout:
                    raise InvalidInput("error.training.estimate_slow", seconds=round(timeout))
                yield Progress(0, 0)
                time.sleep(PAUSE)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
        try:
            found = json.loads(folder.estimate.read_text(encoding="utf-8"))
        except FileNotFoundError:  # killed, most often for want of memory
            raise InvalidInput("training.cause.killed") from None
    if "cause" in found:
        raise InvalidInput(found["cause"], **found["params"])
    return Estimate(**found)


def measure(path: Path) -> int:
    """Measure the configuration in a folder and write ``estimate.json`` there; returns an exit status."""
    folder = RunFolder(path)
    settings = Hyperparameters()
    try:
        config = read_config(folder.config)
        settings = config.hyperparameters
        write_whole(folder.estimate, plain(run_dry(config)))
    except Exception as error:  # the boundary: whoever asked reads it from the file
        logger.exception("the dry run failed")
        write_whole(folder.estimate, plain(explain(error, settings)))
        return 1
    return 0


def run_dry(config: RunConfig) -> Estimate:
    """Take the first steps of a run in this process, without saving anything.

    Raises:
        InvalidInput, ModelUnavailable, RuntimeError, MemoryError: as the run itself would.
    """
    from core.training.batches import lengths_of
    from core.training.engine import build_trainer, peak_megabytes, plan_steps, prepare

    began = time.perf_counter()
    prepared = prepare(config)
    settings, count = config.hyperparameters, len(prepared.features)
    lengths = lengths_of(prepared.features)
    order = DryOrder(lengths, examples=(1 + STEPS_TIMED) * settings.batch_size * settings.accumulation)
    with tempfile.TemporaryDirectory() as nowhere:
        trainer, _ = build_trainer(prepared, config, folder=Path(nowhere), tell=lambda event: None, dry_order=order)
        loaded = time.perf_counter() - began
        clock = _clock(trainer)
        trainer.train()
    # The first step pays for what happens once.
    per_step = (clock[-1] - clock[1]) / (len(clock) - 2)
    plan = plan_steps(count, settings, processes=1)
    evaluations = math.ceil(plan.steps / plan.evaluate_every) if prepared.parts.validation else 0
    per_example = _time_prediction(trainer, prepared.parts.validation)
    per_evaluation = per_example * len(prepared.parts.validation)
    leaked, nearly_leaked = count_leaks(prepared.parts)
    return Estimate(
        seconds=loaded + plan.steps * per_step + evaluations * per_evaluation + per_example * len(prepared.parts.test),
        seconds_per_step=per_step,
        seconds_per_evaluation=per_evaluation,
        evaluations=evaluations,
        steps=plan.steps,
        megabytes=peak_megabytes(),
        parameters=sum(p.numel() for p in prepared.model.parameters()),
        trainable=sum(p.numel() for p in prepared.model.parameters() if p.requires_grad),
        examples=count,
        validation=len(prepared.parts.validation),
        test=len(prepared.parts.test),
        broken=len(prepared.parts.broken),
        truncated=share_truncated(prepared),
        median_length=float(sorted(lengths)[len(lengths) // 2]),
        longest=max(lengths),
        leaked=leaked,
        nearly_leaked=nearly_leaked,
        labels=count_labels(prepared),
    )


class DryOrder:
    """A sampler for a dry run: the longest examples first, then the rest, over again where they are too few."""

    def __init__(self, lengths: Sequence[int], *, examples: int) -> None:
        """`lengths` of all examples there are; `examples` to give in all."""
        longest = sorted(range(len(lengths)), key=lambda index: -lengths[index])[: examples // (1 + STEPS_TIMED)]
        taken = frozenset(longest)
        rest = [index for index in range(len(lengths)) if index not in taken] or longest
        self._order = [
            longest[place] if place < len(longest) else rest[(place - len(longest)) % len(rest)]
            for place in range(examples)
        ]

    def set_epoch(self, epoch: int) -> None:
        """There is but one."""

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return enumerate(self._order).__iter__()


def share_truncated(prepared: Prepared) -> float:
    """The share of training examples that lose something to ``max_length``; 0 where a task spreads them over several.

    Compared with the encoding of the same examples without a limit, so that windows and blocks do not count as lost.
    """
    from core.training.batches import lengths_of

    setup, tokenizer = prepared.setup, prepared.tokenizer
    if len(prepared.features) != len(prepared.parts.train):
        return 0.0
    sample = prepared.parts.train[:EXAMPLES_ENCODED]
    limit, tokenizer.model_max_length = tokenizer.model_max_length, 10**6
    try:
        whole = lengths_of(prepared.task.prepare(sample, tokenizer, replace(setup, max_length=10**6)))
    except (ValueError, MemoryError, OverflowError):
        return 0.0  # a task that fills blocks of max_length has nothing to cut
    finally:
        tokenizer.model_max_length = limit
    if len(whole) != len(sample):
        return 0.0
    cut = lengths_of(prepared.features[: len(sample)])
    return sum(before > after for before, after in zip(whole, cut, strict=True)) / len(whole)


def count_labels(prepared: Prepared) -> dict[str, int]:
    """How many training examples have each label, in the order of the model's outputs."""
    counted = Counter(prepared.task.label_of(example) for example in prepared.parts.train)
    return {label: counted[label] for label in prepared.setup.labels if counted[label]}


def count_leaks(parts: Parts) -> tuple[int, int]:
    """How many validation examples stand in the training part too: the same, and nearly the same."""
    from core.data.leaks import find_leaks
    from core.data.splits import Splits

    leaks = find_leaks(Splits(tuple(parts.train), tuple(parts.validation)))
    exact = sum(leak.exact for leak in leaks)
    return exact, len(leaks) - exact


def _clock(trainer: Any) -> list[float]:
    """A list that gets the time of the start and of the end of each step."""
    from transformers import TrainerCallback

    times: list[float] = []

    class Clock(TrainerCallback):
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            times.append(time.perf_counter())

        def on_step_end(self, *_: Any, **__: Any) -> None:
            times.append(time.perf_counter())

    callback: TrainerCallback = Clock()
    trainer.add_callback(callback)
    return times


def _time_prediction(trainer: Any, examples: Sequence[Any]) -> float:
    """Seconds for each example."""
    if not examples:
        return 0.0
    stride = max(1, len(examples) // EXAMPLES_PREDICTED)
    sample = list(examples[::stride][:EXAMPLES_PREDICTED])
    began = time.perf_counter()
    trainer.predict_all(sample)
    return (time.perf_counter() - began) / len(sample)
