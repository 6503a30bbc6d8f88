"""The pre-training text: which corpora, how much of each, under which licence, and the sample drawn from them.

The corpora lie outside the project in a data folder: ``pretrain/<source>.jsonl.gz`` to train on and
``pretrain_heldout/<source>.jsonl.gz`` to judge by, one JSON document per line with the text under ``text``.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from types import MappingProxyType

from core.bundled.files import whole

SPEAKER = re.compile(r"^(?:A|B|係|客):")
LINES_PER_TASK = 2_000


@dataclass(frozen=True, slots=True)
class Source:
    """One corpus: its share of the mix (by bytes of text), what it is, whose it is, and its licence."""

    name: str
    share: float
    kind: str
    credit: str
    licence: str


# Old literature is held to a quarter, the uniform survey comments to a tenth: today's written Japanese leads.
SOURCES = (
    Source("aozora", 0.25, "modern-spelling literature and essays", "Aozora Bunko (青空文庫) and its volunteers",
           "public domain in Japan"),
    Source("kyoto_wiki", 0.25, "encyclopedia articles on Kyoto, history and culture",
           "Wikipedia contributors, through NICT's bilingual Kyoto corpus", "CC BY-SA 3.0"),
    Source("real_persona_chat", 0.12, "chat between two people, speaker labels removed",
           "RealPersonaChat, Nagoya University (Yamashita et al. 2023)", "CC BY-SA 4.0"),
    Source("economy_watchers_comments", 0.10, "short comments on local business",
           "Economy Watchers Survey of the Cabinet Office of Japan, collected by retarfi", "CC BY 4.0"),
    Source("jaquad_train_contexts", 0.10, "encyclopedia paragraphs",
           "Wikipedia contributors, through JaQuAD (SkelterLabs)", "CC BY-SA 3.0"),
    Source("jawiki_country", 0.05, "encyclopedia articles on countries",
           "Wikipedia contributors, through the NLP100 exercises (N. Okazaki)", "CC BY-SA 3.0"),
    Source("wikinews_train", 0.04, "news articles", "Wikinews contributors, through jawikinews-headline-dataset",
           "CC BY 2.5"),
    Source("asdc", 0.03, "hotel-search dialogues, speaker labels removed",
           "Accommodation Search Dialog Corpus, Megagon Labs", "CC BY 4.0"),
    Source("tanaka", 0.02, "short example sentences", "Tanaka Corpus / Tatoeba, through small_parallel_enja",
           "CC BY 2.0 FR"),
    Source("law_acts", 0.02, "Japanese acts", "e-Gov, through lawhub", "not copyrightable (Copyright Act, art. 13)"),
    Source("react_docs", 0.01, "technical documentation", "React documentation, Japanese translation", "CC BY 4.0"),
    Source("wikipedia_annotated_train", 0.01, "opening sentences of encyclopedia articles",
           "Wikipedia contributors, through the Wikipedia Annotated Corpus (Kyoto University)", "CC BY-SA 4.0"),
)  # fmt: skip

SHARES: Mapping[str, float] = MappingProxyType({source.name: source.share for source in SOURCES})

# What writes in front of learners reads less of old literature and of uniform comments, and more of today's prose.
WRITING_SHARES: Mapping[str, float] = MappingProxyType(
    {
        "aozora": 0.10,
        "kyoto_wiki": 0.33,
        "real_persona_chat": 0.15,
        "economy_watchers_comments": 0.08,
        "jaquad_train_contexts": 0.13,
        "jawiki_country": 0.07,
        "wikinews_train": 0.06,
        "asdc": 0.03,
        "tanaka": 0.03,
        "law_acts": 0.00,
        "react_docs": 0.01,
        "wikipedia_annotated_train": 0.01,
    }
)


def read_documents(path: Path) -> Iterator[list[str]]:
    """Yield each document of one corpus as its lines, without speaker labels or empty lines."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for row in file:
            stripped = (SPEAKER.sub("", line).strip() for line in json.loads(row)["text"].split("\n"))
            if lines := [line for line in stripped if line]:
                yield lines


def draw_sample(
    folder: Path, target: Path, *, megabytes: float, seed: int, shares: Mapping[str, float] = SHARES
) -> dict[str, float]:
    """Write a mix of whole documents by `shares`: one line per line, an empty line after a document.

    Returns the megabytes (10^6 bytes of UTF-8) taken from each corpus.

    A corpus smaller than its share of `megabytes` is taken whole. The same seed draws the same documents.
    Corpora that are absent are left out, so that a folder with a few of them works too.

    Raises: FileNotFoundError when the folder holds none of the corpora.
    """
    rng = random.Random(seed)
    drawn: list[list[str]] = []
    taken_megabytes: dict[str, float] = {}
    for source in SOURCES:
        path = folder / "pretrain" / f"{source.name}.jsonl.gz"
        if not path.exists():
            continue
        documents = list(read_documents(path))
        rng.shuffle(documents)
        budget, taken = shares[source.name] * megabytes * 1e6, 0
        for document in documents:
            if taken >= budget:
                break
            drawn.append(document)
            taken += sum(len(line.encode()) + 1 for line in document)
        taken_megabytes[source.name] = round(taken / 1e6, 1)
    if not drawn:
        raise FileNotFoundError(f"no corpus in {folder / 'pretrain'}")
    rng.shuffle(drawn)
    with whole(target) as part, part.open("w", encoding="utf-8") as file:
        for document in drawn:
            file.write("\n".join(document) + "\n\n")
    return taken_megabytes


def segment_lines(lines: Sequence[str]) -> list[str]:
    """Cut each line into MeCab words (unidic-lite), joined by single spaces, exactly as BertJapaneseTokenizer does."""
    from transformers.models.bert_japanese.tokenization_bert_japanese import MecabTokenizer

    mecab = MecabTokenizer(mecab_dic="unidic_lite", normalize_text=True)
    return [" ".join(mecab.tokenize(line)) for line in lines]


def segment_sample(sample: Path, target: Path, *, processes: int) -> None:
    """Write the sample again with its words separated by spaces, documents still separated by empty lines."""
    lines = sample.read_text(encoding="utf-8").split("\n")
    tasks = [lines[start : start + LINES_PER_TASK] for start in range(0, len(lines), LINES_PER_TASK)]
    with whole(target) as part, part.open("w", encoding="utf-8") as file, get_context("spawn").Pool(processes) as pool:
        for words in pool.imap(segment_lines, tasks):
            file.write("\n".join(words) + "\n")
