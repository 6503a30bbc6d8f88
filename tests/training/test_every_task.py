"""Every task with its bundled sample: the metrics of a run are those of other libraries on the predictions it saved."""

from __future__ import annotations

import json
import math
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sacrebleu
from rouge_score.rouge_scorer import RougeScorer
from scipy.stats import pearsonr, spearmanr
from seqeval.metrics import f1_score as entity_f1
from seqeval.metrics import precision_score as entity_precision
from seqeval.metrics import recall_score as entity_recall
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from core.tasks.registry import TASKS
from core.text.segmentation import segment
from core.training.__main__ import main
from core.training.config import example_config, read_config, write_config
from core.training.events import Finished
from core.training.folder import RunFolder
from tests.bundled.family import build_family
from tests.training.test_engine import Killed, kill_at
from tests.training.tiny import distance, start

Predictions = Sequence[Mapping[str, Any]]
Metrics = Mapping[str, float]
STEPS = 5


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A foundation of each kind with random weights and the vocabulary of the bundled ones."""
    folder = tmp_path_factory.mktemp("assets")
    build_family(folder)
    return folder / "models"


def column(predictions: Predictions, name: str) -> list[Any]:
    return [prediction[name] for prediction in predictions]


def classified(predictions: Predictions) -> Metrics:
    gold, predicted = column(predictions, "gold"), column(predictions, "predicted")
    labels = list(predictions[0]["scores"])
    parts = precision_recall_fscore_support(gold, predicted, labels=labels, zero_division=0)
    own = {
        f"{name}.{label}": value
        for name, row in zip(("precision", "recall", "f1"), parts, strict=False)
        for label, value in zip(labels, row, strict=True)
    }
    return {"accuracy": accuracy_score(gold, predicted), "macro_f1": float(np.mean(parts[2])), **own}


def correlated(predictions: Predictions) -> Metrics:
    gold, predicted = column(predictions, "gold"), column(predictions, "predicted")
    return {"pearson": pearsonr(gold, predicted).statistic, "spearman": spearmanr(gold, predicted).statistic}


def chosen(predictions: Predictions) -> Metrics:
    return {"accuracy": accuracy_score(column(predictions, "gold"), column(predictions, "predicted"))}


def write_tags(entities: Sequence[Any], length: int) -> list[str]:
    """A label for each character."""
    tags = ["O"] * length
    for begin, end, kind in entities:
        tags[begin:end] = [f"B-{kind}", *[f"I-{kind}"] * (end - begin - 1)]
    return tags


def tagged(predictions: Predictions) -> Metrics:
    def tag(rows: Sequence[Any]) -> list[list[str]]:
        return [write_tags(entities, 400) for entities in rows]

    gold, predicted = tag(column(predictions, "gold")), tag(column(predictions, "predicted"))
    found = {
        f"{average}{name}": measure(gold, predicted, average=average.rstrip("_") or "micro", zero_division=0)
        for average in ("", "macro_", "weighted_")
        for name, measure in (("precision", entity_precision), ("recall", entity_recall), ("f1", entity_f1))
    }
    details = column(predictions, "details")
    decodings = {f"{name}_f1": entity_f1(gold, tag(column(details, name)), zero_division=0) for name in details[0]}
    return found | decodings


def written(predictions: Predictions) -> Metrics:
    pairs = [
        tuple(" ".join(word.surface for word in segment(prediction[side])) for side in ("gold", "predicted"))
        for prediction in predictions
    ]

    class Words:
        def tokenize(self, text: str) -> list[str]:
            return text.split()

    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"], tokenizer=Words())
    rows = [scorer.score(*pair) for pair in pairs]
    names = {"rouge1": "rouge1", "rouge2": "rouge2", "rouge_l": "rougeL"}
    means = {name: float(np.mean([row[theirs].fmeasure for row in rows])) for name, theirs in names.items()}
    bleu = sacrebleu.corpus_bleu([predicted for _, predicted in pairs], [[gold for gold, _ in pairs]]).score
    return {"bleu": bleu, "token_loss": told(predictions)["loss"], **means}


def told(predictions: Predictions) -> Metrics:
    """Of a language model: what it loses, and how often it is right, over all tokens."""
    details = column(predictions, "details")
    loss, tokens, correct = (float(np.sum(column(details, name))) for name in ("loss", "tokens", "correct"))
    return {"loss": loss / tokens, "perplexity": math.exp(loss / tokens), "accuracy": correct / tokens}


def ranked(predictions: Predictions) -> Metrics:
    ranks = np.array(column(column(predictions, "details"), "rank"))
    means = {"recall@1": np.mean(ranks <= 1), "recall@10": np.mean(ranks <= 10), "mrr": np.mean(1 / ranks)}
    return {name: float(mean) for name, mean in means.items()}


def read(predictions: Predictions) -> Metrics:
    """The best of a question's answers, compared without punctuation: whole, and character by character."""

    def compare(predicted: str, gold: str) -> tuple[bool, float]:
        one, other = (re.sub(r"\W", "", unicodedata.normalize("NFKC", text).lower()) for text in (predicted, gold))
        shared = sum((Counter(one) & Counter(other)).values())
        return one == other, 2 * shared / (len(one) + len(other))

    best = [max(compare(p["predicted"], gold) for gold in p["details"]["answers"]) for p in predictions]
    return {
        name: float(np.mean(scores))
        for name, scores in zip(("exact_match", "f1"), zip(*best, strict=True), strict=True)
    }


REFERENCES: Mapping[str, Callable[[Predictions], Metrics]] = {
    "causal-lm": told,
    "masked-lm": told,
    "span-corruption": told,
    "classification": classified,
    "pair-classification": classified,
    "similarity": correlated,
    "multiple-choice": chosen,
    "tagging": tagged,
    "tagging-crf": tagged,
    "headline": written,
    "simcse": correlated,
    "simcse-supervised": correlated,
    "retrieval": ranked,
    "reading": read,
    "reading-generative": read,
}


@pytest.fixture(scope="module", params=TASKS)
def run(request: pytest.FixtureRequest, models: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run by the command, on the sample that a task is tried on, with a foundation of random weights."""
    config = example_config(request.param)
    settings = replace(
        config.hyperparameters, steps=STEPS, evaluate_every=2, batch_size=4, max_length=48, max_target_length=8
    )
    data = replace(config.data, limit=24, validation_limit=12)
    folder = RunFolder(tmp_path_factory.mktemp(request.param))
    config = replace(config, model=str(models / config.model), data=data, hyperparameters=settings)
    write_config(config, folder.config)
    assert main([str(folder.path), "--task", config.task]) == 0
    return folder


def test_metrics_are_what_others_compute_from_the_saved_predictions(run: RunFolder) -> None:
    metrics = json.loads(run.metrics.read_text(encoding="utf-8"))
    assert metrics["validation"] and metrics["step"] == STEPS
    for part, place in {"validation": run.predictions, "test": run.test_predictions}.items():
        assert bool(metrics[part]) == place.is_file()
        if metrics[part]:
            predictions = [json.loads(line) for line in place.read_text(encoding="utf-8").splitlines()]
            expected = REFERENCES[metrics["task"]](predictions)
            assert {key: metrics[part][key] for key in expected} == pytest.approx(expected, abs=1e-6)


def test_a_run_that_was_killed_ends_as_one_that_was_not(
    run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a step drawn by lot: not one bit differs."""
    config = read_config(run.config)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_at(patch, random.Random(config.task).randint(1, STEPS))
        start(config, tmp_path)
    assert isinstance(start(config, tmp_path), Finished)
    assert distance(run.model, tmp_path / "model") == 0.0
    assert RunFolder(tmp_path).predictions.read_bytes() == run.predictions.read_bytes()


def test_a_taste_takes_the_sample_and_the_model_of_its_task(tmp_path: Path) -> None:
    for name in TASKS:
        config = example_config(name)
        assert config.hyperparameters.steps == 100
        assert (config.task, config.data.train.partition(":")[0]) == (name, "sample")
    assert main([str(tmp_path / "run"), "--task", "translation"]) == 1
    assert not (tmp_path / "run").exists()
