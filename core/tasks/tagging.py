"""Named entity recognition: BIO labels of tokens by argmax, by Viterbi, or by a CRF (book 6.3)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from core.data.cells import read_list, read_text
from core.data.examples import EntitySpan, TaggedText
from core.errors import InvalidInput, ModelUnavailable
from core.tasks.bio import OUTSIDE, find_spans, score_entities, tag_tokens, token_labels
from core.tasks.emissions import (
    DECODINGS,
    Emissions,
    add_special,
    compute_emissions,
    count_room,
    decode_labels,
    find_crf,
    iterate_emissions,
    model_labels,
    pad_ids,
    pad_rows,
)
from core.tasks.offsets import locate_tokens
from core.tasks.task import Architecture, Column, Hyperparameters, Option, Prediction, Setup
from core.text.input import refuse_surrogates

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from core.tasks.task import Collator, Features

    Spans = tuple[EntitySpan, ...]

_COLUMNS = (Column("text", "text"), Column("entities", "entities"))
_DEFAULTS = Hyperparameters(epochs=5, learning_rate=1e-4)
_IGNORED = -100  # a label that no loss looks at


@dataclass(frozen=True, slots=True)
class TaggedSpan:
    """An entity found in a text, and the mean probability of the labels of its tokens."""

    start: int
    end: int
    label: str
    confidence: float


@dataclass(frozen=True)
class Tagging:
    """Token classification; decoded by argmax, and by Viterbi under the transitions that BIO allows."""

    name: str = "tagging"
    sections: tuple[str, ...] = ("6.3.1", "6.3.2", "6.3.6")
    columns: tuple[Column, ...] = _COLUMNS
    options: tuple[Option, ...] = (Option("decoding", "viterbi", ("viterbi", "argmax")),)
    architecture: Architecture = "encoder"
    metric: str = "f1"
    greater_is_better: bool = True
    defaults: Hyperparameters = _DEFAULTS

    def read(self, row: Mapping[str, Any]) -> TaggedText:
        """A text and its entities, each with ``span`` [start, end) in code points, ``type``, and perhaps ``name``.

        Raises:
            InvalidInput: ``error.tagging.entity`` (not of that form), ``.span`` (outside the text), ``.name`` (the span
                holds something else), ``.overlap``; ``error.data.…`` for a cell that cannot be used at all.
        """
        text = read_text(row, "text")
        entities = tuple(sorted(_read_entity(item, text) for item in read_list(row, "entities", required=False)))
        for one, other in pairwise(entities):
            if other.start < one.end:
                first, second = text[one.start : one.end], text[other.start : other.end]
                raise InvalidInput("error.tagging.overlap", first=first[:40], second=second[:40])
        return TaggedText(text, entities)

    def write(self, example: TaggedText) -> dict[str, Any]:
        """The row of an example, as in the book's data set."""
        entities = [
            {"name": example.text[entity.start : entity.end], "span": [entity.start, entity.end], "type": entity.label}
            for entity in example.entities
        ]
        return {"text": example.text, "entities": entities}

    def label_of(self, example: TaggedText) -> str | None:
        """None: a text has as many labels as tokens."""
        return None

    def labels(self, examples: Sequence[TaggedText]) -> tuple[str, ...]:
        """The labels of tokens: O, then B and I of each type."""
        return token_labels(entity.label for example in examples for entity in example.entities)

    def load(self, folder: str, setup: Setup) -> PreTrainedModel:
        """A token classifier in float32: one that was trained for these labels keeps its head.

        Raises:
            InvalidInput: ``error.tagging.no_types``.
            ModelUnavailable: ``error.model.unreadable``, ``error.model.unsupported``.
        """
        from core.libraries import import_transformers

        import_transformers()
        from transformers import AutoModelForTokenClassification

        return _load(AutoModelForTokenClassification, folder, setup)

    def prepare(
        self, examples: Sequence[TaggedText], tokenizer: PreTrainedTokenizerBase, setup: Setup
    ) -> Sequence[Features]:
        """Token ids and ``labels`` (T,), -100 for special tokens; what is longer than `max_length` is cut.

        A text without a single token (only characters that the tokenizer drops) is left out.

        Raises:
            InvalidInput: ``error.data.unknown_label``.
        """
        numbers = {label: index for index, label in enumerate(expand_labels(setup.labels))}
        room = count_room(tokenizer, setup.max_length)
        features: list[Features] = []
        for example, tokens in zip(examples, locate_tokens(tokenizer, [e.text for e in examples]), strict=True):
            for entity in example.entities:
                if f"B-{entity.label}" not in numbers or f"I-{entity.label}" not in numbers:
                    known = ", ".join(label[2:] for label in numbers if label.startswith("B-"))
                    raise InvalidInput("error.data.unknown_label", label=entity.label[:40], known=known[:200])
            labels = [numbers[label] for label in tag_tokens(example.entities, tokens.spans)[:room]]
            if labels:
                ids = add_special(tokens.ids[:room], tokenizer)
                features.append(
                    {
                        "input_ids": ids,
                        "attention_mask": [1] * len(ids),
                        "labels": [_IGNORED, *labels, _IGNORED],
                    }
                )
        return features

    def collator(self, tokenizer: PreTrainedTokenizerBase, setup: Setup) -> Collator:
        """Padding to the longest of the batch; labels with -100."""

        def collate(features: list[Features]) -> dict[str, Tensor]:
            batch = pad_ids([feature["input_ids"] for feature in features], tokenizer)
            return {**batch, "labels": pad_rows([feature["labels"] for feature in features], _IGNORED)}

        return collate

    def predict(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        examples: Sequence[TaggedText],
        setup: Setup,
        *,
        batch_size: int = 32,
    ) -> list[Prediction]:
        """Entities by the chosen decoding; ``details`` holds those by every decoding of this task.

        Long texts are read through overlapping windows and decoded whole. The loss is the mean cross entropy of the
        text's tokens.
        """
        chosen = str(setup.options.get("decoding", "viterbi"))
        return _predict(
            model,
            tokenizer,
            examples,
            max_length=setup.max_length,
            batch_size=batch_size,
            decodings=("argmax", "viterbi"),
            chosen=chosen,
            losses=_token_losses,
        )

    def score(self, predictions: Sequence[Prediction]) -> dict[str, float]:
        """Precision, recall and F1 of entities: micro, then macro, weighted and of each type (``f1.<type>``).

        `argmax_f1`, `viterbi_f1` and `crf_f1` are the micro-F1 of the decodings that the predictions tell of.
        """
        gold = [_as_spans(prediction.gold) for prediction in predictions]
        report = score_entities(gold, [_as_spans(prediction.predicted) for prediction in predictions])
        averages = {"micro avg": "", "macro avg": "macro_", "weighted avg": "weighted_"}
        scores: dict[str, float] = {}
        for name, prefix in averages.items():
            row = report[name]
            scores |= {f"{prefix}{key}": row[key] for key in ("precision", "recall")} | {f"{prefix}f1": row["f1-score"]}
        for decoding in DECODINGS:
            if predictions and all(decoding in prediction.details for prediction in predictions):
                found = [_as_spans(prediction.details[decoding]) for prediction in predictions]
                scores[f"{decoding}_f1"] = score_entities(gold, found)["micro avg"]["f1-score"]
        for name, row in report.items():
            if name not in averages:
                scores |= {f"precision.{name}": row["precision"], f"recall.{name}": row["recall"]}
                scores[f"f1.{name}"] = row["f1-score"]
        return scores


@dataclass(frozen=True)
class CrfTagging(Tagging):
    """Token classification under a CRF that starts from the allowed transitions and learns their scores.

    `transition_speed` is how many times as fast as the rest of the model they learn: at the book's learning rate, 1e-4,
    670 steps move them by a few hundredths only.
    """

    name: str = "tagging-crf"
    sections: tuple[str, ...] = ("6.3.7",)
    options: tuple[Option, ...] = (Option("transition_speed", 1.0),)

    def load(self, folder: str, setup: Setup) -> PreTrainedModel:
        """A `BertForCrfTagging` in float32, from a base BERT, or from a model trained for tagging with these labels.

        Such a model keeps its linear layer, and the transitions where it has them, with their speed.

        Raises:
            InvalidInput: ``error.tagging.no_types``.
            ModelUnavailable: ``error.model.unreadable``, ``error.model.unsupported`` (not a BERT).
        """
        from core.tasks.crf import BertForCrfTagging

        return _load(BertForCrfTagging, folder, setup, kind="bert")

    def predict(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        examples: Sequence[TaggedText],
        setup: Setup,
        *,
        batch_size: int = 32,
    ) -> list[Prediction]:
        """Entities by the CRF; the loss is the negative log-likelihood of the text's labels."""
        return _predict(
            model,
            tokenizer,
            examples,
            max_length=setup.max_length,
            batch_size=batch_size,
            decodings=("crf",),
            chosen="crf",
            losses=_crf_losses,
        )


def tag_text(
    text: str,
    model: PreTrainedModel,
    *,
    tokenizer: PreTrainedTokenizerBase,
    decoding: str = "viterbi",
    max_length: int = 512,
) -> tuple[TaggedSpan, ...]:
    """Find the entities of one text, of any length.

    Args:
        text: any text.
        model: a model of either task.
        tokenizer: transformers' own.
        decoding: ``argmax``, ``viterbi`` or, for a model with one, ``crf``. The probabilities of the CRF are those
            of each label over all label sequences; otherwise of each token by itself.
        max_length: tokens of a window.

    Raises:
        InvalidInput: ``error.text.surrogate``.
        ValueError: a decoding that the model has not.
    """
    refuse_surrogates(text)
    (emissions,) = compute_emissions([text], model, tokenizer=tokenizer, max_length=max_length)
    if not emissions.tokens.ids:
        return ()
    (labels,) = decode_labels([emissions], model, decoding=decoding)
    names = model_labels(model)
    scores = emissions.scores  # (T, L)
    if decoding == "crf":
        mask = scores.new_ones((1, len(scores))).bool()
        probabilities = find_crf(model).marginals(scores[None], mask)[0]
    else:
        probabilities = scores.softmax(-1)
    picked = probabilities[range(len(labels)), labels].tolist()  # (T,)
    spans = find_spans([names[label] for label in labels], emissions.tokens.spans)
    return tuple(
        TaggedSpan(
            span.start,
            span.end,
            span.label,
            _mean(
                probability
                for (start, end), probability in zip(emissions.tokens.spans, picked, strict=True)
                if start < span.end and end > span.start
            ),
        )
        for span in spans
    )


def expand_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """The labels of tokens: `labels` themselves, or those of the types that `labels` names.

    Raises:
        InvalidInput: ``error.tagging.no_types``, there is no entity to learn.
    """
    expanded = tuple(labels) if OUTSIDE in labels else token_labels(labels)
    if len(expanded) < 3:
        raise InvalidInput("error.tagging.no_types")
    return expanded


def _read_entity(item: Any, text: str) -> EntitySpan:
    shape = "error.tagging.entity"
    if not isinstance(item, Mapping):
        raise InvalidInput(shape, entity=str(item)[:80])
    span: Any = item.get("span")
    label, name = item.get("type"), item.get("name")
    if hasattr(span, "tolist"):  # numpy, from a parquet file
        span = span.tolist()
    whole = isinstance(span, list | tuple) and [type(place) for place in span] == [int, int]
    if not whole or not isinstance(label, str) or not label.strip():
        raise InvalidInput(shape, entity=str(dict(item))[:80])
    start, end = span
    if not 0 <= start < end <= len(text):
        raise InvalidInput("error.tagging.span", start=start, end=end, length=len(text))
    if name is not None and name != text[start:end]:
        raise InvalidInput("error.tagging.name", name=str(name)[:40], found=text[start:end][:40], start=start, end=end)
    return EntitySpan(start, end, label.strip())


def _load(head: Any, folder: str, setup: Setup, *, kind: str | None = None) -> PreTrainedModel:
    """A model with one output per label; its head is kept where it has the same labels in the same order."""
    from pathlib import Path

    from core.tasks.heads import load_with_head, read_config

    labels = expand_labels(setup.labels)
    config = read_config(folder)
    if kind is not None and config.model_type != kind:
        raise ModelUnavailable("error.model.unsupported", source=Path(folder).name, type=config.model_type)
    kept = [str(name) for _, name in sorted((config.id2label or {}).items())] == list(labels)
    config.num_labels = len(labels)
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: index for index, label in enumerate(labels)}
    # Transitions that were learned keep the speed they are stored with; a plain tagger has none to keep.
    if kind is not None and not (kept and head.__name__ in (config.architectures or ())):
        config.transition_speed = float(setup.options.get("transition_speed", 1.0))
    return load_with_head(head, folder, config, kept=kept)


def _predict(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[TaggedText],
    *,
    max_length: int,
    batch_size: int,
    decodings: Sequence[str],
    chosen: str,
    losses: Callable[[Sequence[Emissions], Sequence[list[int] | None], PreTrainedModel], list[float]],
) -> list[Prediction]:
    texts = [example.text for example in examples]
    emissions = compute_emissions(texts, model, tokenizer=tokenizer, max_length=max_length, batch_size=batch_size)
    names = model_labels(model)
    found = {
        decoding: [
            _as_lists(find_spans([names[label] for label in labels], one.tokens.spans))
            for labels, one in zip(decode_labels(emissions, model, decoding=decoding), emissions, strict=True)
        ]
        for decoding in decodings
    }
    golds = [_number_gold(example, one, names) for example, one in zip(examples, emissions, strict=True)]
    return [
        Prediction(
            index=index,
            gold=_as_lists(example.entities),
            predicted=found[chosen][index],
            loss=loss,
            details={decoding: found[decoding][index] for decoding in decodings},
        )
        for index, (example, loss) in enumerate(zip(examples, losses(emissions, golds, model), strict=True))
    ]


def _number_gold(example: TaggedText, emissions: Emissions, names: Sequence[str]) -> list[int] | None:
    """The label ids of an example's tokens; None where it has no tokens, or a type that the model does not know."""
    numbers = {name: number for number, name in enumerate(names)}
    labels = tag_tokens(example.entities, emissions.tokens.spans)
    return [numbers[label] for label in labels] if labels and set(labels) <= numbers.keys() else None


def _token_losses(
    emissions: Sequence[Emissions], golds: Sequence[list[int] | None], model: PreTrainedModel
) -> list[float]:
    """Mean cross entropy of the tokens of each text."""
    import torch
    from torch.nn.functional import cross_entropy

    return [
        math.nan if gold is None else float(cross_entropy(one.scores, torch.tensor(gold)))
        for one, gold in zip(emissions, golds, strict=True)
    ]


def _crf_losses(
    emissions: Sequence[Emissions], golds: Sequence[list[int] | None], model: PreTrainedModel
) -> list[float]:
    """Negative log-likelihood of the labels of each text."""
    import torch

    crf = find_crf(model)
    losses = [math.nan] * len(emissions)
    with torch.no_grad():
        for group, padded, mask in iterate_emissions(emissions, batch_size=32):
            labels = pad_rows([golds[member] or [0] * len(emissions[member].scores) for member in group], 0)  # (B, T)
            for member, likelihood in zip(group, crf(padded, labels, mask).tolist(), strict=True):
                if golds[member] is not None:
                    losses[member] = -likelihood
    return losses


def _as_lists(spans: Iterable[EntitySpan]) -> list[list[int | str]]:
    return [[span.start, span.end, span.label] for span in spans]


def _as_spans(rows: Iterable[Sequence[Any]]) -> Spans:
    return tuple(EntitySpan(int(start), int(end), str(label)) for start, end, label in rows)


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / max(len(listed), 1)


TASKS = (Tagging(), CrfTagging())
