"""Language modelling, the task of pre-training: causal (book 3.2.2), masked (3.3.2), and span corruption (3.4.2).

All three learn from plain text, long texts cut into pieces that fit the model. A prediction belongs to one text and
tells the summed loss and how many tokens were predicted: the perplexity of a corpus is exp(sum of losses / tokens).
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.data.cells import read_text
from core.data.examples import PlainText
from core.errors import InvalidInput, ModelUnavailable
from core.generation.batches import IGNORED, pad_features, padding_id, plan_batches
from core.generation.likelihood import Likelihood, add_likelihoods, score_labels
from core.generation.noise import (
    Piece,
    corrupt_spans,
    cut_pieces,
    keyed_generator,
    longest_corruptible,
    mask_tokens,
)
from core.tasks.batching import evaluating
from core.tasks.heads import load_with_head, read_config
from core.tasks.task import Architecture, Column, Hyperparameters, Option, Prediction, Setup, device_of
from core.tasks.tokenizing import encode_pieces, encode_texts

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from core.generation.noise import Noise
    from core.tasks.task import Collator, Features

    TokenIds = NDArray[np.int64]

_LOGITS_AT_ONCE = 1 << 26  # numbers; 256 MB in single precision
# Radford et al. 2018, 4.1; Devlin et al. 2019, A.2; Raffel et al. 2020 take Adafactor at 0.01, AdamW needs less.
_CAUSAL = Hyperparameters(batch_size=16, learning_rate=2.5e-4, schedule="cosine", weight_decay=0.01)
_MASKED = Hyperparameters(batch_size=32, learning_rate=1e-4, weight_decay=0.01)
_CORRUPTED = Hyperparameters(batch_size=32, learning_rate=3e-4, weight_decay=0.01)


@dataclass(frozen=True)
class _LanguageModelling(ABC):
    """What the three have in common: plain text in, and what is told of a text that was predicted."""

    name: str
    sections: tuple[str, ...]
    architecture: Architecture
    defaults: Hyperparameters
    options: tuple[Option, ...] = ()
    columns: tuple[Column, ...] = (Column("text", "text"),)
    metric: str = "loss"
    greater_is_better: bool = False
    tells_special_tokens: bool = False  # in the texts of predictions

    def read(self, row: Mapping[str, Any]) -> PlainText:
        """Turn a row into a text."""
        return PlainText(read_text(row, "text"))

    def write(self, example: PlainText) -> dict[str, Any]:
        """Turn a text back into a row."""
        return {"text": example.text}

    def label_of(self, example: PlainText) -> str | None:
        """None: there are no labels."""
        return None

    def labels(self, examples: Sequence[PlainText]) -> tuple[str, ...]:
        """Nothing: there are no labels."""
        return ()

    def load(self, folder: str, setup: Setup) -> PreTrainedModel:
        """Load a model with the head that predicts tokens.

        Raises:
            ModelUnavailable: ``error.generation.needs.<architecture>`` (source) for a model of another kind.
        """
        return load_language_model(folder, architecture=self.architecture)

    @abstractmethod
    def prepare(
        self, examples: Sequence[PlainText], tokenizer: PreTrainedTokenizerBase, setup: Setup
    ) -> Sequence[Features]:
        """Encode texts to train on."""

    @abstractmethod
    def encode(self, texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, setup: Setup) -> list[list[Features]]:
        """Features for each text by itself, always the same, whose labels together are the tokens to predict."""

    def align(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, T, V) and the labels (B, T) that they predict, position by position."""
        return logits, labels

    def tell(self, feature: Features, best: Sequence[int]) -> tuple[list[int], list[int]]:
        """What was to be predicted and the model's first choices (T,), as token ids to decode."""
        wanted = np.asarray(feature["labels"])
        return wanted[wanted != IGNORED].tolist(), [token for token in best if token != IGNORED]

    def collator(self, tokenizer: PreTrainedTokenizerBase, setup: Setup) -> Collator:
        """Pad the inputs with the padding token and the labels with -100; nothing random happens here."""
        return functools.partial(pad_features, pad=padding_id(tokenizer))

    def predict(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        examples: Sequence[PlainText],
        setup: Setup,
        *,
        batch_size: int = 32,
    ) -> list[Prediction]:
        """Predict the tokens of each text; what is hidden depends on the text alone, so it is the same every time.

        `predicted` is the text of the model's first choices, `gold` that of the tokens they stand for. `details`
        holds the summed loss in nats, the number of predicted tokens and how many were right.
        """
        encoded = self.encode([example.text for example in examples], tokenizer, setup)
        features = [feature for own in encoded for feature in own]
        scored = self._score_features(model, features, pad=padding_id(tokenizer), batch_size=batch_size)
        decode = functools.partial(
            tokenizer.decode, skip_special_tokens=not self.tells_special_tokens, clean_up_tokenization_spaces=False
        )
        predictions = []
        place = 0
        for index, own in enumerate(encoded):
            parts = scored[place : place + len(own)]
            place += len(own)
            told = [self.tell(feature, best) for feature, (_, best) in zip(own, parts, strict=True)]
            total = add_likelihoods(likelihood for likelihood, _ in parts)
            predictions.append(
                Prediction(
                    index,
                    decode([token for wanted, _ in told for token in wanted]),
                    decode([token for _, chosen in told for token in chosen]),
                    total.mean,
                    details=total.as_details(),
                )
            )
        return predictions

    def score(self, predictions: Sequence[Prediction]) -> dict[str, float]:
        """Loss per token in nats, its exponential, and the share of tokens that were the model's first choice."""
        total = add_likelihoods(likelihood_of(prediction) for prediction in predictions)
        return {"loss": total.mean, "perplexity": total.perplexity, "accuracy": total.accuracy}

    def _score_features(
        self, model: PreTrainedModel, features: Sequence[Features], *, pad: int, batch_size: int
    ) -> list[tuple[Likelihood, list[int]]]:
        """Likelihood and first choices (T,) of each, in order; batches are small enough for V logits a position."""
        found: dict[int, tuple[Likelihood, list[int]]] = {}
        lengths = [max(len(feature["input_ids"]), len(feature["labels"])) for feature in features]
        device = device_of(model)
        cells = _LOGITS_AT_ONCE // int(model.config.vocab_size)
        for places in plan_batches(lengths, batch_size=batch_size, cells=cells):
            tensors = pad_features([features[place] for place in places], pad=pad)
            batch = {name: tensor.to(device) for name, tensor in tensors.items()}
            with evaluating(model):
                logits, labels = self.align(model(**batch).logits, batch["labels"])  # (B, T, V), (B, T)
                likelihoods, best = score_labels(logits, labels)
            found.update(zip(places, zip(likelihoods, best.tolist(), strict=True), strict=True))
        return [found[place] for place in range(len(features))]


@dataclass(frozen=True)
class CausalModelling(_LanguageModelling):
    """Predict each token from those before it (Radford et al. 2018).

    To train, texts are joined with the end mark between them and cut into blocks without padding, as GPT-2 does it:
    attention may look across the mark. To predict, each text stands alone, from the token that starts a text to its
    end mark; a long one is read in windows that share one token, so that every token is predicted once.
    """

    name: str = "causal-lm"
    sections: tuple[str, ...] = ("3.2.2",)
    architecture: Architecture = "decoder"
    defaults: Hyperparameters = _CAUSAL

    def prepare(
        self, examples: Sequence[PlainText], tokenizer: PreTrainedTokenizerBase, setup: Setup
    ) -> Sequence[Features]:
        """Cut the joined texts into blocks: ``input_ids`` (T,) and the same as ``labels``, which the model shifts."""
        start, end = _marks(tokenizer)
        rows = encode_pieces(tokenizer, [example.text for example in examples])
        # Two different marks stand around each text; one mark for both purposes stands between texts, and first of all.
        first, each = (start, []) if start == end else ([], start)
        stream = np.array([*first, *(token for row in rows for token in (*each, *row, *end))], dtype=np.int64)
        length = _limit(tokenizer, setup)
        blocks = [stream[place : place + length] for place in range(0, len(stream), length)]
        return [{"input_ids": block, "labels": block} for block in blocks if len(block) > 1]

    def encode(self, texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, setup: Setup) -> list[list[Features]]:
        """Windows over each text; the first token of each is not predicted."""
        start, end = _marks(tokenizer)
        step = _limit(tokenizer, setup) - 1
        rows = [np.array([*start, *row, *end], dtype=np.int64) for row in encode_pieces(tokenizer, texts)]
        windows = [[row[place : place + step + 1] for place in range(0, len(row) - 1, step)] for row in rows]
        return [[{"input_ids": window, "labels": window} for window in own] for own in windows]

    def align(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The logits at one position predict the label at the next."""
        return logits[:, :-1], labels[:, 1:]

    def tell(self, feature: Features, best: Sequence[int]) -> tuple[list[int], list[int]]:
        """All tokens but the first."""
        return np.asarray(feature["labels"])[1:].tolist(), [token for token in best if token != IGNORED]


class _NoisyModelling(_LanguageModelling):
    """What the two have in common that hide a part of a text and ask for it.

    A training batch is made noisy by the collator, anew in every epoch. It takes one number from torch's own generator,
    whose state the engine decides by the run's seed and the batch's place in the order: a run that was killed goes on
    with the same noise. Left to itself that state would not do, since a loader draws batches ahead of the step whose
    state a checkpoint holds, and a resumed run draws its first ones before it restores that state.
    """

    @abstractmethod
    def cut(self, texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, setup: Setup) -> list[list[Piece]]:
        """Each text in pieces that fit the model."""

    @abstractmethod
    def noise(self, tokenizer: PreTrainedTokenizerBase, setup: Setup) -> Noise:
        """What makes inputs and labels of a piece."""

    def prepare(
        self, examples: Sequence[PlainText], tokenizer: PreTrainedTokenizerBase, setup: Setup
    ) -> Sequence[Features]:
        """Pieces of the texts: ``input_ids`` (T,) as they were written, and ``words`` (T,), see `Piece`."""
        self.noise(tokenizer, setup)  # what the tokenizer cannot do is said before anything is encoded
        pieces = self.cut([example.text for example in examples], tokenizer, setup)
        return [{"input_ids": piece.ids, "words": piece.words} for own in pieces for piece in own]

    def collator(self, tokenizer: PreTrainedTokenizerBase, setup: Setup) -> Collator:
        """Hide a part of each piece and pad; inputs with the padding token, labels with -100."""
        return functools.partial(_collate_noisy, noise=self.noise(tokenizer, setup), pad=padding_id(tokenizer))

    def encode(self, texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, setup: Setup) -> list[list[Features]]:
        """Inputs and labels of each text, hidden in the same way every time."""
        noise = self.noise(tokenizer, setup)
        pieces = self.cut(texts, tokenizer, setup)
        return [[noise(piece, keyed_generator(piece.ids)) for piece in own] for own in pieces]


@dataclass(frozen=True)
class MaskedModelling(_NoisyModelling):
    """Predict hidden tokens from all the others (Devlin et al. 2019), single tokens or whole words.

    Whole words are grouped here by ``##``, or by ``▁`` where the vocabulary marks beginnings: the collator of
    transformers needs word numbers, which the Japanese tokenizer of BERT does not have. A long text becomes several
    inputs.
    """

    name: str = "masked-lm"
    sections: tuple[str, ...] = ("3.3.2",)
    architecture: Architecture = "encoder"
    options: tuple[Option, ...] = (Option("mask_probability", 0.15), Option("whole_word", False))
    defaults: Hyperparameters = _MASKED

    def tell(self, feature: Features, best: Sequence[int]) -> tuple[list[int], list[int]]:
        """The whole text, and the same with the model's choices where tokens were hidden."""
        inputs, labels = np.asarray(feature["input_ids"]), np.asarray(feature["labels"])
        hidden = labels != IGNORED
        chosen = np.asarray(best[: len(inputs)])
        return np.where(hidden, labels, inputs).tolist(), np.where(hidden, chosen, inputs).tolist()

    def noise(self, tokenizer: PreTrainedTokenizerBase, setup: Setup) -> Noise:
        """Mask 80/10/10.

        Raises:
            InvalidInput: ``error.generation.no_mask`` for a tokenizer without a mask token.
        """
        if tokenizer.mask_token_id is None:
            raise InvalidInput("error.generation.no_mask")
        ordinary = np.setdiff1d(np.arange(len(tokenizer)), tokenizer.all_special_ids)
        return functools.partial(
            mask_tokens,
            probability=_share(self, setup, "mask_probability"),
            mask=int(tokenizer.mask_token_id),
            vocabulary=ordinary,
        )

    def cut(self, texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, setup: Setup) -> list[list[Piece]]:
        """Framed by special tokens, each with something to hide.

        Raises:
            InvalidInput: ``error.generation.no_words`` for whole words without a vocabulary that marks them.
        """
        whole = bool(setup.options.get("whole_word", False))
        begins = _word_beginnings(tokenizer) if whole else np.ones(len(tokenizer), dtype=np.bool_)  # (V,)
        special = np.zeros(len(tokenizer), dtype=np.bool_)  # (V,)
        special[tokenizer.all_special_ids] = True
        before, after = _frame(tokenizer)
        length = _limit(tokenizer, setup) - len(before) - len(after)
        found: list[list[Piece]] = []
        for row in encode_pieces(tokenizer, texts):
            ids = np.array(row, dtype=np.int64)
            never = special[ids]
            fresh = begins[ids] | np.roll(never, 1)  # what follows a special token begins a word
            words = np.where(never, -1, np.cumsum(fresh))
            pieces = [piece for piece in cut_pieces(ids, words, length=length) if piece.words.max() >= 0]
            found.append([_framed(piece, before, after) for piece in pieces])
        return found


@dataclass(frozen=True)
class SpanCorruption(_NoisyModelling):
    """Write out the spans that sentinels stand for (Raffel et al. 2020): 15 % of the tokens, three to a span.

    A long text becomes several inputs, as long as the corrupted input and its target allow.
    """

    name: str = "span-corruption"
    sections: tuple[str, ...] = ("3.4.2",)
    architecture: Architecture = "seq2seq"
    options: tuple[Option, ...] = (Option("noise_density", 0.15), Option("mean_span", 3.0))
    defaults: Hyperparameters = _CORRUPTED
    tells_special_tokens: bool = True

    def noise(self, tokenizer: PreTrainedTokenizerBase, setup: Setup) -> Noise:
        """Replace spans by sentinels.

        Raises:
            InvalidInput: ``error.generation.no_sentinels`` for a tokenizer without ``<extra_id_0>``.
        """
        return functools.partial(
            corrupt_spans,
            density=_share(self, setup, "noise_density"),
            mean_length=self._mean_length(setup),
            sentinels=find_sentinels(tokenizer),
            end=int(tokenizer.eos_token_id),
        )

    def cut(self, texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, setup: Setup) -> list[list[Piece]]:
        """At least two tokens each, as many as the corrupted input and its target allow."""
        sentinels = find_sentinels(tokenizer)
        length = longest_corruptible(
            limit=_limit(tokenizer, setup),
            target_limit=setup.max_target_length,
            sentinels=len(sentinels),
            density=_share(self, setup, "noise_density"),
            mean_length=self._mean_length(setup),
        )
        found: list[list[Piece]] = []
        for row in encode_pieces(tokenizer, texts):
            ids = np.array(row, dtype=np.int64)
            ids = ids[~np.isin(ids, sentinels)]  # a text may name a sentinel, but only the noise may use one
            pieces = cut_pieces(ids, np.arange(len(ids)), length=length)
            found.append([piece for piece in pieces if len(piece.ids) > 1])
        return found

    def _mean_length(self, setup: Setup) -> float:
        value = float(setup.options.get("mean_span", 3.0))
        if not value >= 1:
            raise InvalidInput("error.generation.option", name="mean_span", low=1)
        return value


def find_sentinels(tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """The ids of ``<extra_id_0>``, ``<extra_id_1>``, … in this order.

    Raises:
        InvalidInput: ``error.generation.no_sentinels`` when there is none.
    """
    vocabulary = tokenizer.get_vocab()
    found: list[int] = []
    while (token := f"<extra_id_{len(found)}>") in vocabulary:
        found.append(vocabulary[token])
    if not found:
        raise InvalidInput("error.generation.no_sentinels")
    return tuple(found)


def likelihood_of(prediction: Prediction) -> Likelihood:
    """What the details of a prediction say of the tokens that were scored."""
    details = prediction.details
    return Likelihood(float(details["loss"]), int(details["tokens"]), int(details["correct"]))


def load_language_model(folder: str, *, architecture: Architecture) -> PreTrainedModel:
    """Load a model with the head that predicts tokens, in float32: masked, causal, or sequence to sequence.

    Raises:
        ModelUnavailable: ``error.generation.needs.<architecture>`` (source) for a model of another kind, and
            ``error.model.unreadable``. An encoder is refused as a decoder, which transformers would let it be: it
            sees the words that it is to predict.
    """
    config = read_config(folder)
    import transformers
    from transformers.models.auto import modeling_auto

    heads = {
        "encoder": (modeling_auto.MODEL_FOR_MASKED_LM_MAPPING, transformers.AutoModelForMaskedLM),
        "decoder": (modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING, transformers.AutoModelForCausalLM),
        "seq2seq": (modeling_auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING, transformers.AutoModelForSeq2SeqLM),
    }
    known, head = heads[architecture]
    sees_all = type(config) in modeling_auto.MODEL_FOR_MASKED_LM_MAPPING and not getattr(config, "is_decoder", False)
    if type(config) not in known or (architecture == "decoder" and sees_all):
        raise ModelUnavailable(f"error.generation.needs.{architecture}", source=Path(folder).name)
    return load_with_head(head, folder, config, kept=True)


def _collate_noisy(features: list[Features], *, noise: Noise, pad: int) -> dict[str, Tensor]:
    import torch

    generator = np.random.default_rng(int(torch.randint(2**62, (1,))))
    pieces = [Piece(np.asarray(feature["input_ids"]), np.asarray(feature["words"])) for feature in features]
    return pad_features([noise(piece, generator) for piece in pieces], pad=pad)


def _limit(tokenizer: PreTrainedTokenizerBase, setup: Setup) -> int:
    # Shorter inputs than this have no room for special tokens and something to predict.
    return max(8, min(setup.max_length, int(tokenizer.model_max_length)))


def _marks(tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], list[int]]:
    """What starts and what ends a text; a tokenizer with one mark only (GPT-2's) uses it for both."""
    end = tokenizer.eos_token_id if tokenizer.eos_token_id is not None else tokenizer.sep_token_id
    start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.cls_token_id
    start = end if start is None else start
    return [] if start is None else [start], [] if end is None else [end]


def _frame(tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], list[int]]:
    """The special tokens that the tokenizer puts before and after a text."""
    (inner,) = encode_pieces(tokenizer, ["a"])
    whole: list[int] = encode_texts(tokenizer, ["a"], max_length=64)[0]["input_ids"]
    start = next(place for place in range(len(whole)) if whole[place : place + len(inner)] == inner)
    return whole[:start], whole[start + len(inner) :]


def _framed(piece: Piece, before: Sequence[int], after: Sequence[int]) -> Piece:
    return Piece(
        np.concatenate([before, piece.ids, after]).astype(np.int64),
        np.concatenate([[-1] * len(before), piece.words, [-1] * len(after)]).astype(np.int64),
    )


def _word_beginnings(tokenizer: PreTrainedTokenizerBase) -> NDArray[np.bool_]:
    """Which tokens of the vocabulary (V,) begin a word.

    Raises:
        InvalidInput: ``error.generation.no_words`` when the vocabulary marks neither beginnings nor continuations.
    """
    pieces = [piece or "" for piece in tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))]
    continuing = np.array([piece.startswith("##") and len(piece) > 2 for piece in pieces])
    if continuing.any():
        return ~continuing
    beginning = np.array([piece.startswith("▁") for piece in pieces])
    if not beginning.any():
        raise InvalidInput("error.generation.no_words")
    return beginning


def _share(task: _LanguageModelling, setup: Setup, name: str) -> float:
    default = next(option.default for option in task.options if option.name == name)
    value = float(setup.options.get(name, default))
    if not 0 < value < 1:
        raise InvalidInput("error.generation.share", name=name)
    return value


TASKS = (CausalModelling(), MaskedModelling(), SpanCorruption())
