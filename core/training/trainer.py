"""transformers' Trainer with this project's tasks, order of examples, checkpoints and events.

The module imports torch and transformers: only functions import it.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import TrainerState
from transformers.trainer_utils import rotate_checkpoints

from core.tasks.task import Prediction, Setup, Task
from core.training.batches import SPARE_BATCH, EpochOrder, kept_randomness
from core.training.checkpoints import PREFIX, read_seal, remove, seal
from core.training.events import Evaluated, Event, Saved, Started, Step, plain
from core.training.failures import DivergedError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PREDICTIONS = "predictions.jsonl"
CHECKPOINTS_KEPT = 2  # the newest, and the best or the one before
SECONDS_BETWEEN_CHECKPOINTS = 600.0  # where evaluations are rarer than that
SAMPLES_SHOWN = 5
# Models whose loss is a mean over labelled tokens; every other loss counts as a mean over examples.
TOKEN_HEADS = ("ForTokenClassification", "ForMaskedLM", "ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
SHIFTED_HEADS = ("ForCausalLM", "LMHeadModel")
# Tasks that judge an example among the others (a pool of passages, the sentences of a batch): never a share of them.
JUDGED_TOGETHER = ("retrieval", "simcse", "simcse-supervised")

Tell = Callable[[Event], object]


class TaskTrainer(Trainer):
    """Trains a model of a task: the result depends on the seed, never on how often the run was interrupted."""

    loss_is_scaled_for_ga = True  # `compute_loss` weights each batch by its share of the whole step

    def __init__(
        self,
        *,
        task: Task[Any],
        setup: Setup,
        tokenizer: PreTrainedTokenizerBase,
        validation: Sequence[Any],
        order: EpochOrder,
        folder: Path,
        tell: Tell,
        facts: dict[str, Any],
        **arguments: Any,
    ) -> None:
        """`folder` takes the checkpoints, `tell` the events; `facts` are sealed with every checkpoint."""
        self.task = task
        self.setup = setup
        self.tokenizer = tokenizer
        self.order = order
        self.validation = validation
        self.folder = folder
        self.tell = tell
        self.facts = facts
        self.seconds_aside = 0.0  # spent on evaluation and checkpoints
        self.stopped = False  # by request
        self._evaluated: tuple[int, list[Prediction], dict[str, float]] | None = None
        super().__init__(eval_dataset=list(validation) or None, **arguments)

    # ---- data and loss ----

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        return self.order

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> Tensor | None:
        """What the whole step averages over: labelled tokens or examples of all its batches on all processes."""
        if not batch_samples:
            return None
        items = torch.stack([self._count(batch) for batch in batch_samples]).sum().to(device)
        return self.accelerator.gather(items).sum() if self.args.world_size > 1 else items

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """The batch's mean loss, times its share of the step: accumulation and processes change nothing but memory.

        Processes may have batches of different sizes, or a spare one that counts nothing (`core.training.batches`): all
        of them go forward and backward together.

        The Trainer's own way multiplies the loss of every model that swallows unknown arguments, and most models of
        transformers 5 do so without using them.
        """
        from core.tasks.encoders import spare_rows

        spare = SPARE_BATCH in inputs
        inputs = {name: value for name, value in inputs.items() if name != SPARE_BATCH}
        with spare_rows() if spare else nullcontext():
            outputs = model(**inputs)
        loss: Tensor = outputs["loss"]
        items = self._count(inputs)
        if num_items_in_batch is not None:
            if not items:  # no label in this batch: the mean of nothing would be NaN
                loss = outputs["logits"].float().sum() * 0.0
            share = 0.0 if spare else items / num_items_in_batch
            loss = loss * (share * self.args.world_size)  # processes are averaged
        return (loss, outputs) if return_outputs else loss

    def training_step(self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Tensor:
        """As the Trainer does it, but a loss that is no number ends the run before it reaches the weights."""
        loss = super().training_step(model, inputs, num_items_in_batch)
        if not torch.isfinite(loss):
            raise DivergedError(self.state.global_step)
        return loss

    def _count(self, batch: dict[str, Any]) -> Tensor:
        """What the batch's loss is a mean over: labelled tokens or examples."""
        if SPARE_BATCH in batch:
            return torch.tensor(0)
        model = self.accelerator.unwrap_model(self.model)
        name = type(model.get_base_model() if hasattr(model, "get_base_model") else model).__name__
        labels = batch.get("labels")
        if labels is None or not name.endswith(TOKEN_HEADS):
            return torch.tensor(len(next(iter(batch.values()))))
        return (labels[..., 1:] if name.endswith(SHIFTED_HEADS) else labels).ne(-100).sum().cpu()

    # ---- evaluation ----

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: list[str] | None = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """Metrics of the task's own predictions, among them the mean of the examples' losses."""
        started = time.perf_counter()
        predictions = self.predict_all(self.validation if eval_dataset is None else eval_dataset)
        with kept_randomness():  # a metric may load a model
            scores = score(self.task, predictions)
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in scores.items()}
        self._evaluated = (self.state.global_step, predictions, scores)
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        self.seconds_aside += time.perf_counter() - started
        return metrics

    def predict_all(self, examples: Sequence[Any]) -> list[Prediction]:
        """The predictions for all examples on every process, each of which predicts its share, or all of them."""
        size, rank = self.args.world_size, self.args.process_index
        if self.task.name in JUDGED_TOGETHER:
            size, rank = 1, 0
        own = range(rank, len(examples), size)
        with kept_randomness(), self.accelerator.autocast():
            found = self.task.predict(
                self.accelerator.unwrap_model(self.model),
                self.tokenizer,
                [examples[index] for index in own],
                self.setup,
                batch_size=self.args.per_device_eval_batch_size,
            )
        rows = [asdict(prediction) | {"index": index} for index, prediction in zip(own, found, strict=True)]
        if size > 1:
            shares: list[list[dict[str, Any]]] = [[] for _ in range(size)]
            torch.distributed.all_gather_object(shares, rows)
            rows = [row for share in shares for row in share]
        return [Prediction(**row) for row in sorted(rows, key=lambda row: row["index"])]

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        best = super()._determine_best_metric(metrics, trial)
        assert self._evaluated is not None  # the Trainer evaluates before it compares
        step, predictions, scores = self._evaluated
        self.tell(Evaluated(step=step, metrics=scores, best=best, samples=self._show(predictions)))
        return best

    def _show(self, predictions: Sequence[Prediction]) -> tuple[dict[str, Any], ...]:
        """A few predictions with their examples, spread over the data."""
        stride = max(1, len(predictions) // SAMPLES_SHOWN)
        return tuple(
            {
                "row": self.task.write(self.validation[shown.index]),
                "gold": shown.gold,
                "predicted": shown.predicted,
                "loss": shown.loss,
                "scores": dict(shown.scores),
            }
            for shown in predictions[::stride][:SAMPLES_SHOWN]
        )

    # ---- checkpoints ----

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        """A checkpoint that is sealed when all of it is written; what could not be written to the end is removed."""
        started = time.perf_counter()
        checkpoint = self.folder / f"{PREFIX}{self.state.global_step}"
        try:
            super()._save_checkpoint(model, trial)
            if self.args.should_save and self._evaluated and self._evaluated[0] == self.state.global_step:
                write_predictions(self._evaluated[1], checkpoint / PREDICTIONS)
            self.accelerator.wait_for_everyone()  # every process writes its random states
            if self.args.should_save:
                over = self.control.should_training_stop and not self.stopped
                seal(checkpoint, step=self.state.global_step, over=over, **self.facts)
        except BaseException:
            if self.args.should_save:
                remove(checkpoint)
            raise
        if self.args.should_save:
            rotate_checkpoints(
                str(self.folder), CHECKPOINTS_KEPT, best_model_checkpoint=self.state.best_model_checkpoint
            )
            self.tell(Saved(step=self.state.global_step, checkpoint=checkpoint.name))
        self.seconds_aside += time.perf_counter() - started

    def _init_training_state(self, *arguments: Any) -> tuple[int, int]:
        trained = super()._init_training_state(*arguments)
        self._find_best()
        return trained

    def _find_best(self) -> None:
        """Find the best checkpoint by its step (the run may have been moved); forget it when it is broken."""
        if self.state.best_global_step is None:
            return
        best = self.folder / f"{PREFIX}{self.state.best_global_step}"
        if read_seal(best) is not None:
            self.state.best_model_checkpoint = str(best)
        else:
            self.state.best_model_checkpoint = self.state.best_metric = self.state.best_global_step = None

    def take_up(self, checkpoint: Path) -> None:
        """Stand where a run that is over stands, without training: with its state and its best weights."""
        self.state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
        self._find_best()
        self._load_from_checkpoint(self.state.best_model_checkpoint or str(checkpoint))


class Reporter(TrainerCallback):
    """Tells how training goes, chooses each epoch's order, and ends it when somebody asks."""

    def __init__(
        self, trainer: TaskTrainer, *, started: Callable[[int, int], Started], asked: Callable[[], bool]
    ) -> None:
        """`started` makes the first event from the step and the total; `asked` says whether to stop."""
        self._trainer = trainer
        self._started = started
        self._asked = asked
        self._begun = self._logged = self._saved = time.perf_counter()
        self._first = self._step = 0
        self._aside = 0.0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: Any, **_: Any) -> None:
        """Say that it begins."""
        self._begun = self._logged = self._saved = time.perf_counter()
        self._first = self._step = state.global_step
        self._trainer.tell(self._started(state.global_step, state.max_steps))

    def on_epoch_begin(self, args: TrainingArguments, state: TrainerState, control: Any, **_: Any) -> None:
        """Choose the order; a loader that is made to skip batches does not know its epoch."""
        self._trainer.order.set_epoch(math.floor(state.epoch or 0.0))

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: Any, **_: Any) -> None:
        """Stop when asked, all processes after the same step; save when the last checkpoint is long ago."""
        late = time.perf_counter() - self._saved > SECONDS_BETWEEN_CHECKPOINTS
        wishes = torch.tensor([self._asked(), late], dtype=torch.int32, device=args.device)
        if args.world_size > 1:
            torch.distributed.all_reduce(wishes, op=torch.distributed.ReduceOp.MAX)
        asked, late = wishes.bool().tolist()
        if asked and state.global_step < state.max_steps:
            self._trainer.stopped = True
            control.should_save = control.should_training_stop = True
        elif late:
            control.should_save = True

    def on_save(self, args: TrainingArguments, state: TrainerState, control: Any, **_: Any) -> None:
        """Remember when."""
        self._saved = time.perf_counter()

    def on_log(self, args: TrainingArguments, state: TrainerState, control: Any, logs: Any = None, **_: Any) -> None:
        """Tell the mean loss and the pace since the last time."""
        steps = state.global_step - self._step
        if "loss" not in logs or not steps:
            return
        now = time.perf_counter()
        seconds = now - self._logged - (self._trainer.seconds_aside - self._aside)
        examples = steps * args.per_device_train_batch_size * args.gradient_accumulation_steps * args.world_size
        left = (now - self._begun) / (state.global_step - self._first) * (state.max_steps - state.global_step)
        self._trainer.tell(
            Step(
                step=state.global_step,
                total=state.max_steps,
                loss=float(logs["loss"]),
                learning_rate=float(logs["learning_rate"]),
                gradient_norm=float(logs.get("grad_norm", math.nan)),
                samples_per_second=examples / max(seconds, 1e-9),
                seconds_left=left,
            )
        )
        self._logged, self._step, self._aside = now, state.global_step, self._trainer.seconds_aside


def score(task: Task[Any], predictions: Sequence[Prediction]) -> dict[str, float]:
    """The task's metrics, and as ``loss`` the mean of the examples' losses where the task has none of its own."""
    losses = [prediction.loss for prediction in predictions if not math.isnan(prediction.loss)]
    mean = math.fsum(losses) / len(losses) if losses else math.nan
    return {"loss": mean, **task.score(predictions)}


def write_predictions(predictions: Sequence[Prediction], path: Path) -> None:
    """Write predictions as JSON lines."""
    with path.open("w", encoding="utf-8") as file:
        for prediction in predictions:
            file.write(json.dumps(plain(prediction), ensure_ascii=False) + "\n")


def read_predictions(path: Path) -> list[Prediction]:
    """Read what `write_predictions` wrote."""
    with path.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [Prediction(**row | {"loss": math.nan if row["loss"] is None else row["loss"]}) for row in rows]
