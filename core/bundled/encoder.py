"""The recipe of the bundled encoder: a small Japanese BERT that is used exactly as the book uses Tohoku BERT.

    sample.txt  a mix of whole documents           words.txt   the same, cut into MeCab words
    vocab.txt   WordPiece                          stream.npy  token ids, [SEP] after each document
    mix.json    the megabytes of each corpus       run.json    how the run trains, and its plans
    checkpoints/

Each step leaves one file in the work folder and is skipped when the file is there, so an interrupted run goes on.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.bundled.card import write_encoder_card
from core.bundled.corpus import draw_sample, segment_sample
from core.bundled.evaluation import COUNTS, METRICS, evaluate
from core.bundled.files import read_json, write_json
from core.bundled.recipe import Recipe, Request
from core.bundled.start import start_from_counts
from core.bundled.vocabulary import MODEL_MAX_LENGTH, encode_words, save_bert_tokenizer, train_wordpiece

if TYPE_CHECKING:
    from transformers import BertConfig, TrainerCallback

log = logging.getLogger(__name__)

FOLDER = Path("models/encoder")  # under the assets
SHARD_SIZE = "9MB"  # no file of the project is larger than 10 MB


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of the model and of its training; the defaults are the shipped encoder's."""

    vocabulary: int = 12_000
    width: int = 256
    layers: int = 4
    heads: int = 4
    inner: int = 1_024
    tokens_per_step: int = 2_048
    masked: float = 0.2
    short: int = 128
    long: int = MODEL_MAX_LENGTH
    share_long: float = 0.06
    learning_rate: float = 1e-3
    warmup: float = 0.06  # of all steps
    save_every: int = 300  # steps


def count_processes() -> int:
    """Count the processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def prepare(data: Path, work: Path, *, megabytes: float, seed: int, shape: Shape) -> None:
    """Make what training reads: the sample, its words, the vocabulary and the stream of token ids."""
    sample, words, vocabulary, stream = (work / name for name in ("sample.txt", "words.txt", "vocab.txt", "stream.npy"))
    if not sample.exists():
        mix = draw_sample(data, sample, megabytes=megabytes, seed=seed)
        log.info("sample drawn, MB of each corpus: %s", mix)
        write_json(work / "mix.json", mix)
    if not words.exists():
        segment_sample(sample, words, processes=count_processes())
    if not vocabulary.exists():
        train_wordpiece(words, vocabulary, size=shape.vocabulary)
    if not stream.exists():
        encode_words(words, vocabulary, stream)
    save_bert_tokenizer(vocabulary, work / "tokenizer")


def configure(shape: Shape) -> BertConfig:
    """Describe the model. Dropout is off: training sees each text at most once, so there is nothing to overfit."""
    from transformers import BertConfig

    return BertConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.inner,
        max_position_embeddings=MODEL_MAX_LENGTH,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=shape.width**-0.5,  # BERT's 0.02 belongs to its width of 768
        pad_token_id=0,
    )


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


def train(work: Path, *, steps: int, seed: int, shape: Shape, callbacks: Sequence[TrainerCallback] = ()) -> Path:
    """Train on the prepared stream, from the last checkpoint if there is one, and return the newest checkpoint."""
    import torch
    from transformers import AutoTokenizer, Trainer, TrainingArguments, set_seed
    from transformers.trainer_utils import get_last_checkpoint

    from core.bundled.masked import BertForMaskedPositions, MaskedBatches, plan_phases, take_batch

    set_seed(seed)
    phases = plan_phases(
        steps, tokens=shape.tokens_per_step, short=shape.short, long=shape.long, share_long=shape.share_long
    )
    tokenizer = AutoTokenizer.from_pretrained(work / "tokenizer")
    stream = np.load(work / "stream.npy", mmap_mode="r")
    checkpoints = work / "checkpoints"
    checkpoint = get_last_checkpoint(str(checkpoints)) if checkpoints.exists() else None
    note_plan(work, steps, seed=seed, shape=shape, checkpoint=checkpoint)
    model = BertForMaskedPositions(configure(shape))
    if checkpoint is None:
        start_from_counts(model, stream, seed=seed)
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(checkpoints),
            max_steps=steps,
            per_device_train_batch_size=1,  # an item is a batch
            train_sampling_strategy="sequential",  # the batches are shuffled already
            learning_rate=shape.learning_rate,
            warmup_steps=shape.warmup,
            weight_decay=0.01,
            adam_beta2=0.98,
            bf16=torch.cuda.is_available() or torch.backends.cpu.get_cpu_capability() == "AVX512",
            save_steps=shape.save_every,
            save_total_limit=2,
            logging_steps=max(1, steps // 100),
            disable_tqdm=True,
            dataloader_pin_memory=torch.cuda.is_available(),
            remove_unused_columns=False,
            seed=seed,
        ),
        train_dataset=MaskedBatches(stream, phases, tokenizer, masked=shape.masked, seed=seed),
        data_collator=take_batch,
        callbacks=[stop_on_signal(), *callbacks],
    )
    trainer.train(resume_from_checkpoint=checkpoint)
    newest = get_last_checkpoint(str(checkpoints))
    assert newest is not None  # the Trainer saves at its last step
    return Path(newest)


def note_plan(work: Path, steps: int, *, seed: int, shape: Shape, checkpoint: str | None) -> None:
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
        plans, start = run["plans"], int(checkpoint.rpartition("-")[2])
    if not plans or plans[-1][1] != steps:
        plans.append([start, steps])
    write_json(work / "run.json", settings | {"plans": plans})


def export(work: Path, folder: Path) -> None:
    """Write the newest checkpoint in half precision, with its tokenizer, token counts and the facts of its training."""
    import torch
    from transformers import BertForMaskedLM
    from transformers.trainer_utils import get_last_checkpoint

    checkpoint = get_last_checkpoint(str(work / "checkpoints"))
    if checkpoint is None:
        raise FileNotFoundError(f"no checkpoint in {work / 'checkpoints'}")
    folder.mkdir(parents=True, exist_ok=True)
    model = BertForMaskedLM.from_pretrained(checkpoint, dtype=torch.float32)
    parameters = model.num_parameters()
    # Fine-tuning sees its few examples many times, so whoever trains this model further wants BERT's own dropout.
    model.config.hidden_dropout_prob = model.config.attention_probs_dropout_prob = 0.1
    for stale in folder.glob("model*.safetensors*"):
        stale.unlink()
    model.half().save_pretrained(folder, max_shard_size=SHARD_SIZE)
    # Half precision is for the disk: without a dtype of the caller's the model is loaded in the precision of a CPU.
    config = read_json(folder / "config.json")
    write_json(folder / "config.json", config | {"architectures": ["BertForMaskedLM"], "dtype": "float32"})
    save_bert_tokenizer(work / "vocab.txt", folder)
    run = read_json(work / "run.json")
    stream = np.load(work / "stream.npy", mmap_mode="r")
    np.save(folder / COUNTS, np.bincount(stream, minlength=model.config.vocab_size).astype(np.uint32))
    state = read_json(Path(checkpoint) / "trainer_state.json")
    training = {
        "parameters": parameters,
        "steps": state["global_step"],
        "tokens_in_sample": len(stream),
        "megabytes": read_json(work / "mix.json"),
        **run,
    }
    write_json(folder / METRICS, {"training": training})
    for path in folder.iterdir():
        path.chmod(0o644)


def run_training(request: Request) -> None:
    """Prepare, train and export the shipped encoder."""
    shape = Shape()
    prepare(request.data, request.work, megabytes=request.megabytes, seed=request.seed, shape=shape)
    train(request.work, steps=request.steps, seed=request.seed, shape=shape)
    run_export(request)


def run_export(request: Request) -> None:
    """Export the newest checkpoint of the shipped encoder."""
    export(request.work, request.assets / FOLDER)


def run_evaluation(request: Request) -> None:
    """Measure the shipped encoder on held-out text, and write its numbers and its card."""
    folder = request.assets / FOLDER
    metrics = read_json(folder / METRICS)
    metrics["held_out"] = evaluate(folder, request.data, seed=request.seed)
    write_json(folder / METRICS, metrics)
    (folder / "README.md").write_text(write_encoder_card(metrics, read_json(folder / "config.json")), encoding="utf-8")


RECIPE = Recipe("encoder", steps=2_750, megabytes=72, train=run_training, export=run_export, evaluate=run_evaluation)
