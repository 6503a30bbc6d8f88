"""The recipes of the two models that write: a decoder in the manner of GPT, and an encoder-decoder, T5.

sample.txt  a mix of whole documents in which today's prose leads
stream.npy  its token ids by the bundled Unigram, </s> after each document
leads.npz   token ids of paragraphs and of their opening phrase, for the encoder-decoder
mix.json    the megabytes of each corpus       run.json    how the run trains, and its plans
start/      an earlier model to go on from (only where somebody put it)
checkpoints/
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from core.bundled.corpus import WRITING_SHARES, draw_sample
from core.bundled.files import read_json, whole, write_json
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
from core.bundled.shards import READER, VECTORS, part_weights
from core.bundled.start import start_with_copying
from core.training.engine import pick_attention

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import LlamaConfig, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase, T5Config

    TokenIds = NDArray[np.uint16]

Model = TypeVar("Model", bound="PreTrainedModel")
log = logging.getLogger(__name__)

UNIGRAM = Path("tokenizers/unigram")  # under the assets
SENTINELS = 100
POSITIONS = 512
LENGTH, TARGET_LENGTH = 128, 64  # tokens that the shipped models were mostly trained on
LINES_PER_TASK = 5_000
# A headline drops what a sentence ends with.
ENDINGS = re.compile(
    r"(?:して|されて|となって)?(?:いる|いた)?"
    r"(?:ことになった|のである|であった|である|だった|になった|となった|った|です|ます|した|する|された|される|という|だ|た)?。?$"
)
BRACKETS = re.compile(r"[(（「『][^)）」』]{0,60}[)）]")
LEAD_CHARACTERS = (12, 60)


@dataclass(frozen=True, slots=True)
class DecoderShape:
    """The size of the decoder and of its training."""

    width: int = 256
    layers: int = 5
    heads: int = 4
    inner: int = 704
    rows: int = 32
    length: int = 128
    share_long: float = 0.08  # of the steps, with rows four times as long
    learning_rate: float = 1.5e-3


@dataclass(frozen=True, slots=True)
class Seq2SeqShape:
    """The size of the model and of its training; one batch in `lead_every` writes leads, others restore spans."""

    width: int = 256
    layers: int = 4
    heads: int = 4
    inner: int = 704
    rows: int = 32
    length: int = 128
    lead_length: int = 28
    density: float = 0.15
    mean_span: float = 3.0
    lead_every: int = 4
    learning_rate: float = 1.5e-3


def load_unigram(assets: Path, *, sentinels: int = 0) -> PreTrainedTokenizerBase:
    """Load the bundled Unigram; with sentinels as T5 has it: those end its vocabulary, and </s> ends each text."""
    from tokenizers.processors import TemplateProcessing
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(assets / UNIGRAM)
    if sentinels:
        tokenizer.add_special_tokens({"extra_special_tokens": [f"<extra_id_{n}>" for n in range(sentinels)]})
        end = tokenizer.eos_token
        tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
            single=f"$A {end}", pair=f"$A {end} $B {end}", special_tokens=[(end, tokenizer.eos_token_id)]
        )
    return tokenizer


def prepare(request: Request) -> None:
    """Make what both recipes read; each file once."""
    work = request.work
    sample = work / "sample.txt"
    if not sample.exists():
        mix = draw_sample(request.data, sample, megabytes=request.megabytes, seed=request.seed, shares=WRITING_SHARES)
        log.info("sample drawn, MB of each corpus: %s", mix)
        write_json(work / "mix.json", mix)
    if not (work / "stream.npy").exists():
        tokenizer = load_unigram(request.assets)
        with whole(work / "stream.npy") as part, part.open("wb") as file:
            np.save(file, np.concatenate(list(encode_sample(sample, tokenizer))))


def encode_sample(sample: Path, tokenizer: PreTrainedTokenizerBase) -> Iterator[TokenIds]:
    """Yield the token ids of the sample's lines, with </s> after each document."""
    lines = sample.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    end = tokenizer.eos_token_id
    for start in range(0, len(lines), LINES_PER_TASK):
        batch = lines[start : start + LINES_PER_TASK]
        encoded = tokenizer([line for line in batch if line], add_special_tokens=False)["input_ids"]
        written = iter(encoded)
        yield np.fromiter((index for line in batch for index in (next(written) if line else [end])), dtype=np.uint16)


def read_leads(sample: Path) -> Iterator[tuple[str, str]]:
    """Yield paragraphs of at least two sentences and the first sentence of each, cut short as a headline is."""
    with sample.open(encoding="utf-8") as file:
        for line in map(str.strip, file):
            sentence, stop, rest = line.partition("。")
            if not stop or len(rest) < 30 or not line:
                continue
            lead = ENDINGS.sub("", BRACKETS.sub("", sentence)).strip(" 、,")
            if LEAD_CHARACTERS[0] <= len(lead) <= LEAD_CHARACTERS[1]:
                yield line, lead


def encode_leads(sample: Path, target: Path, tokenizer: PreTrainedTokenizerBase, *, shape: Seq2SeqShape) -> None:
    """Write paragraphs (N, T) and their leads (N, U) as token ids, padded with 0."""
    pairs = list(read_leads(sample))
    paragraphs = np.zeros((len(pairs), shape.length), dtype=np.uint16)
    leads = np.zeros((len(pairs), shape.lead_length), dtype=np.uint16)
    end = tokenizer.eos_token_id
    for start in range(0, len(pairs), LINES_PER_TASK):
        batch = pairs[start : start + LINES_PER_TASK]
        for texts, rows in (([p for p, _ in batch], paragraphs), ([lead for _, lead in batch], leads)):
            encoded = tokenizer(texts, add_special_tokens=False)["input_ids"]
            for row, ids in enumerate(encoded, start):
                kept = [*ids[: rows.shape[1] - 1], end]
                rows[row, : len(kept)] = kept
    with whole(target) as part, part.open("wb") as file:
        np.savez(file, paragraphs=paragraphs, leads=leads)


def configure_decoder(shape: DecoderShape, vocabulary: int) -> LlamaConfig:
    """Describe the decoder (Touvron et al. 2023): rotary positions, gated units, input and output tied."""
    from transformers import LlamaConfig

    common: dict[str, Any] = {"attn_implementation": pick_attention()}
    return LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.inner,
        max_position_embeddings=POSITIONS,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=1,
        initializer_range=0.02,
        **common,
    )


def configure_seq2seq(shape: Seq2SeqShape, vocabulary: int) -> T5Config:
    """Describe the encoder-decoder (Raffel et al. 2020, version 1.1: gated units), without dropout."""
    from transformers import T5Config

    # What every configuration takes and T5's own signature does not name.
    common: dict[str, Any] = {
        "tie_word_embeddings": True,
        "decoder_start_token_id": 0,
        "attn_implementation": pick_attention(),
    }
    return T5Config(
        vocab_size=vocabulary,
        d_model=shape.width,
        d_kv=shape.width // shape.heads,
        d_ff=shape.inner,
        num_layers=shape.layers,
        num_decoder_layers=shape.layers,
        num_heads=shape.heads,
        feed_forward_proj="gated-gelu",
        dropout_rate=0.0,
        pad_token_id=0,
        eos_token_id=1,
        **common,
    )


def train_decoder(request: Request, shape: DecoderShape) -> Path:
    """Train the decoder on the prepared stream, from the last checkpoint if there is one."""
    from transformers import LlamaForCausalLM, set_seed

    from core.bundled.streams import CausalBatches

    set_seed(request.seed)
    note_plan(request.work, request.steps, seed=request.seed, shape=shape, checkpoint=find_checkpoint(request.work))
    stream = np.load(request.work / "stream.npy", mmap_mode="r")
    model = _start(LlamaForCausalLM, request.work, configure_decoder(shape, len(load_unigram(request.assets))))
    batches = CausalBatches(
        stream, steps=request.steps, rows=shape.rows, length=shape.length, share_long=shape.share_long,
        seed=request.seed,
    )  # fmt: skip
    return train_model(
        model, batches, work=request.work, steps=request.steps, seed=request.seed, pace=Pace(shape.learning_rate)
    )


def train_seq2seq(request: Request, shape: Seq2SeqShape) -> Path:
    """Train the encoder-decoder on the prepared stream and leads, from the last checkpoint if there is one."""
    from transformers import T5ForConditionalGeneration, set_seed

    from core.bundled.streams import Seq2SeqBatches
    from core.tasks.language_modelling import find_sentinels

    set_seed(request.seed)
    checkpoint = find_checkpoint(request.work)
    note_plan(request.work, request.steps, seed=request.seed, shape=shape, checkpoint=checkpoint)
    tokenizer = load_unigram(request.assets, sentinels=SENTINELS)
    if not (request.work / "leads.npz").exists():
        encode_leads(request.work / "sample.txt", request.work / "leads.npz", tokenizer, shape=shape)
    leads = np.load(request.work / "leads.npz")
    model = _start(T5ForConditionalGeneration, request.work, configure_seq2seq(shape, len(tokenizer)))
    if checkpoint is None and not (request.work / START).exists():
        start_with_copying(model, seed=request.seed)
    batches = Seq2SeqBatches(
        np.load(request.work / "stream.npy", mmap_mode="r"),
        leads["paragraphs"],
        leads["leads"],
        steps=request.steps,
        rows=shape.rows,
        length=shape.length,
        density=shape.density,
        mean_span=shape.mean_span,
        lead_every=shape.lead_every,
        sentinels=find_sentinels(tokenizer),
        end=tokenizer.eos_token_id,
        seed=request.seed,
    )
    return train_model(
        model, batches, work=request.work, steps=request.steps, seed=request.seed, pace=Pace(shape.learning_rate)
    )


def export(
    request: Request, folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, task: str, seen: int
) -> None:
    """Write a model in half precision, with its tokenizer, its task and the facts of its training."""
    from core.tasks.loaded import write_setup
    from core.tasks.registry import find_task
    from core.tasks.task import Setup
    from core.training.config import fill_options

    checkpoint = find_checkpoint(request.work)
    assert checkpoint is not None  # the model was read from it
    parameters = model.num_parameters()
    # A decoder has none. What headlines share with the encoder-decoder stays as it is, and was never taught with any.
    export_model(model, folder, dropout=0.0)
    if model.config.is_encoder_decoder:
        part_weights(folder, (VECTORS, READER))
    tokenizer.save_pretrained(folder)
    options = fill_options(find_task(task), {})
    write_setup(folder, task, Setup(max_length=LENGTH, max_target_length=TARGET_LENGTH, options=options))
    training: dict[str, Any] = {
        "parameters": parameters,
        "steps": read_json(checkpoint / "trainer_state.json")["global_step"],
        "tokens_per_step": seen,
        "tokens_in_sample": len(np.load(request.work / "stream.npy", mmap_mode="r")),
        "megabytes": read_json(request.work / "mix.json"),
        **read_json(request.work / "run.json"),
        **read_earlier(request.work),
    }
    write_json(folder / METRICS, {"training": training})
    for path in folder.iterdir():
        path.chmod(0o644)


def run_decoder(request: Request) -> None:
    """Prepare, train and export the shipped decoder."""
    prepare(request)
    train_decoder(request, DecoderShape())
    export_decoder(request)


def export_decoder(request: Request) -> None:
    """Export the newest checkpoint of the decoder."""
    import torch
    from transformers import LlamaForCausalLM

    shape = DecoderShape()
    model = LlamaForCausalLM.from_pretrained(_checkpoint(request), dtype=torch.float32)
    folder = request.assets / "models/decoder"
    export(request, folder, model, load_unigram(request.assets), task="causal-lm", seen=shape.rows * shape.length)


def run_seq2seq(request: Request) -> None:
    """Prepare, train and export the shipped encoder-decoder."""
    prepare(request)
    train_seq2seq(request, Seq2SeqShape())
    export_seq2seq(request)


def export_seq2seq(request: Request) -> None:
    """Export the newest checkpoint of the encoder-decoder."""
    import torch
    from transformers import T5ForConditionalGeneration

    shape = Seq2SeqShape()
    model = T5ForConditionalGeneration.from_pretrained(_checkpoint(request), dtype=torch.float32)
    tokenizer = load_unigram(request.assets, sentinels=SENTINELS)
    export(
        request,
        request.assets / "models/seq2seq",
        model,
        tokenizer,
        task="span-corruption",
        seen=shape.rows * shape.length,
    )


def _start(kind: type[Model], work: Path, config: PreTrainedConfig) -> Model:
    """Begin anew, or with the weights of the earlier model where there is one."""
    import torch

    earlier = work / START
    if not earlier.exists():
        return kind(config)
    return kind.from_pretrained(earlier, config=config, dtype=torch.float32)


def _checkpoint(request: Request) -> Path:
    checkpoint = find_checkpoint(request.work)
    if checkpoint is None:
        raise FileNotFoundError(f"no checkpoint in {request.work / 'checkpoints'}")
    return checkpoint


RECIPES: Sequence[Recipe] = (
    Recipe("decoder", steps=3_000, megabytes=110, train=run_decoder, export=export_decoder),
    Recipe("seq2seq", steps=3_000, megabytes=110, train=run_seq2seq, export=export_seq2seq),
)
