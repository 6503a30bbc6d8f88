"""What the language models' recipes share: one trainer, a stop that keeps a checkpoint, the plans of a run.

A step's batch depends on nothing but its number, so a run that stopped goes on exactly where it was.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.bundled.files import read_json, write_json

if TYPE_CHECKING:
    from torch import Tensor
    from torch.utils.data import Dataset
    from transformers import PreTrainedModel, TrainerCallback

SHARD_SIZE = "9MB"  # no file of the project is larger than 10 MB
START = "start"  # in the work folder: an earlier model to go on from, where somebody put one
METRICS = "metrics.json"  # of an exported model: how it was trained, and later what was measured


@dataclass(frozen=True, slots=True)
class Pace:
    """How weights are changed: peak learning rate, linear warm-up (a share of all steps) and decay to zero."""

    learning_rate: float = 1.2e-3
    weight_decay: float = 0.05
    warmup: float = 0.03
    save_every: int = 300  # steps


def has_fast_bf16() -> bool:
    """Whether bf16 trains faster than fp32 here: on a GPU and on CPUs with its instructions; others imitate it."""
    import torch

    return torch.cuda.is_available() or torch.backends.cpu.get_cpu_capability() == "AVX512"


def find_checkpoint(work: Path) -> Path | None:
    """Find the newest checkpoint of a work folder."""
    from transformers.trainer_utils import get_last_checkpoint

    folder = work / "checkpoints"
    newest = get_last_checkpoint(str(folder)) if folder.exists() else None
    return Path(newest) if newest else None


def read_earlier(work: Path) -> dict[str, Any]:
    """Read how the model that this run went on from was trained: under ``earlier``, or nothing where it began anew."""
    facts = work / START / METRICS
    return {"earlier": read_json(facts)["training"]} if facts.exists() else {}


def train_model(
    model: PreTrainedModel,
    batches: Dataset[dict[str, Tensor]],
    *,
    work: Path,
    steps: int,
    seed: int,
    pace: Pace,
    callbacks: Sequence[TrainerCallback] = (),
) -> Path:
    """Train on ready batches, from the last checkpoint if there is one, and return the newest checkpoint."""
    import torch
    from transformers import Trainer, TrainingArguments

    from core.bundled.optimizer import MuonWithAdamW

    checkpoint = find_checkpoint(work)
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(work / "checkpoints"),
            max_steps=steps,
            per_device_train_batch_size=1,  # an item is a batch
            train_sampling_strategy="sequential",  # the batches are shuffled already
            learning_rate=pace.learning_rate,
            warmup_steps=pace.warmup,
            use_cpu=not torch.cuda.is_available(),
            bf16=has_fast_bf16(),
            save_steps=pace.save_every,
            save_total_limit=2,
            logging_steps=max(1, steps // 100),
            disable_tqdm=True,
            dataloader_pin_memory=torch.cuda.is_available(),
            remove_unused_columns=False,
            seed=seed,
        ),
        train_dataset=batches,
        data_collator=take_batch,
        callbacks=[stop_on_signal(), *callbacks],
        optimizers=(MuonWithAdamW(model, learning_rate=pace.learning_rate, weight_decay=pace.weight_decay), None),
    )
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    newest = find_checkpoint(work)
    assert newest is not None  # the Trainer saves at its last step
    return newest


def take_batch(items: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Unwrap the one item that is a batch already, for the data loader."""
    (batch,) = items
    return batch


def stop_on_signal() -> TrainerCallback:
    """Return a callback that, at SIGTERM or SIGINT, lets the running step end, saves a checkpoint and stops."""
    from transformers import TrainerCallback

    class StopOnSignal(TrainerCallback):
        asked = False

        def ask(self, *_: object) -> None:
            self.asked = True

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            self.previous = {name: signal.signal(name, self.ask) for name in (signal.SIGTERM, signal.SIGINT)}

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if self.asked:
                control.should_save = control.should_training_stop = True

        def on_train_end(self, *_: Any, **__: Any) -> None:
            for name, handler in self.previous.items():
                signal.signal(name, handler)

    return StopOnSignal()


def note_plan(work: Path, steps: int, *, seed: int, shape: Any, checkpoint: Path | None) -> None:
    """Keep in ``run.json`` how this run trains, and from which step on it followed which number of steps in all.

    Raises: ValueError when the checkpoint belongs to a run of another shape or seed.
    """
    settings = {"shape": asdict(shape), "seed": seed}
    plans: list[list[int]] = []
    start = 0
    if checkpoint is not None:
        run = read_json(work / "run.json")
        if {"shape": run["shape"], "seed": run["seed"]} != settings:
            raise ValueError(f"{checkpoint} was trained with other settings: {run}")
        plans, start = run["plans"], int(checkpoint.name.rpartition("-")[2])
    if not plans or plans[-1][1] != steps:
        plans.append([start, steps])
    write_json(work / "run.json", settings | {"plans": plans})


def export_model(model: PreTrainedModel, folder: Path, *, dropout: float) -> None:
    """Write a model in half precision and in shards; the configuration names the dropout that fine-tuning wants.

    Half precision is for the disk: without a dtype of the caller's the model is loaded in the precision of a CPU.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout_rate"):
        if hasattr(model.config, name):
            setattr(model.config, name, dropout)
    for stale in folder.glob("*.safetensors*"):
        stale.unlink()
    model.half().save_pretrained(folder, max_shard_size=SHARD_SIZE)
    write_json(folder / "config.json", read_json(folder / "config.json") | {"dtype": "float32"})
