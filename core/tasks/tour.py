"""What language models do, on one sentence of the visitor's: the five tasks of book 1.1, and one of them step by step.

Each task answers by itself. One that cannot (no model here, nothing typed) says why, and the others go on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TypeVar

from core.data.examples import Article, LabelledPair, ScoredPair
from core.errors import AppError, InvalidInput, ModelUnavailable
from core.presets import HEADS, models_folder
from core.tasks.loaded import TaskModel, load_task_model, predict, read_setup
from core.tasks.task import Setup
from core.text.input import clean_text

LONGEST = 200  # characters of a sentence: it and a second one fit into the 128 tokens that the bundled models read
LONGEST_ARTICLE = 1_000
HYPOTHESES = 3
UNRELATED = "港では漁船の塗り替えが始まった。"  # beside its score every other score shows what it is worth

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Sources:
    """The model that answers each task: ids of `core.presets.HEADS`."""

    sentiment: str = "sentiment"
    inference: str = "inference"
    similarity: str = "similarity"
    embedding: str = "simcse"
    names: str = "tagging"
    headline: str = "headline"


@dataclass(frozen=True, slots=True)
class Texts:
    """What is asked about: a sentence, what may follow from it, one to compare it with, and an article of its own."""

    sentence: str
    hypotheses: tuple[str, ...]
    other: str
    article: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a task has no answer: the key of a sentence, and its values."""

    key: str
    params: Mapping[str, str | int | float]


@dataclass(frozen=True, slots=True)
class Sentiment:
    """Probabilities of the classes, and how they came about: T pieces and ids, and the L numbers before softmax."""

    labels: tuple[str, ...]
    probabilities: tuple[float, ...]
    pieces: tuple[str, ...]
    ids: tuple[int, ...]
    logits: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Inference:
    """For each hypothesis the probability of each label."""

    hypotheses: tuple[str, ...]
    labels: tuple[str, ...]
    probabilities: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Likeness:
    """A score of the sentence and the other one, and that of the sentence and `UNRELATED`."""

    pair: float
    unrelated: float


@dataclass(frozen=True, slots=True)
class Name:
    """A named entity: sentence[start:end], its pieces, and the mean probability of their labels."""

    start: int
    end: int
    label: str
    confidence: float
    pieces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Names:
    """The entities of the sentence, in its order."""

    found: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """A headline; `read` of the article's `total` tokens went into it."""

    text: str
    read: int
    total: int


@dataclass(frozen=True, slots=True)
class Tour:
    """Five answers. `similarity` is on the scale 0 to 5 of JSTS, `embedding` a cosine.

    `cut` are the tasks whose input was longer than their model reads.
    """

    texts: Texts
    sources: Sources
    sentiment: Sentiment | Refusal
    inference: Inference | Refusal
    similarity: Likeness | Refusal
    embedding: Likeness | Refusal
    names: Names | Refusal
    headline: Written | Refusal
    cut: tuple[str, ...]


TASKS = tuple(field.name for field in fields(Sources))


def take_tour(texts: Texts, sources: Sources) -> Tour:
    """Ask every task.

    Raises:
        InvalidInput: the sentence cannot be used (``error.text.…``).
        ModelUnavailable: a model of the Hub that was asked for is not at hand; a bundled one is a `Refusal`.
    """
    clean_text(texts.sentence, limit=LONGEST, required=True)
    refused = find_refusals(texts, sources)
    cut: list[str] = []

    def ask(task: str, answer: Callable[[TaskModel], Answer], *inputs: tuple[str, ...]) -> Answer | Refusal:
        if task in refused:
            return refused[task]
        source = getattr(sources, task)
        try:
            model = load_task_model(source)
            if any(count_tokens(model, *given) > _room(model) for given in inputs):
                cut.append(task)
            return answer(model)
        except AppError as error:
            # Not so for what was asked for by name: the result is remembered, and the Hub may answer a minute later.
            if isinstance(error, ModelUnavailable) and not is_bundled(source):
                raise
            return Refusal(error.key, error.params)

    sentence, other = texts.sentence, texts.other
    return Tour(
        texts,
        sources,
        ask("sentiment", lambda model: _judge(model, sentence), (sentence,)),
        ask("inference", lambda model: _infer(model, texts), *((sentence, one) for one in texts.hypotheses)),
        ask("similarity", lambda model: _compare(model, sentence, other), (sentence, other)),
        ask("embedding", lambda model: _compare(model, sentence, other)),
        ask("names", lambda model: _find_names(model, sentence)),
        ask("headline", lambda model: _write(model, texts.article), (texts.article,)),
        tuple(cut),
    )


def find_refusals(texts: Texts, sources: Sources) -> dict[str, Refusal]:
    """What can be told without loading a model: bundled models that are not here, texts that cannot be used."""
    needed = {
        "inference": texts.hypotheses,
        "similarity": (texts.other,),
        "embedding": (texts.other,),
        "headline": (texts.article,),
    }
    found: dict[str, Refusal] = {}
    for task in TASKS:
        source = getattr(sources, task)
        try:
            if is_bundled(source) and not is_shipped(source):
                raise ModelUnavailable("error.model.not_shipped", source=source)
            for text in needed.get(task, ()):
                clean_text(text, limit=LONGEST_ARTICLE if task == "headline" else LONGEST, required=True)
            if task == "inference" and not 0 < len(texts.hypotheses) <= HYPOTHESES:
                raise InvalidInput("error.tour.hypotheses", count=len(texts.hypotheses), limit=HYPOTHESES)
        except AppError as error:
            found[task] = Refusal(error.key, error.params)
    return found


def is_bundled(source: str) -> bool:
    """Whether the catalogue has it as a model of this project."""
    return any(preset.bundled for preset in HEADS if preset.id == source)


def is_shipped(source: str) -> bool:
    """Whether the bundled model of that name lies in the folder of models."""
    return (models_folder() / source / "config.json").is_file()


def split_hypotheses(written: str) -> tuple[str, ...]:
    """One hypothesis a line; empty lines do not count."""
    return tuple(line.strip() for line in written.splitlines() if line.strip())


def count_tokens(model: TaskModel, *texts: str) -> int:
    """Tokens of one text or a pair, special tokens included, as if nothing were ever cut."""
    from core.tasks.tokenizing import encode_pieces

    special = model.tokenizer.num_special_tokens_to_add(pair=len(texts) > 1)
    return special + sum(len(ids) for ids in encode_pieces(model.tokenizer, texts))


def _room(model: TaskModel) -> int:
    return min(model.setup.max_length, model.tokenizer.model_max_length)


def _judge(model: TaskModel, sentence: str) -> Sentiment:
    from core.tasks.batching import evaluating
    from core.tasks.classification import label_collator
    from core.tasks.tokenizing import encode_texts

    features = encode_texts(model.tokenizer, [sentence], max_length=model.setup.max_length)
    with evaluating(model.model):
        logits = model.model(**label_collator(model.tokenizer)(features)).logits[0].float()  # (L,)
    ids = features[0]["input_ids"]
    return Sentiment(
        model.setup.labels,
        tuple(logits.softmax(-1).tolist()),
        tuple(model.tokenizer.convert_ids_to_tokens(ids)),
        tuple(ids),
        tuple(logits.tolist()),
    )


def _infer(model: TaskModel, texts: Texts) -> Inference:
    labels = model.setup.labels
    pairs = [LabelledPair(texts.sentence, hypothesis, labels[0]) for hypothesis in texts.hypotheses]
    rows = tuple(tuple(one.scores[label] for label in labels) for one in predict(model, pairs))
    return Inference(texts.hypotheses, labels, rows)


def _compare(model: TaskModel, sentence: str, other: str) -> Likeness:
    """By the task's own measure: a cross-encoder's score, or the cosine of two vectors."""
    pairs = [ScoredPair(sentence, second, math.nan) for second in (other, UNRELATED)]
    pair, unrelated = predict(model, pairs)
    return Likeness(float(pair.predicted), float(unrelated.predicted))


def _find_names(model: TaskModel, sentence: str) -> Names:
    from core.tasks.offsets import locate_tokens
    from core.tasks.tagging import tag_text

    (tokens,) = locate_tokens(model.tokenizer, [sentence])
    count, limit = len(tokens.ids) + 2, _room(model)
    if count > limit:  # read through windows it could be, but no longer by a script that fits on the page
        raise InvalidInput("error.tour.too_many_tokens", count=count, limit=limit)
    pieces = model.tokenizer.convert_ids_to_tokens(list(tokens.ids))
    found = tag_text(sentence, model.model, tokenizer=model.tokenizer, max_length=model.setup.max_length)
    return Names(
        tuple(
            Name(
                span.start,
                span.end,
                span.label,
                span.confidence,
                tuple(
                    piece
                    for piece, (start, end) in zip(pieces, tokens.spans, strict=True)
                    if start < span.end and end > span.start
                ),
            )
            for span in found
        )
    )


def _write(model: TaskModel, article: str) -> Written:
    (written,) = predict(model, [Article(article, "")])
    total = count_tokens(model, article)
    return Written(str(written.predicted), min(total, _room(model)), total)


def find_settings(source: str) -> Setup:
    """The setup of a model of the catalogue, without loading it."""
    read = read_setup(models_folder() / source) if is_bundled(source) else None
    return read[1] if read else Setup()
