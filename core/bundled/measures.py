"""What is measured of each bundled model, what each is compared with, and on which data.

A measure belongs to one folder of ``assets/models``. Its numbers are named by task and metric; the baselines stand
among them under their own names, so that a table and a file need no second source.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from core.bundled.baselines import bigram_overlap, collect_names, fit_bayes, lead, look_up_names, majority_share
from core.bundled.corpus import WRITING_SHARES, draw_sample
from core.bundled.held_out import (
    TRAIN,
    Corpus,
    map_corpora,
    pair_subject,
    read_articles,
    read_choices,
    read_corpora,
    read_entities,
    read_inference,
    read_questions,
    read_searches,
    read_sentiment,
    read_similarity,
)
from core.bundled.ngrams import fit_trigrams, fit_unigrams
from core.data.examples import LabelledText, PlainText, ScoredPair
from core.data.loading import read_examples
from core.data.samples import read_sample
from core.data.source import DataSource
from core.tasks.task import Prediction, Setup, Task

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from core.search.hits import Floats, Hit

Numbers = dict[str, float]
Scores = dict[str, Numbers]  # task, metric

TRAINING_MEGABYTES = 24.0  # of text that the n-gram models count, about 9 million tokens
MEAN_LOSS = "mean_loss"  # of the examples of a sample
CANDIDATES = 100  # of each search that the hybrid one joins
WINDOW = 120  # characters of a passage that one vector tells
DEPTHS = (1, 10)


@dataclass(frozen=True)
class Shipped:
    """A bundled model ready to predict."""

    folder: Path
    task: Task[Any]
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    setup: Setup

    def predict(self, examples: Sequence[Any]) -> list[Prediction]:
        """What the model says of each example."""
        return self.task.predict(self.model, self.tokenizer, examples, self.setup)

    def score(self, examples: Sequence[Any]) -> Numbers:
        """The task's own metrics."""
        return self.task.score(self.predict(examples))


@dataclass(frozen=True)
class Measured:
    """Numbers by task and metric, and further ones that only a card tells (by type, by label, by kind of text)."""

    scores: Scores
    details: Numbers = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)  # anything else that metrics.json keeps


@dataclass(frozen=True)
class Measure:
    """How one model is measured.

    `compare` gives the baselines and the number of examples, without the model; nothing when the data is not there.
    `judge` gives the model's own numbers. `sample` names the bundled sample on which its numbers are kept for a test.
    """

    folder: str
    task: str
    compare: Callable[[Path], Scores]
    judge: Callable[[Shipped, Path], Measured]
    sample: str
    kept: tuple[str, ...]  # metrics of the task that are kept of the sample
    count: int = 50  # of examples of the sample
    setup: Setup = field(default_factory=Setup)  # of a base model, which has none of its own


def load_shipped(folder: Path, measure: Measure) -> Shipped:
    """Load the model that a measure is about; a base model, without ``task.json``, with the measure's own setup."""
    import torch

    from core.tasks.loaded import load_tokenizer_of, read_setup
    from core.tasks.registry import find_task

    torch.set_num_threads(1)
    task = find_task(measure.task)
    read = read_setup(folder)
    setup = measure.setup if read is None else read[1]
    model = task.load(str(folder), setup).float().eval()
    return Shipped(folder, task, model, load_tokenizer_of(folder), setup)


def measure_sample(shipped: Shipped, measure: Measure) -> Numbers:
    """The numbers of a model on the first examples of a bundled sample: they change only when the weights do."""
    table = read_sample(measure.sample, part="test")
    source = DataSource(f"sample:{measure.sample}")
    examples, _ = read_examples(shipped.task, table, source, part="test")
    predictions = shipped.predict(examples[: measure.count])
    # An answer that is always the same can hit as often as a weak model; it has another loss.
    scores = shipped.task.score(predictions) | {MEAN_LOSS: float(np.mean([one.loss for one in predictions]))}
    return {name: round(scores[name], 4) for name in measure.kept}


# Sentiment


def _compare_sentiment(data: Path) -> Scores:
    parts = dict(zip(("", "chabsa_"), read_sentiment(data), strict=True))
    parts["reviews_"] = _read_reviews("test")
    train = [example for part in read_sentiment(data, TRAIN) for example in part]
    train += _read_reviews("train") if train else []
    parts["all_"] = parts[""] + parts["chabsa_"]
    if not parts["all_"]:
        return {}
    scores: Numbers = {}
    bayes = fit_bayes([one.text for one in train], [one.label for one in train]) if train else None
    for prefix, part in parts.items():
        if not part:
            continue
        scores[f"{prefix}examples"] = len(part)
        scores[f"{prefix}majority"] = majority_share(one.label for one in part)
        if bayes is not None:
            found = bayes.predict([one.text for one in part])
            scores[f"{prefix}naive_bayes"] = _share(one.label == label for one, label in zip(part, found, strict=True))
    return {"sentiment": scores}


def _judge_sentiment(shipped: Shipped, data: Path) -> Measured:
    economy, reports = read_sentiment(data)
    scores: Numbers = {}
    right: dict[str, list[bool]] = {}
    for prefix, part in (("", economy), ("chabsa_", reports), ("reviews_", _read_reviews("test"))):
        right[prefix] = [one.gold == one.predicted for one in shipped.predict(part)]
        if part:
            scores[f"{prefix}accuracy"] = _share(right[prefix])
    scores["all_accuracy"] = _share(right[""] + right["chabsa_"])
    tones = _group(right["reviews_"], (str(row.values["tone"]) for row in read_sample("reviews", part="test").rows))
    return Measured({"sentiment": scores}, {f"accuracy.{tone}": _share(found) for tone, found in tones.items()})


def _read_reviews(part: str) -> list[LabelledText]:
    return [
        LabelledText(str(row.values["text"]), str(row.values["label"]))
        for row in read_sample("reviews", part=part).rows
    ]


# Pairs of sentences


def _compare_inference(data: Path) -> Scores:
    pairs = read_inference(data)
    if not pairs:
        return {}
    scores: Numbers = {"examples": len(pairs), "majority": majority_share(pair.label for pair in pairs)}
    own_pairs = _read_own("inference", "pair-classification")
    scores |= {"own_examples": len(own_pairs), "own_majority": majority_share(pair.label for pair in own_pairs)}
    unseen = [pair for pair, new in zip(pairs, _are_unseen(pairs, data), strict=True) if new]
    if unseen:
        scores |= {"unseen_examples": len(unseen), "unseen_majority": majority_share(pair.label for pair in unseen)}
    return {"jnli": scores}


def _judge_inference(shipped: Shipped, data: Path) -> Measured:
    pairs = read_inference(data)
    predictions = shipped.predict(pairs)
    own = shipped.task.score(predictions)
    scores: Numbers = {"accuracy": own["accuracy"], "macro_f1": own["macro_f1"]}
    scores["own_accuracy"] = shipped.score(_read_own("inference", shipped.task.name))["accuracy"]
    new = _are_unseen(pairs, data)
    if any(new):
        scores["accuracy_unseen"] = _share(
            one.gold == one.predicted for one, is_new in zip(predictions, new, strict=True) if is_new
        )
    return Measured({"jnli": scores}, {name: value for name, value in own.items() if name.startswith("f1.")})


def _read_own(name: str, task: str) -> list[Any]:
    """Examples that were written for this project, about anything: nothing here trains on them."""
    from core.tasks.registry import find_task

    examples, _ = read_examples(
        find_task(task), read_sample(name, part="train"), DataSource(f"sample:{name}"), part="train"
    )
    return list(examples)


def _are_unseen(pairs: Sequence[Any], data: Path) -> list[bool]:
    """Which pairs have no score in the training part of JSTS, in either order; without that part none can be told."""
    seen = {pair_subject(pair.first, pair.second) for pair in read_similarity(data, TRAIN)}
    return [bool(seen) and pair_subject(pair.first, pair.second) not in seen for pair in pairs]


def _compare_similarity(data: Path) -> Scores:
    pairs = read_similarity(data)
    if not pairs:
        return {}
    own = _read_own("similarity", "similarity")
    overlap, own_overlap = (
        _correlate(part, [bigram_overlap(pair.first, pair.second) for pair in part]) for part in (pairs, own)
    )
    return {
        "jsts": {
            "examples": len(pairs),
            "own_examples": len(own),
            "own_bigram_overlap": own_overlap["spearman"],
            "bigram_overlap": overlap["spearman"],
            "bigram_overlap_pearson": overlap["pearson"],
        }
    }


def _judge_similarity(shipped: Shipped, data: Path) -> Measured:
    scores = shipped.score(read_similarity(data))
    own = shipped.score(_read_own("similarity", shipped.task.name))
    return Measured(
        {"jsts": {"spearman": scores["spearman"], "pearson": scores["pearson"], "own_spearman": own["spearman"]}}
    )


def _correlate(pairs: Sequence[ScoredPair], numbers: Sequence[float]) -> Numbers:
    from core.tasks.registry import find_task

    told = [Prediction(i, pair.score, n, math.nan) for i, (pair, n) in enumerate(zip(pairs, numbers, strict=True))]
    return find_task("similarity").score(told)


def _compare_sentences(task: str) -> Callable[[Path], Scores]:
    def compare(data: Path) -> Scores:
        return {task: {"examples": len(pairs)}} if (pairs := read_similarity(data)) else {}

    return compare


def _judge_sentences(task: str) -> Callable[[Shipped, Path], Measured]:
    def judge(shipped: Shipped, data: Path) -> Measured:
        scores = shipped.score(read_similarity(data))
        return Measured({task: {name: scores[name] for name in ("spearman", "pearson")}})

    return judge


def _pool_means(folder: Path, data: Path) -> Scores:
    """The cosine of mean vectors of the bare encoder, what SimCSE starts from: kept with the encoder's own numbers."""
    import torch
    from transformers import AutoModel

    from core.search.embedding import embed
    from core.tasks.loaded import load_tokenizer_of

    pairs = read_similarity(data)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32, add_pooling_layer=False)
    tokenizer = load_tokenizer_of(folder)
    one, other = (
        embed(model, tokenizer, texts, pooling="mean", normalize=True)
        for texts in ([pair.first for pair in pairs], [pair.second for pair in pairs])
    )  # (N, D) each
    scores = _correlate(pairs, np.einsum("nd,nd->n", one, other).tolist())
    return {"mean_pooling": {"examples": len(pairs), **scores}}


# Questions with choices, names


def _compare_choices(data: Path) -> Scores:
    questions = read_choices(data)
    if not questions:
        return {}
    overlaps = [[bigram_overlap(one.question, choice) for choice in one.choices] for one in questions]
    return {
        "jcommonsenseqa": {
            "examples": len(questions),
            "chance": float(np.mean([1 / len(one.choices) for one in questions])),
            "majority": majority_share(one.answer for one in questions),
            "bigram_overlap": _share(
                row.index(max(row)) == one.answer for row, one in zip(overlaps, questions, strict=True)
            ),
        }
    }


def _judge_choices(shipped: Shipped, data: Path) -> Measured:
    return Measured({"jcommonsenseqa": {"accuracy": shipped.score(read_choices(data))["accuracy"]}})


def _compare_entities(data: Path) -> Scores:
    from core.tasks.bio import score_entities

    texts = read_entities(data)
    if not texts:
        return {}
    scores: Numbers = {"examples": len(texts)}
    if train := read_entities(data, TRAIN):
        names = collect_names(train)
        found = [look_up_names(one.text, names) for one in texts]
        scores["dictionary"] = score_entities([one.entities for one in texts], found)["micro avg"]["f1-score"]
    return {"ner": scores}


def _judge_entities(*metrics: str) -> Callable[[Shipped, Path], Measured]:
    def judge(shipped: Shipped, data: Path) -> Measured:
        scores = shipped.score(read_entities(data))
        types = {name: value for name, value in scores.items() if name.startswith("f1.")}
        return Measured({"ner": {name: scores[name] for name in metrics}}, types)

    return judge


# Headlines, reading, retrieval


def _compare_headlines(data: Path) -> Scores:
    from core.tasks.registry import find_task

    articles = read_articles(data)
    if not articles:
        return {}
    leads = [
        Prediction(place, one.headline, lead(one.body), math.nan, details={"loss": 0.0, "tokens": 0, "correct": 0})
        for place, one in enumerate(articles)
    ]
    scores = find_task("headline").score(leads)
    return {
        "headline": {"examples": len(articles)},
        "lead": {"examples": len(articles), **_pick_written(scores)},
    }


def _judge_headlines(shipped: Shipped, data: Path) -> Measured:
    scores = shipped.score(read_articles(data))
    return Measured({"headline": _pick_written(scores)})


def _pick_written(scores: Numbers) -> Numbers:
    return {name: scores[name] for name in ("rouge1", "rouge2", "rouge_l", "bleu", "bertscore") if name in scores}


def _compare_reading(data: Path) -> Scores:
    questions = read_questions(data)
    # Silence is the only answer that needs no reading, and it is always wrong.
    return {"reader": {"examples": len(questions), "silence": 0.0}} if questions else {}


def _judge_reading(shipped: Shipped, data: Path) -> Measured:
    scores = shipped.score(read_questions(data))
    return Measured({"reader": {name: scores[name] for name in ("exact_match", "f1")}})


def _compare_retrieval(data: Path) -> Scores:
    if not (questions := read_searches(data)):
        return {}
    found = _search_words(data)
    return {
        "retrieval": {
            "examples": len(questions),
            "passages": len(found.passages),
            **{f"bm25_recall@{k}": recall(found.hits, found.gold, k=k) for k in DEPTHS},
        }
    }


def _judge_retrieval(shipped: Shipped, data: Path) -> Measured:
    """BPR as it searches: the question's real vector on the bits of the passages' windows; a tie counts against it."""
    from core.search.fusion import fuse, fuse_scores
    from core.search.hits import top_hits
    from core.search.windows import cut_windows, take_best
    from core.tasks.retrieval import embed_retrieval, encode_passages
    from core.tasks.tokenizing import encode_texts

    words = _search_words(data)
    length = int(shipped.setup.options.get("question_length", 128))
    windows = [
        (place, replace(passage, text=text))
        for place, passage in enumerate(words.passages)
        for text in cut_windows(passage.text, characters=WINDOW)
    ]
    queries, vectors = embed_retrieval(
        shipped.model,
        encode_texts(shipped.tokenizer, [one.question for one in read_searches(data)], max_length=length),
        encode_passages(shipped.tokenizer, [window for _, window in windows], max_length=shipped.setup.max_length),
        shipped.tokenizer,
        batch_size=32,
    )  # (Q, D), (W, D)
    found = queries @ np.where(vectors >= 0, np.float32(1), np.float32(-1)).T  # (Q, W)
    scores = take_best(found, [place for place, _ in windows], count=len(words.passages))  # (Q, P)
    right = np.take_along_axis(scores, words.gold[:, None], axis=1)
    ranks = (scores >= right).sum(axis=1)  # (Q,)
    dense = [top_hits(row, CANDIDATES) for row in scores]
    fused = [fuse([one, other], limit=max(DEPTHS)) for one, other in zip(words.hits, dense, strict=True)]
    joined = [top_hits(row, max(DEPTHS)) for row in fuse_scores([words.scores, scores])]
    own: Numbers = {}
    for k in DEPTHS:
        own[f"bpr_recall@{k}"] = float((ranks <= k).mean())
        own[f"hybrid_recall@{k}"] = recall(joined, words.gold, k=k)
        own[f"rank_fusion_recall@{k}"] = recall(fused, words.gold, k=k)
    return Measured({"retrieval": own})


@dataclass(frozen=True, eq=False)
class _WordSearch:
    """What BM25 finds for each question."""

    passages: tuple[Any, ...]
    gold: NDArray[np.int64]  # (Q,) the place of the right passage
    scores: Floats  # (Q, P)
    hits: list[tuple[Hit, ...]]


@cache
def _search_words(data: Path) -> _WordSearch:
    from core.search.bm25 import build_bm25
    from core.search.hits import top_hits

    questions = read_searches(data)
    pool = {passage: place for place, passage in enumerate(dict.fromkeys(one.positive for one in questions))}
    # With their titles, which the vectors are made of too.
    index = build_bm25([f"{passage.title}\n{passage.text}" for passage in pool], terms="bigrams")
    scores = np.stack([index.scores(one.question) for one in questions])
    gold = np.array([pool[one.positive] for one in questions], dtype=np.int64)
    return _WordSearch(tuple(pool), gold, scores, [top_hits(row, CANDIDATES) for row in scores])


def recall(rankings: Sequence[Sequence[Hit]], gold: NDArray[np.int64], *, k: int) -> float:
    """The share of questions whose passage is among the first k."""
    from core.search.evaluation import recall_at

    return float(recall_at(rankings, [(int(place),) for place in gold], k=k).mean())


# Running text


def _compare_text(task: str) -> Callable[[Path], Scores]:
    def compare(data: Path) -> Scores:
        texts = sum(len(corpus.texts) for corpus in read_corpora(data))
        return {task: {"examples": texts}} if texts else {}

    return compare


def _judge_encoder(shipped: Shipped, data: Path) -> Measured:
    """Blanks filled, and mean pooling, which is the bare encoder too."""
    from core.bundled.evaluation import evaluate

    held_out = evaluate(shipped.folder, data, seed=1)
    overall = held_out["overall"]
    scores: Scores = {
        "encoder": {
            "examples": sum(source["rows"] for source in held_out["sources"].values()),
            "mlm_loss": overall["model"]["loss"],
            "mlm_accuracy": overall["model"]["top1"],
            "unigram": overall["unigram"]["loss"],
            "unigram_accuracy": overall["unigram"]["top1"],
        }
    }
    pooled = _pool_means(shipped.folder, data) if read_similarity(data) else {}
    return Measured(scores | pooled, report={"held_out": held_out})


def _judge_decoder(shipped: Shipped, data: Path) -> Measured:
    """Perplexity, beside a trigram model of the same tokens that learned from the same corpora."""
    corpora = read_corpora(data)
    own = _mix_losses(shipped, corpora)
    scores: Numbers = {"loss": own, "perplexity": math.exp(own)}
    if train := _draw_texts(data):
        size = int(shipped.model.config.vocab_size)
        stream = _join_tokens(shipped, train)
        trigrams, unigrams = fit_trigrams(stream, size), fit_unigrams(stream, size)

        def count_on_three(texts: tuple[str, ...]) -> float:
            rows = _restore_rows(shipped, texts)
            return -float(np.concatenate([trigrams.log_probabilities(row) for row in rows]).mean())

        def count_on_one(texts: tuple[str, ...]) -> float:
            return -float(unigrams[np.concatenate([row[1:] for row in _restore_rows(shipped, texts)])].mean())

        scores["trigram"] = math.exp(map_corpora(corpora, count_on_three))
        scores["unigram"] = math.exp(map_corpora(corpora, count_on_one))
    return Measured({"decoder": scores})


def _judge_seq2seq(shipped: Shipped, data: Path) -> Measured:
    """Loss on hidden spans, beside what counting the tokens of such targets gives: one alone, and three in a row.

    The counts know nothing of the text that is read.
    """
    corpora = read_corpora(data)
    scores: Numbers = {"loss": _mix_losses(shipped, corpora)}
    if train := _draw_texts(data):
        size, targets = int(shipped.model.config.vocab_size), _list_targets(shipped, train[::2])
        unigrams, trigrams = fit_unigrams(targets, size), fit_trigrams(targets, size)
        scores["unigram"] = map_corpora(corpora, lambda texts: -float(unigrams[_list_targets(shipped, texts)].mean()))
        scores["trigram"] = map_corpora(
            corpora, lambda texts: -float(trigrams.log_probabilities(_list_targets(shipped, texts)).mean())
        )
    return Measured({"seq2seq": scores})


def _mix_losses(shipped: Shipped, corpora: Sequence[Corpus]) -> float:
    return map_corpora(corpora, lambda texts: shipped.score([PlainText(text) for text in texts])["loss"])


@cache
def _draw_texts(data: Path) -> tuple[str, ...]:
    """Documents to count, mixed as for the models that write; none when the corpora are not there."""
    with TemporaryDirectory() as place:
        sample = Path(place) / "sample.txt"
        try:
            draw_sample(data, sample, megabytes=TRAINING_MEGABYTES, seed=1, shares=WRITING_SHARES)
        except FileNotFoundError:
            return ()
        return tuple(sample.read_text(encoding="utf-8").strip().split("\n\n"))


def _join_tokens(shipped: Shipped, texts: Sequence[str]) -> NDArray[np.int64]:
    """The stream (N,) that causal training would read."""
    parts = []
    for start in range(0, len(texts), 500):
        examples = [PlainText(text) for text in texts[start : start + 500]]
        blocks = shipped.task.prepare(examples, shipped.tokenizer, shipped.setup)
        parts += [np.asarray(block["input_ids"]) for block in blocks]
    return np.concatenate(parts)


def _restore_rows(shipped: Shipped, texts: Sequence[str]) -> list[NDArray[np.int64]]:
    """The tokens (T,) of each text as the model was asked for them: all but the first."""
    task: Any = shipped.task
    rows = []
    for windows in task.encode(texts, shipped.tokenizer, shipped.setup):  # they share one token
        parts = [np.asarray(window["input_ids"])[bool(number) :] for number, window in enumerate(windows)]
        if parts:
            rows.append(np.concatenate(parts))
    return rows


def _list_targets(shipped: Shipped, texts: Sequence[str]) -> NDArray[np.int64]:
    """The tokens (N,) that span corruption asks for."""
    task: Any = shipped.task
    encoded = task.encode(texts, shipped.tokenizer, shipped.setup)
    return np.concatenate([np.asarray(piece["labels"]) for own in encoded for piece in own])


def _share(answers: Iterable[bool]) -> float:
    found = list(answers)
    return sum(found) / len(found) if found else math.nan


def _group(values: Iterable[bool], kinds: Iterable[Hashable]) -> Mapping[Any, list[bool]]:
    groups: defaultdict[Any, list[bool]] = defaultdict(list)
    for value, kind in zip(values, kinds, strict=True):
        groups[kind].append(value)
    return groups


_TEXT_METRICS = ("loss", "accuracy")
MEASURES = (
    Measure("encoder", "masked-lm", _compare_text("encoder"), _judge_encoder, "passages", _TEXT_METRICS, 20),
    Measure("decoder", "causal-lm", _compare_text("decoder"), _judge_decoder, "passages", _TEXT_METRICS, 20),
    Measure("seq2seq", "span-corruption", _compare_text("seq2seq"), _judge_seq2seq, "passages", _TEXT_METRICS, 20,
            Setup(max_length=128, max_target_length=64)),
    Measure("sentiment", "classification", _compare_sentiment, _judge_sentiment, "reviews",
            ("accuracy", MEAN_LOSS)),
    Measure("inference", "pair-classification", _compare_inference, _judge_inference, "inference",
            ("accuracy", MEAN_LOSS)),
    Measure("similarity", "similarity", _compare_similarity, _judge_similarity, "similarity", ("spearman",)),
    Measure("choice", "multiple-choice", _compare_choices, _judge_choices, "choices",
            ("accuracy", MEAN_LOSS)),
    Measure("tagging", "tagging", _compare_entities, _judge_entities("argmax_f1", "viterbi_f1"), "entities",
            ("argmax_f1", "viterbi_f1")),
    Measure("tagging-crf", "tagging-crf", _compare_entities, _judge_entities("crf_f1"), "entities", ("crf_f1",)),
    Measure("simcse", "simcse", _compare_sentences("simcse_unsup"), _judge_sentences("simcse_unsup"), "similarity",
            ("spearman",)),
    Measure("simcse-supervised", "simcse-supervised", _compare_sentences("simcse_sup"),
            _judge_sentences("simcse_sup"), "similarity", ("spearman",)),
    Measure("headline", "headline", _compare_headlines, _judge_headlines, "articles", ("rouge1", "token_loss"), 12),
    Measure("retrieval", "retrieval", _compare_retrieval, _judge_retrieval, "quiz", ("recall@1", "mrr")),
    Measure("reading", "reading", _compare_reading, _judge_reading, "quiz", ("exact_match", "f1")),
)  # fmt: skip
"""Every bundled model, in the order of the book."""
