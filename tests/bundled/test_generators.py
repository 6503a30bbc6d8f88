"""The recipes of the two models that write, from text to a shipped folder, on a tiny corpus."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from core.bundled.generators import (
    DecoderShape,
    Seq2SeqShape,
    encode_leads,
    export_decoder,
    export_seq2seq,
    load_unigram,
    prepare,
    read_leads,
    train_decoder,
    train_seq2seq,
)
from core.bundled.recipe import Request
from core.bundled.task_cards import describe_training
from core.tasks.loaded import load_task_model, predict
from tests.bundled.family import ASSETS
from tests.bundled.tiny import write_corpus, write_documents

DECODER = DecoderShape(width=32, layers=1, heads=2, inner=48, rows=8, length=32, learning_rate=1e-2)
SEQ2SEQ = Seq2SeqShape(width=32, layers=1, heads=2, inner=48, rows=8, length=32, lead_length=12, learning_rate=1e-2)
PARAGRAPH = (
    "駅前の古い図書館が来年の春に新しく建てかえられることになった。"
    "市が五日に計画を明らかにし、工事は夏までに終わる予定だと話した。"
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Request:
    folder = tmp_path_factory.mktemp("generators")
    write_corpus(folder / "data")
    write_documents(folder / "data/pretrain/kyoto_wiki.jsonl.gz", [[PARAGRAPH]] * 4)
    shutil.copytree(ASSETS / "tokenizers", folder / "assets/tokenizers")
    request = Request(folder / "data", folder / "work", folder / "assets", megabytes=1, seed=1, steps=24)
    prepare(request)
    return request


def read_losses(work: Path) -> list[float]:
    (checkpoint,) = sorted((work / "checkpoints").glob("*-24"))
    state = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    return [entry["loss"] for entry in state["log_history"] if "loss" in entry]


def test_documents_end_with_the_end_mark(place: Request) -> None:
    tokenizer = load_unigram(place.assets)
    stream = np.load(place.work / "stream.npy")
    documents = (place.work / "sample.txt").read_text(encoding="utf-8").count("\n\n")
    assert int((stream == tokenizer.eos_token_id).sum()) == documents
    assert tokenizer.unk_token_id not in stream


def test_a_lead_is_the_first_sentence_without_its_ending(place: Request) -> None:
    assert set(read_leads(place.work / "sample.txt")) == {
        (PARAGRAPH, "駅前の古い図書館が来年の春に新しく建てかえられる")
    }


def test_leads_are_cut_and_padded(place: Request, tmp_path: Path) -> None:
    tokenizer = load_unigram(place.assets, sentinels=4)
    encode_leads(place.work / "sample.txt", tmp_path / "leads.npz", tokenizer, shape=SEQ2SEQ)
    leads = np.load(tmp_path / "leads.npz")
    assert leads["paragraphs"].shape == (4, SEQ2SEQ.length)
    assert leads["leads"].shape == (4, SEQ2SEQ.lead_length)
    for rows in (leads["paragraphs"], leads["leads"]):
        for row in rows:
            ids = row[row != 0]
            assert ids[-1] == tokenizer.eos_token_id


def test_the_decoder_learns_and_is_shipped(place: Request) -> None:
    request = Request(place.data, place.work / "decoder", place.assets, megabytes=1, seed=1, steps=24)
    shutil.copytree(place.work, request.work, ignore=shutil.ignore_patterns("decoder", "seq2seq"))
    train_decoder(request, DECODER)
    losses = read_losses(request.work)
    assert np.mean(losses[-4:]) < np.mean(losses[:4]) - 1
    export_decoder(request)
    folder = request.assets / "models/decoder"
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    written = model.generate(**tokenizer("母は", return_tensors="pt", add_special_tokens=False), max_new_tokens=4)
    assert written.shape[1] > 3
    loaded = load_task_model(str(folder))
    (prediction,) = predict(loaded, [loaded.task.read({"text": "母は公園で歌を歌った。"})])
    assert prediction.loss < float(np.log(len(tokenizer)))


def test_the_encoder_decoder_learns_and_is_shipped(place: Request) -> None:
    request = Request(place.data, place.work / "seq2seq", place.assets, megabytes=1, seed=1, steps=24)
    shutil.copytree(place.work, request.work, ignore=shutil.ignore_patterns("decoder", "seq2seq"))
    train_seq2seq(request, SEQ2SEQ)
    losses = read_losses(request.work)
    assert np.mean(losses[-4:]) < np.mean(losses[:4]) - 1
    export_seq2seq(request)
    folder = request.assets / "models/seq2seq"
    model = AutoModelForSeq2SeqLM.from_pretrained(folder)
    assert model.dtype == torch.float32
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert len(tokenizer) == model.config.vocab_size
    # What does not fit is cut before the end mark, as any T5 tokenizer does it.
    assert tokenizer(PARAGRAPH, truncation=True, max_length=8)["input_ids"][-1] == model.config.eos_token_id
    loaded = load_task_model(str(folder))
    assert loaded.setup.options["mean_span"] == 3.0


def test_a_run_goes_on_from_an_earlier_model(place: Request) -> None:
    first = Request(place.data, place.work / "first", place.assets, megabytes=1, seed=1, steps=24)
    ignored = shutil.ignore_patterns("decoder", "seq2seq", "first", "further")
    shutil.copytree(place.work, first.work, ignore=ignored)
    train_seq2seq(first, SEQ2SEQ)
    export_seq2seq(first)
    further = replace(first, work=place.work / "further", seed=2)
    shutil.copytree(place.work, further.work, ignore=ignored)
    shutil.copytree(first.assets / "models/seq2seq", further.work / "start")
    train_seq2seq(further, SEQ2SEQ)
    assert read_losses(further.work)[0] < read_losses(first.work)[0] - 0.5
    export_seq2seq(further)
    metrics = json.loads((first.assets / "models/seq2seq/metrics.json").read_text(encoding="utf-8"))
    assert metrics["training"]["earlier"]["seed"] == 1
    assert "went on from an earlier state" in describe_training(metrics["training"])
