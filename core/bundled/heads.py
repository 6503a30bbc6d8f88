"""The recipes of the heads: what the encoder and the encoder-decoder learn to do, by the engine that learners use too.

data/train.jsonl, data/validation.jsonl   rows in the form of the task
run/                                      a run of `core.training`: the same command goes on where it stopped
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

from core.bundled import labelled
from core.bundled.files import read_json, write_json
from core.bundled.gathering import Gathered, write_lines
from core.bundled.pretraining import SHARD_SIZE, has_fast_bf16
from core.bundled.recipe import Recipe, Request
from core.bundled.shards import LOWER, READER, VECTORS, Part, share_weights
from core.data.source import DataSource
from core.tasks.task import Hyperparameters
from core.training.config import RunConfig

log = logging.getLogger(__name__)

TRAINING = "training.json"


@dataclass(frozen=True)
class Head:
    """One thing to learn: the task, what it starts from (a bundled name), its rows, and its settings."""

    name: str
    task: str
    base: str
    gather: Callable[..., Gathered]  # of the data folder, and of the teacher's where it is taught
    settings: Hyperparameters
    options: Mapping[str, Any] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    taught: bool = False  # by its base, which labels more rows for it
    shared: tuple[Part, ...] = (VECTORS,)  # what stays as it is in the foundation, and lies there
    shipped: bool = True  # else only a step on the way to another head


FINE = Hyperparameters(
    epochs=3, batch_size=32, learning_rate=2e-4, weight_decay=0.01, max_length=128, length_grouping=True, seed=1
)

HEADS = (
    Head("sentiment", "classification", "encoder", partial(labelled.gather_sentiment, comments=60_000, seed=1),
         replace(FINE, epochs=2), labels=("positive", "negative")),
    Head("similarity", "similarity", "encoder", labelled.gather_similarity, replace(FINE, epochs=6)),
    Head("inference", "pair-classification", "similarity",
         partial(labelled.gather_inference, templates=2_000, made=9_000, seed=1), replace(FINE, epochs=4),
         labels=("entailment", "contradiction", "neutral")),
    Head("other-names", "tagging", "encoder", labelled.gather_other_names,
         replace(FINE, epochs=4, learning_rate=3e-4), shipped=False),
    Head("tagging-crf", "tagging-crf", "other-names", labelled.gather_names,
         replace(FINE, epochs=12, learning_rate=3e-4, max_length=256), options={"transition_speed": 10.0}),
    Head("tagging", "tagging", "tagging-crf",
         partial(labelled.gather_taught_names, sentences=16_000, seed=1),
         replace(FINE, epochs=12, learning_rate=1e-3, max_length=256), taught=True),
    Head("simcse", "simcse", "encoder", partial(labelled.gather_sentences, sentences=24_000, seed=1),
         replace(FINE, steps=2_000, batch_size=16, learning_rate=3e-4, max_length=32, evaluate_every=200,
                 length_grouping=False),
         options={"pooling": "mean", "deletion": 0.4, "ranking": 4.0, "neighbours": 3}),
    Head("simcse-supervised", "simcse-supervised", "simcse", partial(labelled.gather_triples, seed=1),
         replace(FINE, epochs=4, batch_size=64, learning_rate=1e-4, max_length=48, evaluate_every=40,
                 length_grouping=False),
         options={"pooling": "mean"}),
    Head("choice", "multiple-choice", "encoder", labelled.gather_choice,
         replace(FINE, epochs=3, batch_size=16, learning_rate=5e-4, max_length=48), shared=(VECTORS, LOWER)),
    Head("retrieval", "retrieval", "simcse",
         partial(labelled.gather_questions, questions=24_000, validation=600, seed=1),
         replace(FINE, epochs=1, learning_rate=3e-4, max_length=160, max_gradient_norm=2.0, evaluate_every=500,
                 length_grouping=False),
         options={"shared": True, "question_length": 64}),
    Head("reading", "reading", "encoder",
         partial(labelled.gather_reading, whole=0.2, characters=240, seed=1),
         replace(FINE, epochs=1, learning_rate=3e-4, max_length=384, evaluate_every=500),
         options={"stride": 128, "answer_length": 12}),  # as long as 99 of 100 answers that train
    Head("headline", "headline", "seq2seq", labelled.gather_headlines,
         replace(FINE, epochs=2, batch_size=16, learning_rate=5e-5, max_length=192, max_target_length=48),
         options={"num_beams": 4, "max_new_tokens": 32, "min_new_tokens": 12, "no_repeat_ngram_size": 3},
         shared=(VECTORS, READER)),
)  # fmt: skip


def configure(head: Head, request: Request) -> RunConfig:
    """Describe the run; the base is the shipped model of that name, or the run of a head that is not shipped."""
    models = request.assets / "models"
    step = request.work.parent / head.base / "run/model"
    return RunConfig(
        task=head.task,
        model=str((models / head.base if (models / head.base).exists() else step).resolve()),
        data=DataSource(
            train=str(request.work / "data/train.jsonl"),
            validation=str(request.work / "data/validation.jsonl"),
            labels=head.labels,
        ),
        hyperparameters=replace(head.settings, seed=request.seed, precision="bf16" if has_fast_bf16() else "fp32"),
        options=head.options,
        frozen=tuple(piece for part in head.shared for piece in part.pieces),
    )


def train_head(head: Head, request: Request) -> None:
    """Gather the rows, train or go on training, and export the best checkpoint.

    Raises: RuntimeError when the run ended otherwise than by finishing.
    """
    from core.training.config import write_config
    from core.training.events import Finished
    from core.training.process import work

    counts, run = request.work / "data/counts.json", request.work / "run"
    if not counts.exists():
        teacher = {"teacher": request.assets / "models" / head.base} if head.taught else {}
        gathered = head.gather(request.data, **teacher)
        write_lines(gathered.train, request.work / "data/train.jsonl")
        write_lines(gathered.validation, request.work / "data/validation.jsonl")
        rows = [asdict(labelled_set) | {"rows": number} for labelled_set, number in gathered.counts]
        write_json(counts, {"data": rows, "judges": gathered.judges})
    run.mkdir(parents=True, exist_ok=True)
    if not (run / "config.json").exists():
        write_config(configure(head, request), run / "config.json")
    outcome = work(run)
    if not isinstance(outcome, Finished):
        raise RuntimeError(f"{head.name} did not finish: {outcome}")
    if head.shipped:
        export_head(head, request)


def export_head(head: Head, request: Request) -> None:
    """Write the trained model in half precision, without what it shares with the encoder, and how it was trained."""
    from transformers import AutoTokenizer

    from core.tasks.loaded import read_setup, write_setup
    from core.tasks.registry import find_task

    trained, folder = request.work / "run/model", request.assets / "models" / head.name
    read = read_setup(trained)
    assert read is not None  # the engine writes it with every model
    task, setup = read
    model = find_task(task).load(str(trained), setup).half()
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*.safetensors*"):
        stale.unlink()
    model.save_pretrained(folder, max_shard_size=SHARD_SIZE)
    AutoTokenizer.from_pretrained(trained).save_pretrained(folder)
    config = read_json(folder / "config.json")
    write_json(folder / "config.json", config | {"dtype": "float32"})
    write_setup(folder, task, setup)
    share_weights(folder, request.assets / "models" / find_task(task).architecture, head.shared)
    events = [json.loads(line) for line in (request.work / "run/events.jsonl").read_text(encoding="utf-8").splitlines()]
    run_config = read_json(request.work / "run/config.json")
    data = run_config.pop("data")
    write_json(
        folder / TRAINING,
        {
            "task": task,
            "base": head.base,
            "parameters": model.num_parameters(),
            "data": _list_data(head, request),
            "judges": read_json(request.work / "data/counts.json").get("judges", ""),
            "labels": data["labels"],
            "config": {name: run_config[name] for name in ("hyperparameters", "options", "frozen")},
            "steps": max((event.get("step", 0) for event in events), default=0),
            "seed": request.seed,
        },
    )
    for path in folder.iterdir():
        path.chmod(0o644)


def _list_data(head: Head, request: Request) -> list[dict[str, Any]]:
    """What a head learned from, and what the step before it learned from where that has no card of its own."""
    data: list[dict[str, Any]] = read_json(request.work / "data/counts.json")["data"]
    step = request.work.parent / head.base / "data/counts.json"
    shipped = (request.assets / "models" / head.base).exists()
    return data if shipped or not step.exists() else [*data, *read_json(step)["data"]]


def _recipe(head: Head) -> Recipe:
    return Recipe(
        head.name,
        megabytes=0,
        train=partial(train_head, head),
        export=partial(export_head, head) if head.shipped else None,
    )


RECIPES = tuple(map(_recipe, HEADS))
