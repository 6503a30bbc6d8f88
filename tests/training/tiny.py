"""Models with random weights that train in a second, data to train them on, and a run in this process."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from core.data.source import DataSource
from core.tasks.task import Hyperparameters
from core.training.config import RunConfig, write_config
from core.training.events import Event, Finished, read_events
from core.training.folder import RunFolder
from core.training.process import work

TEXT = """
猫 は 魚 を 食べ た 彼 彼女 が 好き です 。 、 吾輩 で ある 名前 まだ 無い 私 の 犬 走 る 映画 音楽 本 店 料理 とても
少し 面白い 楽しい 美味しい 嬉しい つまらない 退屈 まずい 悲しい 良い 悪い 今日 昨日 に 行っ 見 聞い 読ん だ ない
"""
WORDS = tuple(TEXT.split())
GOOD, BAD = ("面白い", "楽しい", "美味しい", "嬉しい"), ("つまらない", "退屈", "まずい", "悲しい")
THINGS = ("映画", "音楽", "本", "店", "料理")
VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *(f"##{c}" for c in "いるたなしっまべだ"))

FAST = Hyperparameters(
    epochs=2, batch_size=8, learning_rate=3e-3, max_length=32, max_target_length=16, warmup=0.1, seed=1
)


def tiny_encoder(folder: Path, *, dropout: float = 0.1, layers: int = 2, width: int = 32, seed: int = 0) -> Path:
    """Write a BERT with random weights and its BertJapaneseTokenizer into `folder`, and return it."""
    import torch
    from transformers import BertConfig, BertForMaskedLM, BertJapaneseTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    BertJapaneseTokenizer(
        str(folder / "vocab.txt"),
        word_tokenizer_type="mecab",
        subword_tokenizer_type="wordpiece",
        model_max_length=64,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    ).save_pretrained(folder)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=2 * width,
        max_position_embeddings=64,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        initializer_range=0.1,
        pad_token_id=0,
    )
    BertForMaskedLM(config).save_pretrained(folder)
    return folder


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> str:
    """Write rows as JSON lines and return the path as a data source names it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


@cache
def reviews(count: int, *, seed: int = 0) -> tuple[Mapping[str, Any], ...]:
    """Short reviews of different lengths, no two alike, that a single word decides."""
    draw = random.Random(seed)
    rows: dict[str, str] = {}
    while len(rows) < count:
        label = draw.choice(("positive", "negative"))
        word = draw.choice(GOOD if label == "positive" else BAD)
        start = "".join(draw.choice(WORDS) for _ in range(draw.randint(0, 12)))
        if not any(other in start for other in (*GOOD, *BAD)):
            rows[f"{start}{draw.choice(THINGS)}は{word}です。"] = label
    return tuple({"text": text, "label": label} for text, label in rows.items())


def review_config(folder: Path, model: Path, *, train: int = 40, validation: int = 16, **changes: Any) -> RunConfig:
    """A configuration that trains `model` on reviews written into `folder`; `changes` are hyperparameters."""
    rows = reviews(train + validation)
    return RunConfig(
        task="classification",
        data=DataSource(
            train=write_rows(folder / "train.jsonl", rows[:train]),
            validation=write_rows(folder / "validation.jsonl", rows[train:]) if validation else "",
            validation_share=0.0,
        ),
        model=str(model),
        hyperparameters=replace(FAST, **changes),
    )


def tagging_config(folder: Path, model: Path, *, train: int = 24, validation: int = 8, **changes: Any) -> RunConfig:
    """A configuration that teaches `model` to find the things in reviews: a loss over tokens."""
    rows = []
    for row in reviews(train + validation, seed=2):
        name = next(thing for thing in THINGS if f"{thing}は" in row["text"])
        begin = row["text"].rindex(f"{name}は")
        rows.append(
            {"text": row["text"], "entities": [{"name": name, "span": [begin, begin + len(name)], "type": "物"}]}
        )
    return RunConfig(
        task="tagging",
        data=DataSource(
            train=write_rows(folder / "train.jsonl", rows[:train]),
            validation=write_rows(folder / "validation.jsonl", rows[train:]),
        ),
        model=str(model),
        hyperparameters=replace(FAST, **changes),
    )


def weights_of(folder: Path) -> dict[str, Any]:
    """The tensors in a folder's ``model.safetensors`` by name."""
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def distance(one: Path, other: Path) -> float:
    """The largest difference between the weights in two folders.

    Biases of keys are left out: attention does not depend on them, so that their gradient is rounding and nothing else.
    """
    first, second = weights_of(one), weights_of(other)
    assert first.keys() == second.keys()
    return max(
        float((first[name].float() - second[name].float()).abs().max()) for name in first if "key.bias" not in name
    )


def start(config: RunConfig, folder: Path) -> Event:
    """Train in this process, in the run folder `folder`, and return how it ended."""
    folder.mkdir(parents=True, exist_ok=True)
    write_config(config, RunFolder(folder).config)
    return work(folder)


def run_task(config: RunConfig, folder: Path) -> dict[str, Any]:
    """Train in this process and return what ``metrics.json`` says; a failure is an AssertionError that tells it."""
    outcome = start(config, folder)
    assert isinstance(outcome, Finished), outcome
    metrics: dict[str, Any] = json.loads(RunFolder(folder).metrics.read_text(encoding="utf-8"))
    return metrics


def events_of(folder: Path) -> tuple[Event, ...]:
    """All events of the run in `folder`."""
    return read_events(RunFolder(folder).events)[0]
