"""The recipe of the bundled encoder: a small Japanese BERT that is used exactly as the book uses Tohoku BERT.

    sample.txt  a mix of whole documents           words.txt   the same, cut into MeCab words
    vocab.txt   WordPiece                          stream.npy  token ids, [SEP] after each document
    mix.json    the megabytes of each corpus       run.json    how the run trains, and its plans
    start/      an earlier encoder to go on from, its word vectors as they are (only where somebody put it)
    checkpoints/

Each step leaves one file in the work folder and is skipped when the file is there, so an interrupted run goes on.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.bundled.corpus import draw_sample, segment_sample
from core.bundled.evaluation import COUNTS
from core.bundled.files import read_json, write_json
from core.bundled.pretraining import (
    METRICS,
    START,
    Pace,
    export_model,
    find_checkpoint,
    note_plan,
    read_earlier,
    train_model,
)
from core.bundled.recipe import Recipe, Request
from core.bundled.shards import LOWER, VECTORS, part_weights
from core.bundled.start import start_from_counts
from core.bundled.vocabulary import MODEL_MAX_LENGTH, encode_words, save_bert_tokenizer, train_wordpiece
from core.training.engine import pick_attention

if TYPE_CHECKING:
    from transformers import BertConfig, TrainerCallback

log = logging.getLogger(__name__)

FOLDER = Path("models/encoder")  # under the assets


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
    repeated: float = 0.5  # of the rows with two segments
    short: int = 128
    long: int = MODEL_MAX_LENGTH
    share_long: float = 0.06
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warmup: float = 0.03  # of all steps
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


def train(work: Path, *, steps: int, seed: int, shape: Shape, callbacks: Sequence[TrainerCallback] = ()) -> Path:
    """Train on the prepared stream, from the last checkpoint if there is one, and return the newest checkpoint."""
    import torch
    from transformers import AutoTokenizer, set_seed

    from core.bundled.masked import BertForMaskedPositions, MaskedBatches, plan_phases

    set_seed(seed)
    phases = plan_phases(
        steps, tokens=shape.tokens_per_step, short=shape.short, long=shape.long, share_long=shape.share_long
    )
    tokenizer = AutoTokenizer.from_pretrained(work / "tokenizer")
    stream = np.load(work / "stream.npy", mmap_mode="r")
    checkpoint = find_checkpoint(work)
    note_plan(work, steps, seed=seed, shape=shape, checkpoint=checkpoint)
    config = configure(shape)
    config._attn_implementation = pick_attention()
    earlier = work / START
    if earlier.exists():
        model = BertForMaskedPositions.from_pretrained(earlier, config=config, dtype=torch.float32)
        # Heads may share them already.
        model.get_input_embeddings().requires_grad_(False)
    else:
        model = BertForMaskedPositions(config)
        if checkpoint is None:
            start_from_counts(model, stream, seed=seed)
    batches = MaskedBatches(
        stream,
        phases,
        tokenizer,
        masked=shape.masked,
        positions=config.max_position_embeddings,
        repeated=shape.repeated,
        seed=seed,
    )
    pace = Pace(shape.learning_rate, shape.weight_decay, shape.warmup, shape.save_every)
    return train_model(model, batches, work=work, steps=steps, seed=seed, pace=pace, callbacks=callbacks)


def export(work: Path, folder: Path) -> None:
    """Write the newest checkpoint in half precision, with its tokenizer, token counts and the facts of its training."""
    import torch
    from transformers import BertForMaskedLM

    checkpoint = find_checkpoint(work)
    if checkpoint is None:
        raise FileNotFoundError(f"no checkpoint in {work / 'checkpoints'}")
    model = BertForMaskedLM.from_pretrained(checkpoint, dtype=torch.float32)
    # Fine-tuning sees its few examples many times, so whoever trains this model further wants BERT's own dropout.
    export_model(model, folder, dropout=0.1)
    part_weights(folder, (VECTORS, LOWER))
    save_bert_tokenizer(work / "vocab.txt", folder)
    stream = np.load(work / "stream.npy", mmap_mode="r")
    np.save(folder / COUNTS, np.bincount(stream, minlength=model.config.vocab_size).astype(np.uint32))
    training = {
        "parameters": model.num_parameters(),
        "steps": read_json(checkpoint / "trainer_state.json")["global_step"],
        "tokens_in_sample": len(stream),
        "megabytes": read_json(work / "mix.json"),
        **read_json(work / "run.json"),
        **read_earlier(work),
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


RECIPE = Recipe("encoder", steps=6_600, megabytes=150, train=run_training, export=run_export)
