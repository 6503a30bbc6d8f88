"""A family of models with random weights, and held-out data of our own sentences, both small enough for a test."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from core.bundled.files import read_json, write_json
from tests.bundled.tiny import DEEDS, PEOPLE, PLACES, write_corpus

ASSETS = Path(__file__).parents[2] / "assets"
SENTENCES = tuple(f"{who}は{where}で{deed}。" for who, where, deed in itertools.product(PEOPLE, PLACES, DEEDS))
LABELS = ("entailment", "contradiction", "neutral")


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write JSON lines, compressed where the name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def write_data(folder: Path) -> None:
    """Lay out held-out data, and training data where a baseline learns from it, as the evaluation expects them."""
    write_corpus(folder)
    marks = [{"text": sentence, "label": number % 5} for number, sentence in enumerate(SENTENCES)]
    write_rows(folder / "economy_watchers/train.jsonl.gz", marks[40:])
    write_rows(folder / "economy_watchers/dev.jsonl.gz", marks[:40])
    polarities = ("positive", "negative", "none", "mixed")
    reports = [{"sentence": s, "sentence_polarity": polarities[n % 4]} for n, s in enumerate(SENTENCES[:24])]
    write_rows(folder / "chabsa/dev.jsonl", reports)
    pairs = [
        {"sentence_pair_id": str(n), "sentence1": one, "sentence2": other}
        for n, (one, other) in enumerate(zip(SENTENCES[::2], SENTENCES[1::2], strict=True))
    ]
    inference = [pair | {"label": LABELS[n % 3], "yjcaptions_id": f"{n // 2}-1-2"} for n, pair in enumerate(pairs)]
    write_rows(folder / "jglue/jnli/valid-v1.3.json", inference)
    likeness = [pair | {"label": round(n % 11 / 2, 1)} for n, pair in enumerate(pairs)]
    write_rows(folder / "jglue/jsts/train.jsonl.gz", likeness[::4])
    write_rows(folder / "jglue/jsts/valid.jsonl", likeness[:30])
    questions = [
        {"q_id": n, "question": s, **{f"choice{c}": PLACES[c] for c in range(5)}, "label": n % 5}
        for n, s in enumerate(SENTENCES[:12])
    ]
    write_rows(folder / "jglue/jcommonsenseqa/valid.jsonl", questions)
    names = [
        {"text": s, "entities": [{"name": who, "span": [0, len(who)], "type": "人名" if len(who) > 1 else "地名"}]}
        for s in SENTENCES
        for who in PEOPLE
        if s.startswith(f"{who}は")
    ]
    write_rows(folder / "stockmark_ner/train.jsonl.gz", names[::2])
    write_rows(folder / "stockmark_ner/dev.jsonl", names[1:40:2])
    articles = [{"id": str(n), "headline": s[:8], "body": s * 3} for n, s in enumerate(SENTENCES[:6])]
    write_rows(folder / "wikinews_headline/dev.jsonl", articles)
    readings = [
        {
            "id": str(n), "title": s[:2], "context": s, "question": f"{s[:-1]}どこ？",
            "answers": [{"text": place, "answer_start": s.index(place)}],
        }
        for n, s in enumerate(SENTENCES[:30:3])
        for place in PLACES
        if place in s
    ]  # fmt: skip
    write_rows(folder / "jaquad/dev.jsonl.gz", readings)


def build_family(assets: Path) -> None:
    """Save every model of the family with random weights under ``models``, the heads over one tiny encoder."""
    import numpy as np
    import torch
    from transformers import (
        AutoTokenizer,
        BertConfig,
        BertForMaskedLM,
        LlamaConfig,
        LlamaForCausalLM,
        T5Config,
        T5ForConditionalGeneration,
    )

    from core.bundled.evaluation import COUNTS
    from core.bundled.vocabulary import save_bert_tokenizer
    from core.tasks.loaded import write_setup
    from core.tasks.registry import find_task
    from core.tasks.task import Setup

    torch.manual_seed(0)
    models = assets / "models"
    vocabulary = ASSETS / "models/encoder/vocab.txt"
    size = len(vocabulary.read_text(encoding="utf-8").splitlines())
    encoder = models / "encoder"
    BertForMaskedLM(
        BertConfig(
            vocab_size=size,
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=128,
            pad_token_id=0,
            initializer_range=0.3,
        )
    ).save_pretrained(encoder)
    save_bert_tokenizer(vocabulary, encoder)
    (encoder / "vocab.txt").write_bytes(vocabulary.read_bytes())
    np.save(encoder / COUNTS, np.ones(size, dtype=np.uint32))
    # Only for the card, which is not tested here.
    write_json(encoder / "metrics.json", {"training": read_json(ASSETS / "models/encoder/metrics.json")["training"]})

    unigram = AutoTokenizer.from_pretrained(ASSETS / "tokenizers/unigram")
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(unigram),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=128,
            pad_token_id=0,
            bos_token_id=None,
            eos_token_id=1,
        )
    ).save_pretrained(models / "decoder")
    unigram.save_pretrained(models / "decoder")

    unigram.add_special_tokens({"extra_special_tokens": [f"<extra_id_{number}>" for number in range(100)]})
    T5ForConditionalGeneration(
        T5Config.from_dict(
            {
                "vocab_size": len(unigram),
                "d_model": 16,
                "d_kv": 8,
                "d_ff": 32,
                "num_layers": 1,
                "num_heads": 2,
                "pad_token_id": 0,
                "eos_token_id": 1,
                "decoder_start_token_id": 0,
            }
        )
    ).save_pretrained(models / "seq2seq")
    unigram.save_pretrained(models / "seq2seq")

    types = tuple(f"{mark}-{name}" for name in ("人名", "地名") for mark in "BI")
    heads = {
        "sentiment": ("classification", "encoder", Setup(("positive", "negative"), 64)),
        "inference": ("pair-classification", "encoder", Setup(LABELS, 64)),
        "similarity": ("similarity", "encoder", Setup((), 64)),
        "choice": ("multiple-choice", "encoder", Setup((), 64)),
        "tagging": ("tagging", "encoder", Setup(("O", *types), 64)),
        "tagging-crf": ("tagging-crf", "encoder", Setup(("O", *types), 64)),
        "simcse": ("simcse", "encoder", Setup((), 64, options={"pooling": "mean"})),
        "simcse-supervised": ("simcse-supervised", "encoder", Setup((), 64)),
        "retrieval": ("retrieval", "encoder", Setup((), 64, options={"shared": True})),
        "reading": ("reading", "encoder", Setup((), 64, options={"stride": 16})),
        "headline": ("headline", "seq2seq", Setup((), 64, 16)),
    }
    for name, (task, base, setup) in heads.items():
        model = find_task(task).load(str(models / base), setup)
        model.half().save_pretrained(models / name)
        AutoTokenizer.from_pretrained(models / base).save_pretrained(models / name)
        write_setup(models / name, task, setup)
        write_json(
            models / name / "training.json",
            {
                "task": task,
                "base": base,
                "data": [{"folder": "own", "rows": 150, "kind": "sentences", "credit": "us", "licence": "CC0 1.0"}],
                "config": {"hyperparameters": {"epochs": 3, "warmup": 0.0}, "options": {}},
                "steps": 12,
                "seed": 1,
            },
        )
