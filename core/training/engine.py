"""From a configuration to a trained model: what a run's folder holds when it is done, and how it goes on from there."""

from __future__ import annotations

import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.data.source import DataSource
from core.errors import InvalidInput
from core.libraries import import_transformers
from core.tasks.loaded import find_model_folder, load_tokenizer_of, read_setup, write_setup
from core.tasks.registry import find_task
from core.tasks.task import Hyperparameters, Setup, Task
from core.training.checkpoints import PREFIX, Found, find_newest, remove
from core.training.config import RunConfig, describe_differences, fill_options, parse_config
from core.training.events import Event, EventLog, Finished, Started, Stopped, plain
from core.training.folder import RunFolder, write_whole

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback, TrainingArguments

    from core.data.rows import BrokenRow
    from core.tasks.task import Features
    from core.training.trainer import TaskTrainer

STEPS_LOGGED = 200  # at most so many points in a curve
ROWS_TOLD = 20  # broken rows named in the first event
# Trained in bfloat16: their activations pass the largest number of fp16 (65,504).
FP16_OVERFLOWS = ("t5", "mt5", "umt5", "longt5", "switch_transformers")
SCHEDULES: Mapping[str, str] = {"linear": "linear", "cosine": "cosine", "constant": "constant_with_warmup"}


@dataclass(frozen=True)
class Parts:
    """The examples of a run."""

    train: Sequence[Any]
    validation: Sequence[Any]
    test: Sequence[Any]
    broken: Sequence[BrokenRow] = ()


@dataclass(frozen=True)
class Prepared:
    """Everything that training needs, loaded."""

    task: Task[Any]
    setup: Setup
    parts: Parts
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    features: Sequence[Features]


@dataclass(frozen=True, slots=True)
class Plan:
    """How many steps, and after how many of them something happens."""

    steps: int
    steps_per_epoch: int
    evaluate_every: int
    log_every: int


def train(folder: RunFolder, config: RunConfig, *, asked: Callable[[], bool], log: EventLog) -> Event:
    """Train, or go on training, and write the model; the last event is returned, and not written yet.

    Raises:
        InvalidInput: the configuration or the data cannot be used.
        ModelUnavailable: the model cannot.
        OSError, RuntimeError, MemoryError, DivergedError: what `core.training.failures` explains.
    """
    began = time.perf_counter()
    import_transformers()
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    found = find_newest(folder.checkpoints)
    _check_same_config(config, found)
    prepared = prepare(config)
    trainer, plan = build_trainer(prepared, config, folder=folder.checkpoints, tell=_teller(log))
    _watch(trainer, plan, prepared, found, asked)
    if trainer.args.should_save:
        for name in found.broken:
            remove(folder.checkpoints / name)
    if found.checkpoint and found.facts["over"]:
        trainer.take_up(found.checkpoint)
    else:
        trainer.train(resume_from_checkpoint=str(found.checkpoint) if found.checkpoint else None)
    return _conclude(trainer, plan, prepared, folder, seconds=time.perf_counter() - began)


def prepare(config: RunConfig) -> Prepared:
    """Load data, model and tokenizer and encode the training part.

    Raises:
        InvalidInput: a part is empty, a label is unknown, a precision does not fit.
        ModelUnavailable: the model cannot be used.
    """
    from huggingface_hub import is_offline_mode
    from transformers import set_seed

    from core.training.batches import own_randomness

    task, settings = find_task(config.task), config.hyperparameters
    parts = load_parts(task, config.data, seed=settings.seed)
    folder = find_model_folder(config.model, allow_download=not is_offline_mode())
    setup = make_setup(task, config, parts, folder=Path(folder))
    check_labels(task, parts, setup.labels)
    check_precision(settings.precision, Path(folder))
    tokenizer = load_tokenizer_of(Path(folder))
    set_seed(settings.seed)
    model: Any = task.load(folder, setup)
    model.set_attn_implementation(pick_attention())
    if config.lora:
        from core.training.adapters import add_adapters

        model = add_adapters(model, config.lora, folder=folder)
    for name, parameter in model.named_parameters():
        if any(part in name for part in config.frozen):
            parameter.requires_grad_(False)
        parameter.data = parameter.data.contiguous()  # safetensors writes no other (book.md 0.5)
    with own_randomness(settings.seed):
        features = task.prepare(parts.train, tokenizer, setup)
    if not len(features):
        raise InvalidInput("error.training.empty_part", part="train")
    return Prepared(task, setup, parts, model, tokenizer, features)


def pick_attention() -> str:
    """Name the attention to train with: without a GPU torch's fused one is slower backwards, most of all in bf16."""
    import torch

    return "sdpa" if torch.cuda.is_available() else "eager"


def load_parts(task: Task[Any], source: DataSource, *, seed: int) -> Parts:
    """The examples of all parts.

    Raises:
        InvalidInput: a part that was named or split off is empty; or what the reader of the data finds.
    """
    from core.data.loading import load_examples

    splits = load_examples(task, source, seed=seed)
    parts = Parts(splits.train, splits.validation, splits.test, splits.broken)
    if not parts.train:
        raise InvalidInput("error.training.empty_part", part="train")
    if not parts.validation and (source.validation or source.validation_share):
        raise InvalidInput("error.training.empty_part", part="validation")
    if not parts.test and source.test:
        raise InvalidInput("error.training.empty_part", part="test")
    return parts


def make_setup(task: Task[Any], config: RunConfig, parts: Parts, *, folder: Path) -> Setup:
    """What the task has to know. A model that was trained for this task with these labels keeps their order."""
    labels = config.data.labels or task.labels(parts.train)
    earlier = read_setup(folder)
    if earlier and earlier[0] == task.name and not config.data.labels and set(labels) <= set(earlier[1].labels):
        labels = earlier[1].labels
    settings = config.hyperparameters
    options = fill_options(task, config.options)
    return Setup(tuple(labels), settings.max_length, settings.max_target_length, options)


def check_labels(task: Task[Any], parts: Parts, labels: Sequence[str]) -> None:
    """Check that every example has a label that the model will know.

    Raises:
        InvalidInput: one has not; it is named.
    """
    if not labels:
        return
    known = frozenset(labels)
    for part in (parts.train, parts.validation, parts.test):
        for example in part:
            label = task.label_of(example)
            if label is not None and label not in known:
                raise InvalidInput("error.data.unknown_label", label=label[:40], known=", ".join(labels)[:200])


def check_precision(precision: str, folder: Path) -> None:
    """Check that a model can be trained in a precision on this machine.

    Raises:
        InvalidInput: T5 in fp16, or fp16 without a GPU.
    """
    if precision != "fp16":
        return
    import torch
    from transformers import AutoConfig

    kind = AutoConfig.from_pretrained(folder, trust_remote_code=False).model_type
    if kind in FP16_OVERFLOWS:
        raise InvalidInput("error.training.fp16_t5", type=kind)
    if not torch.cuda.is_available():
        raise InvalidInput("error.training.fp16_device")


def plan_steps(examples: int, settings: Hyperparameters, *, processes: int) -> Plan:
    """Count updates of the weights. Every process takes one batch after the other; a part of a batch counts whole."""
    batches = math.ceil(math.ceil(examples / settings.batch_size) / processes)
    per_epoch = math.ceil(batches / settings.accumulation)
    steps = settings.steps or max(1, math.ceil(settings.epochs * per_epoch))
    return Plan(steps, per_epoch, min(settings.evaluate_every or per_epoch, steps), max(1, steps // STEPS_LOGGED))


def build_trainer(
    prepared: Prepared,
    config: RunConfig,
    *,
    folder: Path,
    tell: Callable[[Event], object],
    dry_order: Any = None,
) -> tuple[TaskTrainer, Plan]:
    """The trainer of a run and its plan. A dry run takes its examples in `dry_order`, once, and saves nothing."""
    import torch
    from transformers import EarlyStoppingCallback
    from transformers.trainer_callback import PrinterCallback

    from core.training.batches import EpochOrder, Places, lengths_of, repeatable
    from core.training.trainer import TaskTrainer

    settings, features = config.hyperparameters, prepared.features
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    plan = plan_steps(len(features), settings, processes=processes)
    dry = dry_order is not None
    if dry:
        plan = replace(plan_steps(len(dry_order), replace(settings, steps=0, epochs=1), processes=1), log_every=10**6)
    evaluates = bool(prepared.parts.validation) and not dry
    arguments = _arguments(prepared.task, settings, plan, folder=folder, dry=dry, evaluates=evaluates)
    group = settings.batch_size * settings.accumulation * processes if settings.length_grouping else 0
    lengths = lengths_of(features) if group else [0] * len(features)
    callbacks: list[TrainerCallback] = []
    if settings.patience and evaluates:
        callbacks.append(EarlyStoppingCallback(settings.patience))
    trainer = TaskTrainer(
        task=prepared.task,
        setup=prepared.setup,
        tokenizer=prepared.tokenizer,
        validation=prepared.parts.validation if evaluates else (),
        folder=folder,
        order=dry_order
        or EpochOrder(
            lengths, seed=settings.seed, group=group, batch_size=settings.batch_size, processes=arguments.world_size
        ),
        tell=tell,
        facts={"config": config.as_json()},
        model=prepared.model,
        args=arguments,
        train_dataset=Places(features),
        data_collator=repeatable(prepared.task.collator(prepared.tokenizer, prepared.setup), seed=settings.seed),
        callbacks=callbacks,
    )
    trainer.remove_callback(PrinterCallback)  # the events tell
    if config.lora and settings.gradient_checkpointing:
        prepared.model.enable_input_require_grads()  # else no gradient passes the frozen embeddings
    # Processes must not drop out the same neurons.
    torch.manual_seed(settings.seed + arguments.process_index)
    return trainer, plan


def _arguments(
    task: Task[Any], settings: Hyperparameters, plan: Plan, *, folder: Path, dry: bool, evaluates: bool
) -> TrainingArguments:
    import torch
    from transformers import TrainingArguments

    on_cpu = not torch.cuda.is_available()
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=plan.steps,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.accumulation,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=SCHEDULES[settings.schedule],
        warmup_steps=math.ceil(settings.warmup * plan.steps),
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_gradient_norm,
        eval_strategy="steps" if evaluates else "no",
        eval_steps=plan.evaluate_every,
        save_strategy="no" if dry else "steps",
        save_steps=plan.evaluate_every,
        save_total_limit=None,  # the trainer removes old ones when the new one is sealed
        logging_steps=plan.log_every,
        logging_nan_inf_filter=False,
        load_best_model_at_end=evaluates,
        metric_for_best_model=f"eval_{task.metric}" if evaluates else None,
        greater_is_better=task.greater_is_better if evaluates else None,
        bf16=settings.precision == "bf16",
        fp16=settings.precision == "fp16",
        activation_checkpointing=settings.gradient_checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False} if settings.gradient_checkpointing else None,
        seed=settings.seed,
        average_tokens_across_devices=False,  # the trainer weights batches itself
        restore_callback_states_from_checkpoint=True,
        remove_unused_columns=False,
        label_names=["labels"],
        disable_tqdm=True,
        report_to=[],
        use_cpu=on_cpu,
        dataloader_pin_memory=not on_cpu,
        ddp_backend="gloo" if on_cpu and "WORLD_SIZE" in os.environ else None,
    )
    if arguments.n_gpu > 1:
        arguments._n_gpu = 1  # several GPUs are for torchrun; the Trainer would split each batch with DataParallel
    return arguments


def _teller(log: EventLog) -> Callable[[Event], object]:
    """Only the first process tells how it goes."""
    return log.write if int(os.environ.get("RANK", "0")) == 0 else lambda event: None


def _watch(trainer: TaskTrainer, plan: Plan, prepared: Prepared, found: Found, asked: Callable[[], bool]) -> None:
    from core.training.trainer import Reporter

    model = prepared.model

    def started(step: int, total: int) -> Started:
        return Started(
            step=step,
            total=total,
            steps_per_epoch=plan.steps_per_epoch,
            examples=len(prepared.features),
            validation=len(prepared.parts.validation),
            parameters=sum(p.numel() for p in model.parameters()),
            trainable=sum(p.numel() for p in model.parameters() if p.requires_grad),
            device=trainer.args.device.type,
            processes=trainer.args.world_size,
            labels=prepared.setup.labels,
            resumed_from=found.checkpoint.name if found.checkpoint else "",
            skipped=found.broken,
            broken=len(prepared.parts.broken),
            broken_rows=tuple(plain(row) for row in prepared.parts.broken[:ROWS_TOLD]),
        )

    trainer.add_callback(Reporter(trainer, started=started, asked=asked))


def _check_same_config(config: RunConfig, found: Found) -> None:
    """Refuse to go on from a checkpoint that was made with other settings."""
    if not found.checkpoint:
        return
    different = describe_differences([config, parse_config(found.facts["config"])])
    if different:
        raise InvalidInput("error.training.config_changed", fields=", ".join(sorted(different)))


def _conclude(trainer: TaskTrainer, plan: Plan, prepared: Prepared, folder: RunFolder, *, seconds: float) -> Event:
    """Score the test part, write model, predictions and metrics, and say how it ended."""
    from core.training.trainer import PREDICTIONS, read_predictions, score, write_predictions

    state, task = trainer.state, prepared.task
    best = Path(state.best_model_checkpoint) if state.best_model_checkpoint else None
    last = folder.checkpoints / f"{PREFIX}{state.global_step}"
    stored = (best or last) / PREDICTIONS
    predictions = None
    if stored.is_file():
        predictions = read_predictions(stored)
    elif prepared.parts.validation and not trainer.stopped:
        predictions = trainer.predict_all(prepared.parts.validation)
    test = None if trainer.stopped or not prepared.parts.test else trainer.predict_all(prepared.parts.test)
    if not trainer.args.should_save:
        trainer.accelerator.wait_for_everyone()
        return Finished(step=state.global_step, total=plan.steps, best_step=0, metrics={}, seconds=seconds)
    validation_metrics = score(task, predictions) if predictions else {}
    export(trainer, prepared, folder.model)
    if predictions:
        write_predictions(predictions, folder.predictions)
    if test:
        write_predictions(test, folder.test_predictions)
    write_whole(
        folder.metrics,
        plain(
            {
                "task": task.name,
                "metric": task.metric,
                "step": state.global_step,
                "total": plan.steps,
                "best_step": state.best_global_step or 0,
                "validation": validation_metrics,
                "test": score(task, test) if test else {},
                "examples": {
                    "train": len(prepared.parts.train),
                    "validation": len(prepared.parts.validation),
                    "test": len(prepared.parts.test),
                },
                "parameters": sum(p.numel() for p in prepared.model.parameters()),
                "device": trainer.args.device.type,
                "processes": trainer.args.world_size,
                "seconds": seconds,
                "peak_megabytes": peak_megabytes(),
            }
        ),
    )
    trainer.accelerator.wait_for_everyone()
    if trainer.stopped:
        return Stopped(step=state.global_step, total=plan.steps, model=True)
    return Finished(
        step=state.global_step,
        total=plan.steps,
        best_step=state.best_global_step or 0,
        metrics=validation_metrics,
        seconds=seconds,
        early=state.global_step < plan.steps,
    )


def export(trainer: TaskTrainer, prepared: Prepared, folder: Path) -> None:
    """Write the model with its adapters merged, its tokenizer and its setup; the folder changes all at once."""
    model: Any = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
    if hasattr(model, "merge_and_unload"):
        model = model.merge_and_unload()
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        model.save_pretrained(partial)
        prepared.tokenizer.save_pretrained(partial)
        write_setup(partial, prepared.task.name, prepared.setup)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    for path in partial.iterdir():
        path.chmod(0o644)  # safetensors lets nobody else read
    shutil.rmtree(folder, ignore_errors=True)
    partial.replace(folder)


def peak_megabytes() -> float:
    """The most memory this process has held so far: the GPU's where there is one, else the machine's."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e6
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset / 1e6
    status = Path("/proc/self/status")
    if status.exists():
        # Not getrusage: a process that was started by a large one counts that one's memory as its own.
        (line,) = (
            row for row in status.read_text(encoding="utf-8", errors="replace").splitlines() if row.startswith("VmHWM:")
        )
        return int(line.split()[1]) * 1024 / 1e6
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)
