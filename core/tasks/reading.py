"""Reading comprehension: the answer as a span of the passage, or written anew (book 9.1, 9.5)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from core.data.cells import read_list, read_number, read_text
from core.data.examples import Answer, ReadingQuestion
from core.errors import InvalidInput
from core.generation.batches import pad_features, padding_id
from core.generation.likelihood import score_labels
from core.tasks.answers import answer_f1, exact_match
from core.tasks.batching import evaluating, group_by_length, iterate_batches
from core.tasks.offsets import LocatedTokens, locate_tokens
from core.tasks.task import Architecture, Column, Hyperparameters, Option, Prediction, Setup, device_of
from core.tasks.tokenizing import encode_ended, encode_pieces, encode_texts

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from core.tasks.task import Collator, Features
    from core.text.types import Span

_COLUMNS = (Column("question", "text"), Column("context", "text"), Column("answers", "answers"))
_DEFAULTS = Hyperparameters(epochs=3, batch_size=32, learning_rate=3e-5, max_length=384)
_GENERATIVE_DEFAULTS = replace(_DEFAULTS, max_target_length=32)
_CANDIDATES = 5  # answers told for each question


@dataclass(frozen=True)
class _Reader:
    """What both kinds share."""

    columns: tuple[Column, ...] = _COLUMNS
    metric: str = "f1"
    greater_is_better: bool = True

    def read(self, row: Mapping[str, Any]) -> ReadingQuestion:
        """A question, its context and its accepted answers.

        Answers are a list of {text, answer_start}, of texts, or SQuAD's {text: […], answer_start: […]}. A place where
        the answer does not stand is replaced by the first where it does, or -1.

        Raises:
            InvalidInput: ``error.search.no_answer``, ``error.search.answer``, and as `core.data.cells`.
        """
        context = read_text(row, "context")
        cells = row.get("answers")
        if isinstance(cells, Mapping):
            texts = read_list(cells, "text", required=False)
            starts = read_list(cells, "answer_start", required=False) or [-1] * len(texts)
            cells = [{"text": text, "answer_start": start} for text, start in zip(texts, starts, strict=False)]
        answers = tuple(_read_answer(cell, context) for cell in read_list({"answers": cells}, "answers"))
        if not answers:
            raise InvalidInput("error.search.no_answer")
        return ReadingQuestion(read_text(row, "question"), context, answers)

    def write(self, example: ReadingQuestion) -> dict[str, Any]:
        """The row of an example."""
        return {
            "question": example.question,
            "context": example.context,
            "answers": [{"text": answer.text, "answer_start": answer.start} for answer in example.answers],
        }

    def label_of(self, example: ReadingQuestion) -> str | None:
        """None: nothing is labelled."""
        return None

    def labels(self, examples: Sequence[ReadingQuestion]) -> tuple[str, ...]:
        """Empty."""
        return ()

    def score(self, predictions: Sequence[Prediction]) -> dict[str, float]:
        """Exact match and character F1, the best over the accepted answers, in [0, 1]."""
        if not predictions:
            return {}
        pairs = [(str(prediction.predicted), prediction.details["answers"]) for prediction in predictions]
        return {
            "exact_match": sum(exact_match(*pair) for pair in pairs) / len(pairs),
            "f1": sum(answer_f1(*pair) for pair in pairs) / len(pairs),
        }


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a context with the question before it, as a model reads it.

    `features` are its ids, mask and segments (T,). The context's tokens from `first` on stand at `place` and after it;
    `spans` are the characters of the context that each of them covers.
    """

    example: int
    features: Features
    place: int
    first: int
    spans: tuple[Span, ...]

    def labels(self, answer: Answer) -> tuple[int, int]:
        """First and last position of an answer among the tokens; (0, 0), [CLS], when it does not stand here whole."""
        end = answer.start + len(answer.text)
        covering = [place for place, span in enumerate(self.spans) if span[0] < end and span[1] > answer.start]
        whole = covering and self.spans[covering[0]][0] <= answer.start and self.spans[covering[-1]][1] >= end
        return (self.place + covering[0], self.place + covering[-1]) if whole else (0, 0)


@dataclass(frozen=True)
class Reading(_Reader):
    """The answer as a span: a score for every token to begin it and to end it.

    A context that is too long is read in windows that share ``stride`` tokens; an answer that a window does not hold is
    [CLS] there, so that probabilities of different windows can be compared. ``answer_length`` in tokens.
    """

    name: str = "reading"
    sections: tuple[str, ...] = ("9.1.1", "9.1.2")
    options: tuple[Option, ...] = (Option("stride", 128), Option("answer_length", 30))
    architecture: Architecture = "encoder"
    defaults: Hyperparameters = _DEFAULTS

    def load(self, folder: str, setup: Setup) -> PreTrainedModel:
        """A question-answering head on any encoder; see `core.tasks.heads`."""
        from core.tasks.heads import load_with_head, read_config

        config = read_config(folder)
        from transformers import AutoModelForQuestionAnswering

        kept = any(name.endswith("ForQuestionAnswering") for name in config.architectures or ())
        config.num_labels = 2  # begin and end, whatever head the folder's model has
        return load_with_head(AutoModelForQuestionAnswering, folder, config, kept=kept)

    def prepare(
        self, examples: Sequence[ReadingQuestion], tokenizer: PreTrainedTokenizerBase, setup: Setup
    ) -> Sequence[Features]:
        """Every window of every question whose answer stands in its context; ``start_positions``, ``end_positions``.

        Raises:
            InvalidInput: ``error.search.no_spans`` when that is true of none.
        """
        usable = [(example, answer) for example in examples if (answer := _placed_answer(example)) is not None]
        if examples and not usable:
            raise InvalidInput("error.search.no_spans", count=len(examples))
        features = []
        for window in self._windows([example for example, _ in usable], tokenizer, setup):
            start, end = window.labels(usable[window.example][1])
            features.append({**window.features, "start_positions": start, "end_positions": end})
        return features

    def collator(self, tokenizer: PreTrainedTokenizerBase, setup: Setup) -> Collator:
        """Padding to the longest of the batch; the positions of begin and end, (B,) each."""
        import torch

        places = ("start_positions", "end_positions")

        def collate(features: list[Features]) -> dict[str, Tensor]:
            inputs = [{name: value for name, value in feature.items() if name not in places} for feature in features]
            batch = dict(tokenizer.pad(inputs, return_tensors="pt"))
            if places[0] in features[0]:
                batch |= {name: torch.tensor([feature[name] for feature in features]) for name in places}
            return batch

        return collate

    def predict(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        examples: Sequence[ReadingQuestion],
        setup: Setup,
        *,
        batch_size: int = 32,
    ) -> list[Prediction]:
        """The most probable span of all windows.

        Only spans inside the context, of at most ``answer_length`` tokens, that end where they begin or later. Details:
        the accepted ``answers``, ``start`` and ``end`` in characters, and the best ``candidates`` with the probability
        (begin times end) that their window gave them. The loss is the mean over the question's windows; NaN when its
        answer does not stand in the context.
        """
        windows = self._windows(examples, tokenizer, setup)
        longest = max(int(setup.options.get("answer_length", self.options[1].default)), 1)
        golds = [_placed_answer(example) for example in examples]
        candidates: list[list[tuple[float, Span]]] = [[] for _ in examples]
        losses: list[list[float]] = [[] for _ in examples]
        collate = self.collator(tokenizer, setup)
        with evaluating(model):
            features = [window.features for window in windows]
            for indices, batch in iterate_batches(model, features, collate, batch_size=batch_size):
                output: Any = model(**batch)
                padding = batch["attention_mask"] == 0  # (B, T)
                starts, ends = (
                    logits.float().masked_fill(padding, float("-inf")).log_softmax(-1).cpu()  # (B, T)
                    for logits in (output.start_logits, output.end_logits)
                )
                for row, index in enumerate(indices):
                    window = windows[index]
                    inside = slice(window.place, window.place + len(window.spans))
                    candidates[window.example] += [
                        (score, (window.spans[first][0], window.spans[last][1]))
                        for score, first, last in best_spans(starts[row, inside], ends[row, inside], longest=longest)
                    ]
                    gold = golds[window.example]
                    if gold is not None:
                        start, end = window.labels(gold)
                        losses[window.example].append(-float(starts[row, start] + ends[row, end]) / 2)
        return [
            _tell(index, example, candidates[index], losses[index] if golds[index] is not None else [])
            for index, example in enumerate(examples)
        ]

    def _windows(
        self, examples: Sequence[ReadingQuestion], tokenizer: PreTrainedTokenizerBase, setup: Setup
    ) -> list[Window]:
        stride = int(setup.options.get("stride", self.options[0].default))
        return build_windows(tokenizer, examples, max_length=setup.max_length, stride=stride)


@dataclass(frozen=True)
class GenerativeReading(_Reader):
    """The answer as a text of its own, written by a sequence-to-sequence model that reads question and context."""

    name: str = "reading-generative"
    sections: tuple[str, ...] = ("9.1.1", "9.5.2")
    options: tuple[Option, ...] = ()
    architecture: Architecture = "seq2seq"
    defaults: Hyperparameters = _GENERATIVE_DEFAULTS

    def load(self, folder: str, setup: Setup) -> PreTrainedModel:
        """Any sequence-to-sequence model.

        Raises:
            ModelUnavailable: ``error.generation.needs.seq2seq`` (source).
        """
        from core.tasks.language_modelling import load_language_model

        return load_language_model(folder, architecture="seq2seq")

    def prepare(
        self, examples: Sequence[ReadingQuestion], tokenizer: PreTrainedTokenizerBase, setup: Setup
    ) -> Sequence[Features]:
        """``input_ids`` (T,) of question and context, cut at the end, and ``labels`` (U,) of the first answer."""
        inputs = encode_ended(tokenizer, [write_prompt(example) for example in examples], max_length=setup.max_length)
        targets = encode_ended(
            tokenizer,
            [example.answers[0].text for example in examples],
            max_length=setup.max_target_length,
            target=True,
        )
        return [{"input_ids": ids, "labels": labels} for ids, labels in zip(inputs, targets, strict=True)]

    def collator(self, tokenizer: PreTrainedTokenizerBase, setup: Setup) -> Collator:
        """Padding to the longest of the batch, the labels with -100."""
        pad = padding_id(tokenizer)

        def collate(features: list[Features]) -> dict[str, Tensor]:
            return pad_features(features, pad=pad)

        return collate

    def predict(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        examples: Sequence[ReadingQuestion],
        setup: Setup,
        *,
        batch_size: int = 32,
    ) -> list[Prediction]:
        """What the model writes, greedily, in at most ``max_target_length`` tokens; the loss is per token."""
        from transformers.modeling_outputs import BaseModelOutput

        features = self.prepare(examples, tokenizer, setup)
        collate = self.collator(tokenizer, setup)
        device = device_of(model)
        writer: Any = model
        written: dict[int, tuple[str, float]] = {}
        with evaluating(model):
            for places in group_by_length(features, batch_size=batch_size):
                batch = {name: row.to(device) for name, row in collate([features[place] for place in places]).items()}
                output: Any = model(**batch)
                likelihoods, _ = score_labels(output.logits, batch["labels"])
                ids = writer.generate(  # the encoder has already read
                    encoder_outputs=BaseModelOutput(last_hidden_state=output.encoder_last_hidden_state),
                    attention_mask=batch["attention_mask"],
                    do_sample=False,
                    num_beams=1,
                    max_new_tokens=setup.max_target_length,
                )
                texts = tokenizer.batch_decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
                for place, text, likelihood in zip(places, texts, likelihoods, strict=True):
                    written[place] = (text.strip(), likelihood.mean)
        return [
            Prediction(
                index,
                example.answers[0].text,
                written[index][0],
                written[index][1],
                details={"answers": [answer.text for answer in example.answers]},
            )
            for index, example in enumerate(examples)
        ]


def write_prompt(example: ReadingQuestion) -> str:
    """What the generative reader reads."""
    return f"質問: {example.question} 文脈: {example.context}"


def best_spans(starts: Tensor, ends: Tensor, *, longest: int, count: int = _CANDIDATES) -> list[tuple[float, int, int]]:
    """The best spans of n tokens by the sum of their scores to begin and to end, at most `longest` tokens long.

    Args:
        starts: (n,) log probability of each token to be the first.
        ends: (n,) to be the last.

    Returns:
        Score, first and last token of at most `count` spans, best first.
    """
    import torch

    size = len(starts)
    if not size:
        return []
    scores = starts[:, None] + ends[None, :]  # (n, n): row begins, column ends
    valid = torch.ones(size, size, dtype=torch.bool).triu().tril(longest - 1)
    best = scores.masked_fill(~valid, float("-inf")).flatten().topk(min(count, int(valid.sum())))
    return [
        (score, place // size, place % size)
        for score, place in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    ]


def build_windows(
    tokenizer: PreTrainedTokenizerBase, examples: Sequence[ReadingQuestion], *, max_length: int, stride: int
) -> list[Window]:
    """Question and context as pairs of at most `max_length` tokens; windows of one context share `stride` tokens.

    A question takes at most half of the room.
    """
    if not examples:
        return []
    max_length = min(max_length, tokenizer.model_max_length)
    before, between, after, segments = _frame(tokenizer)
    room = max_length - len(before) - len(between) - len(after)
    questions = encode_pieces(tokenizer, [example.question for example in examples])
    # Several questions are asked about one context: it is cut into tokens once.
    contexts = list(dict.fromkeys(example.context for example in examples))
    located: dict[str, LocatedTokens] = dict(zip(contexts, locate_tokens(tokenizer, contexts), strict=True))
    windows: list[Window] = []
    for number, (example, question) in enumerate(zip(examples, questions, strict=True)):
        context = located[example.context]
        question = question[: max(room // 2, 1)]
        width = max(room - len(question), 1)
        step = max(width - stride, width // 2, 1) if stride >= width else width - stride
        head = [*before, *question, *between]
        first = 0
        while True:
            part = slice(first, first + width)
            ids = [*head, *context.ids[part], *after]
            features: Features = {"input_ids": ids, "attention_mask": [1] * len(ids)}
            if segments:
                features["token_type_ids"] = [0] * len(head) + [1] * (len(ids) - len(head))
            windows.append(Window(number, features, len(head), first, context.spans[part]))
            if first + width >= len(context.ids):
                break
            first += step
    return windows


def _frame(tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], list[int], list[int], bool]:
    """The special tokens before, between and after the two texts of a pair, and whether segments are told apart."""
    first, second = encode_pieces(tokenizer, ["問", "文"])
    pair = encode_texts(tokenizer, ["問"], ["文"], max_length=64)[0]
    ids = pair["input_ids"]
    start = next(place for place in range(len(ids)) if ids[place : place + len(first)] == first)
    middle = start + len(first)
    end = next(
        place for place in range(len(ids) - len(second), middle - 1, -1) if ids[place : place + len(second)] == second
    )
    return ids[:start], ids[middle:end], ids[end + len(second) :], 1 in pair.get("token_type_ids", ())


def _read_answer(cell: Any, context: str) -> Answer:
    if isinstance(cell, Mapping):
        text = read_text({"answers": cell.get("text")}, "answers")
        place = cell.get("answer_start")
        start = -1 if place is None else int(read_number({"answers": place}, "answers"))
    elif isinstance(cell, str | int | float) and not isinstance(cell, bool):
        text, start = read_text({"answers": cell}, "answers"), -1
    else:
        raise InvalidInput("error.search.answer")
    stands = start >= 0 and context.startswith(text, start)
    return Answer(text, start if stands else context.find(text))


def _placed_answer(example: ReadingQuestion) -> Answer | None:
    """The first accepted answer that stands in the context."""
    return next((answer for answer in example.answers if answer.start >= 0), None)


def _tell(
    index: int, example: ReadingQuestion, candidates: Sequence[tuple[float, Span]], losses: Sequence[float]
) -> Prediction:
    best: dict[Span, float] = {}
    for score, span in sorted(candidates, key=lambda candidate: -candidate[0]):
        best.setdefault(span, score)  # windows share tokens: a span counts by the window that believes in it most
    top = [
        {"text": example.context[start:end].strip(), "start": start, "end": end, "probability": math.exp(score)}
        for (start, end), score in list(best.items())[:_CANDIDATES]
    ]
    return Prediction(
        index,
        example.answers[0].text if example.answers else "",
        top[0]["text"] if top else "",
        sum(losses) / len(losses) if losses else math.nan,
        details={
            "answers": [answer.text for answer in example.answers],
            "start": top[0]["start"] if top else 0,
            "end": top[0]["end"] if top else 0,
            "candidates": top,
        },
    )


TASKS = (Reading(), GenerativeReading())
