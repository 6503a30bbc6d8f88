"""A corpus of our own sentences and a model small enough to train in a test."""

from __future__ import annotations

import gzip
import itertools
import json
from pathlib import Path

from core.bundled.encoder import Shape

PEOPLE = ("母", "父", "弟", "先生", "隣の人", "駅員")
PLACES = ("公園", "台所", "図書館", "駅前", "海辺")
DEEDS = ("本を読んだ", "歌を歌った", "手紙を書いた", "りんごを食べた", "猫を見た")

SHAPE = Shape(
    vocabulary=800, width=32, layers=1, heads=2, inner=64, tokens_per_step=512, masked=0.15, short=32, long=64,
    share_long=0.25, learning_rate=1e-2, warmup=0.1, save_every=5,
)  # fmt: skip


def write_corpus(folder: Path) -> None:
    """Write 150 sentences as 30 documents to train on, and some of them as held-out documents."""
    sentences = [f"{who}は{where}で{deed}。" for who, where, deed in itertools.product(PEOPLE, PLACES, DEEDS)]
    documents = [sentences[start::30] for start in range(30)]
    write_documents(folder / "pretrain/tanaka.jsonl.gz", documents)
    write_documents(folder / "pretrain/asdc.jsonl.gz", [["客:駅前で猫を見たいです。", "", "係:はい、公園が良いです。"]])
    write_documents(folder / "pretrain_heldout/tanaka.jsonl.gz", documents[::3])


def write_documents(path: Path, documents: list[list[str]]) -> None:
    """Write documents in the form of the corpora."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as file:
        for number, lines in enumerate(documents):
            row = {"id": f"own-{number}", "title": "", "text": "\n".join(lines)}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
