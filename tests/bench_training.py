"""``python -m tests.bench_training [SECTION …]``: training, CRF decoding and embedding beside the usual libraries.

All run on one thread each and in turn, A B A B, for others may be at work on the machine; read the ratios of medians.
sentence-transformers and pytorch-crf are no dependencies of the project: ``pip install --no-deps --target DIR
sentence-transformers pytorch-crf`` and put DIR on PYTHONPATH; a section whose library is missing says so.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from core.data.source import DataSource
from core.tasks.task import Hyperparameters
from core.training.config import RunConfig, read_config, write_config
from core.training.events import Event, EventLog, Failed, Started, Step
from core.training.folder import RunFolder
from tests.app import ROOT

ENCODER = ROOT / "assets" / "models" / "encoder"
SAMPLES = ROOT / "assets" / "samples"
LABELS = ("positive", "negative")
SHORT = Hyperparameters(epochs=1, batch_size=16, learning_rate=2e-4, max_length=128)
LONG = replace(SHORT, batch_size=8, max_length=512)
REVIEWS, JOINED = 192, 64  # examples of an epoch; transformers groups nothing where there are fewer than 8 batches
ROUNDS = 3
TOLERANCE = 1e-5


@dataclass(frozen=True, slots=True)
class Pace:
    """Examples gone through, the seconds that took, and how many of them a processor worked on it."""

    examples: int
    seconds: float
    busy: float
    losses: tuple[float, ...] = ()


# ---- one training, in a process of its own ----


def train_by_engine(folder: str) -> None:
    """Train the run in `folder` as ``python -m core.training`` does and write its pace there."""
    from core.training.engine import train

    run = RunFolder(Path(folder))
    log = TimedLog(run.events)
    outcome = train(run, read_config(run.config), asked=lambda: False, log=log)
    assert not isinstance(outcome, Failed), outcome
    write_pace(run, log.times, log.losses)


class TimedLog(EventLog):
    """Events in their file, and beside it the times of the start and of every step."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.times: list[tuple[float, float]] = []
        self.losses: list[float] = []

    def write(self, event: Event) -> bool:
        """Write it and remember when."""
        written = super().write(event)
        if isinstance(event, Started | Step):
            self.times.append((time.perf_counter(), time.process_time()))
        if isinstance(event, Step):
            self.losses.append(event.loss)
        return written


def train_plainly(folder: str) -> None:
    """The same by the script that transformers' own documentation leads to."""
    from datasets import load_dataset
    from datasets.utils.logging import disable_progress_bar
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainerCallback,
        TrainingArguments,
        set_seed,
    )

    times: list[tuple[float, float]] = []
    losses: list[float] = []

    class Clock(TrainerCallback):
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            times.append((time.perf_counter(), time.process_time()))

        def on_log(self, *_: Any, **told: Any) -> None:
            if "loss" in (logs := told["logs"]):
                times.append((time.perf_counter(), time.process_time()))
                losses.append(float(logs["loss"]))

    disable_progress_bar()
    run = RunFolder(Path(folder))
    config = read_config(run.config)
    settings = config.hyperparameters
    set_seed(settings.seed)
    tokenizer = AutoTokenizer.from_pretrained(config.model)
    model = AutoModelForSequenceClassification.from_pretrained(config.model)
    rows = load_dataset("json", data_files=str(run.path / "ordered.jsonl"), split="train", cache_dir=folder)

    def encode(batch: dict[str, list[str]]) -> dict[str, Any]:
        encoded = tokenizer(batch["text"], truncation=True, max_length=settings.max_length)
        return {**encoded, "labels": [model.config.label2id[label] for label in batch["label"]]}

    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(run.path / "plain"),
            num_train_epochs=settings.epochs,
            per_device_train_batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            lr_scheduler_type=settings.schedule,
            warmup_steps=settings.warmup,
            weight_decay=settings.weight_decay,
            max_grad_norm=settings.max_gradient_norm,
            train_sampling_strategy="sequential",  # in the order that the engine draws
            logging_steps=1,
            save_strategy="no",
            seed=settings.seed,
            disable_tqdm=True,
            report_to=[],
        ),
        train_dataset=rows.map(encode, batched=True, remove_columns=rows.column_names),
        data_collator=DataCollatorWithPadding(tokenizer),
        callbacks=[Clock()],
    )
    trainer.train()
    write_pace(run, times, losses)


def write_pace(run: RunFolder, times: Sequence[tuple[float, float]], losses: Sequence[float]) -> None:
    """Write the pace from the first time, the start, to the last, the end of the last step."""
    (seconds, busy), (began, idle) = times[-1], times[0]
    examples = len((run.path / "ordered.jsonl").read_text(encoding="utf-8").splitlines())
    pace = Pace(examples, seconds - began, busy - idle, tuple(losses))
    (run.path / "pace.json").write_text(json.dumps(asdict(pace)), encoding="utf-8")


def run_alone(train: Callable[[str], None], config: RunConfig, rows: Sequence[Mapping[str, str]]) -> Pace:
    """Train on `rows`, every one once, in a new process."""
    from core.training.batches import order_examples

    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        run, seed = RunFolder(Path(name).resolve()), config.hyperparameters.seed
        write_rows(run.path / "train.jsonl", rows)
        order = order_examples([0] * len(rows), seed=seed, epoch=0)
        write_rows(run.path / "ordered.jsonl", [rows[index] for index in order])
        source = DataSource(train=str(run.path / "train.jsonl"), validation_share=0.0)  # nothing to evaluate
        write_config(replace(config, data=source), run.config)
        code = f"import tests.bench_training as bench; bench.{train.__name__}({name!r})"
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        read = json.loads((run.path / "pace.json").read_text(encoding="utf-8"))
        return Pace(**read | {"losses": tuple(read["losses"])})


def write_rows(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Write JSON lines."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


# ---- what is compared ----


def bench_engine(say: Callable[[str], object]) -> None:
    """The engine and a plain Trainer, over the same batches, from the same weights."""
    rows = read_sample("reviews")[:REVIEWS]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        config = RunConfig("classification", DataSource(""), model=make_classifier(folder), hyperparameters=SHORT)
        engine, plain = alternate(
            lambda: run_alone(train_by_engine, config, rows), lambda: run_alone(train_plainly, config, rows)
        )
    apart = max(abs(a - b) for a, b in zip(engine[0].losses, plain[0].losses, strict=True))
    say(table("engine against a plain Trainer", {"plain Trainer": plain, "engine": engine}, goal=1.0))
    say(
        f"Compared: one epoch over {REVIEWS} of the bundled reviews in the same batches of {SHORT.batch_size}, bundled "
        f"encoder, fp32, no evaluation,\nfrom the start of training to the end of its last step; the losses of the "
        f"two differ by {apart:.0e} at most.\n\n"
    )


def bench_grouping(say: Callable[[str], object]) -> None:
    """The engine with and without length grouping."""
    passages = [row["text"] for row in read_sample("passages")]
    draw = random.Random(0)
    texts = ["".join(draw.sample(passages, draw.randint(1, 6))) for _ in range(JOINED)]
    rows = [{"text": text, "label": LABELS[index % 2]} for index, text in enumerate(texts)]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        config = RunConfig("classification", DataSource(""), model=make_classifier(folder), hyperparameters=LONG)
        grouping = replace(config, hyperparameters=replace(LONG, length_grouping=True))
        grouped, mixed = alternate(
            lambda: run_alone(train_by_engine, grouping, rows),
            lambda: run_alone(train_by_engine, config, rows),
            rounds=2,
        )
    say(table("engine with length grouping against without", {"without": mixed, "with grouping": grouped}, goal=1.3))
    say(
        f"Compared: one epoch over {JOINED} texts, each one to six of the bundled passages joined, in batches of "
        f"{LONG.batch_size} cut at {LONG.max_length} tokens,\nbundled encoder, fp32, no evaluation.\n\n"
    )


def bench_crf(say: Callable[[str], object]) -> None:
    """CRF decoding, see `tests.bench_crf`."""
    from tests.bench_crf import describe

    say(describe() + "\n")


def bench_embedding(say: Callable[[str], object]) -> None:
    """`core.search.embed` and sentence-transformers."""
    try:
        library: Any = importlib.import_module("sentence_transformers")
        modules: Any = importlib.import_module("sentence_transformers.sentence_transformer.modules")
    except ModuleNotFoundError as error:
        say(f"embedding: {error.name} (sentence-transformers from 6 on) is not installed, so nothing was compared.\n")
        return
    import torch
    from transformers import AutoModel

    from core.search.embedding import embed
    from core.tasks.tokenizing import load_task_tokenizer

    torch.set_num_threads(1)
    passages = [row["text"] for row in read_sample("passages")]
    # A sentence, a passage, three passages, a sentence, …
    texts = [
        (text.partition("。")[0] + "。", text, "".join(passages[index - 2 : index + 1]))[index % 3]
        for index, text in enumerate(passages)
    ]
    tokenizer, model = load_task_tokenizer(str(ENCODER)), AutoModel.from_pretrained(ENCODER)
    reader = modules.Transformer(str(ENCODER), max_seq_length=512)
    theirs = library.SentenceTransformer(
        modules=[reader, modules.Pooling(model.config.hidden_size, "mean")], device=str(model.device)
    )

    def embed_ours() -> Any:
        return embed(model, tokenizer, texts, pooling="mean", batch_size=32)

    def embed_theirs() -> Any:
        return theirs.encode(texts, batch_size=32, show_progress_bar=False)

    apart = float(np.abs(embed_ours() - embed_theirs()).max())
    assert apart <= TOLERANCE, apart
    ours, others = alternate(lambda: clock(embed_ours, len(texts)), lambda: clock(embed_theirs, len(texts)))
    say(table("embed against sentence-transformers", {"sentence-transformers": others, "embed": ours}, goal=1.0))
    say(
        f"Compared: {len(texts)} texts of a sentence to three passages, tokenized and embedded by the bundled encoder "
        f"with mean pooling in batches of 32;\nthe results differ by {apart:.0e} at most.\n\n"
    )


def read_sample(name: str) -> list[dict[str, str]]:
    """Text and label, where there is one, of a bundled sample's rows."""
    with (SAMPLES / f"{name}.jsonl").open(encoding="utf-8") as file:
        return [{key: value for key, value in json.loads(line).items() if key in ("text", "label")} for line in file]


def make_classifier(folder: str) -> str:
    """The bundled encoder with a new head, written into `folder`, so that all begin with the same weights."""
    import torch

    from core.tasks.heads import load_classifier
    from core.tasks.tokenizing import load_task_tokenizer

    torch.manual_seed(0)
    load_classifier(str(ENCODER), LABELS).save_pretrained(folder)
    load_task_tokenizer(str(ENCODER)).save_pretrained(folder)
    return folder


# ---- measuring and showing ----


def alternate(first: Callable[[], Pace], second: Callable[[], Pace], *, rounds: int = ROUNDS) -> list[list[Pace]]:
    """The paces of both, taken in turn."""
    pairs = [(first(), second()) for _ in range(rounds)]
    return [list(paces) for paces in zip(*pairs, strict=True)]


def clock(function: Callable[[], object], examples: int) -> Pace:
    """The pace of one call."""
    began, idle = time.perf_counter(), time.process_time()
    function()
    return Pace(examples, time.perf_counter() - began, time.process_time() - idle)


def hush() -> None:
    """No reports of the weights that were loaded: base models have heads nobody asked for here."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()


def table(title: str, sides: Mapping[str, Sequence[Pace]], *, goal: float) -> str:
    """A line for each side and one for the ratio of the last to the first, by the clock and by processor time."""
    lines = [f"{title:44} {'median':>8} {'lowest':>8} {'highest':>8} {'busy':>8}"]
    medians = []
    for name, paces in sides.items():
        rates = [pace.examples / pace.seconds for pace in paces]
        busy = statistics.median(pace.examples / pace.busy for pace in paces)
        medians.append((statistics.median(rates), busy))
        lines.append(
            f"{f'  {name}, per second':44} {medians[-1][0]:8.1f} {min(rates):8.1f} {max(rates):8.1f} {busy:8.1f}"
        )
    (base, base_busy), (rate, rate_busy) = medians[0], medians[-1]
    lines.append(f"{f'  ratio (goal {goal} or more)':44} {rate / base:7.2f}× {'':17} {rate_busy / base_busy:7.2f}×")
    return "\n".join(lines) + "\n"


SECTIONS: tuple[tuple[str, Callable[[Callable[[str], object]], None]], ...] = (
    ("engine", bench_engine),
    ("grouping", bench_grouping),
    ("crf", bench_crf),
    ("embedding", bench_embedding),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables of the sections that are named, of all when none is."""
    names = [name for name, _ in SECTIONS]
    parser = argparse.ArgumentParser(prog="python -m tests.bench_training", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(names))
    chosen = parser.parse_args(arguments).sections or names
    if unknown := set(chosen) - set(names):  # `choices` would refuse the empty list as well
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(names)}")

    def say(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    hush()
    say("Examples per second; “busy” counts only the seconds in which a processor worked on it.\n\n")
    for name, section in SECTIONS:
        if name in chosen:
            section(say)


if __name__ == "__main__":
    main()
