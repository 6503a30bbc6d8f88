"""Headline generation (book 7.4): a sequence-to-sequence model reads an article's body and writes its headline."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.data.cells import read_text
from core.data.examples import Article
from core.errors import InvalidInput, ModelUnavailable
from core.generation.batches import IGNORED, pad_features, padding_id
from core.generation.bleu import score_bleu
from core.generation.likelihood import Likelihood, add_likelihoods, score_labels
from core.generation.rouge import mean_rouge, score_rouge
from core.generation.units import cut_text
from core.tasks.batching import evaluating, iterate_batches
from core.tasks.language_modelling import likelihood_of, load_language_model
from core.tasks.task import Architecture, Column, Hyperparameters, Option, Prediction, Setup
from core.tasks.tokenizing import encode_ended

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from core.tasks.task import Collator, Features

_DEFAULTS = Hyperparameters(epochs=5.0, batch_size=8, learning_rate=1e-4, max_length=512, max_target_length=128)


@dataclass(frozen=True)
class Headline:
    """Body in, headline out, without a task prefix; teacher forcing on the headline's tokens and the end mark.

    T5 overflows in half precision: models are always loaded in single precision, and the task is never trained in fp16.
    `max_new_tokens` is the book's: its ``generate`` stopped at 20 tokens, the start among them.
    """

    name: str = "headline"
    sections: tuple[str, ...] = ("7.4.1", "7.4.2")
    columns: tuple[Column, ...] = (Column("body", "text"), Column("headline", "text"))
    options: tuple[Option, ...] = (
        Option("num_beams", 1),
        Option("max_new_tokens", 19),
        Option("min_new_tokens", 0),
        Option("no_repeat_ngram_size", 0),
    )
    architecture: Architecture = "seq2seq"
    metric: str = "loss"
    greater_is_better: bool = False
    defaults: Hyperparameters = _DEFAULTS

    def read(self, row: Mapping[str, Any]) -> Article:
        """Turn a row into an article; both texts must be there."""
        return Article(read_text(row, "body"), read_text(row, "headline"))

    def write(self, example: Article) -> dict[str, Any]:
        """Turn an article back into a row."""
        return {"body": example.body, "headline": example.headline}

    def label_of(self, example: Article) -> str | None:
        """None: there are no labels."""
        return None

    def labels(self, examples: Sequence[Article]) -> tuple[str, ...]:
        """Nothing: there are no labels."""
        return ()

    def load(self, folder: str, setup: Setup) -> PreTrainedModel:
        """Load any sequence-to-sequence model.

        Raises:
            ModelUnavailable: ``error.generation.needs.seq2seq`` (source).
        """
        return load_language_model(folder, architecture=self.architecture)

    def prepare(
        self, examples: Sequence[Article], tokenizer: PreTrainedTokenizerBase, setup: Setup
    ) -> Sequence[Features]:
        """Encode bodies as ``input_ids`` (T,) and headlines as ``labels`` (U,), both with the end mark."""
        bodies = encode_ended(tokenizer, [example.body for example in examples], max_length=setup.max_length)
        headlines = encode_ended(
            tokenizer, [example.headline for example in examples], max_length=setup.max_target_length, target=True
        )
        return [{"input_ids": body, "labels": headline} for body, headline in zip(bodies, headlines, strict=True)]

    def collator(self, tokenizer: PreTrainedTokenizerBase, setup: Setup) -> Collator:
        """Pad bodies with the padding token and headlines with -100; the model shifts the labels right by itself."""
        return functools.partial(pad_features, pad=padding_id(tokenizer))

    def predict(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        examples: Sequence[Article],
        setup: Setup,
        *,
        batch_size: int = 32,
    ) -> list[Prediction]:
        """Write a headline for each article, and score its own by teacher forcing.

        `details` holds the summed loss, the number of scored tokens and how many were the first choice. An article
        without a headline (''), as a visitor's, has a loss of NaN.

        Raises:
            InvalidInput: ``error.generation.option`` (name, low) for a setting that cannot be.
        """
        features = self.prepare(examples, tokenizer, setup)
        settings = self._decoding(setup)
        collate = self.collator(tokenizer, setup)
        found: dict[int, tuple[str, Likelihood]] = {}
        with evaluating(model):
            for indices, batch in iterate_batches(model, features, collate, batch_size=batch_size):
                for row, index in enumerate(indices):
                    if not examples[index].headline:
                        batch["labels"][row] = IGNORED
                texts, likelihoods = _write(model, tokenizer, batch, settings)
                found.update(zip(indices, zip(texts, likelihoods, strict=True), strict=True))
        return [
            Prediction(
                index,
                example.headline,
                found[index][0],
                found[index][1].mean,
                details=found[index][1].as_details(),
            )
            for index, example in enumerate(examples)
        ]

    def score(self, predictions: Sequence[Prediction]) -> dict[str, float]:
        """ROUGE-1, ROUGE-2, ROUGE-L (mean F, 0 to 1) and BLEU (0 to 100) on MeCab words, and the loss per token.

        ``bertscore`` (mean F, 0 to 1) compares the texts by the bundled encoder (`core.generation.bertscore`): it can
        be compared with no BERTScore of another model, and is left out where that encoder is not there. All of it takes
        a small part of the time in which the headlines are written.
        """
        pairs = [(cut_text(p.predicted), cut_text(p.gold)) for p in predictions if p.gold]
        if not pairs:
            return {}
        means = mean_rouge([score_rouge(predicted, gold) for predicted, gold in pairs])
        written = add_likelihoods(likelihood_of(prediction) for prediction in predictions)
        return {
            "rouge1": means["rouge1"],
            "rouge2": means["rouge2"],
            "rouge_l": means["rouge_l"],
            "bleu": score_bleu([predicted for predicted, _ in pairs], [gold for _, gold in pairs]).score,
            **_compare_meanings([(p.predicted, p.gold) for p in predictions if p.gold]),
            "token_loss": written.mean,
        }

    def _decoding(self, setup: Setup) -> dict[str, int]:
        settings = {}
        for option in self.options:
            value = int(setup.options.get(option.name, option.default))
            low = min(int(option.default), 1)
            if value < low:
                raise InvalidInput("error.generation.option", name=option.name, low=low)
            settings[option.name] = value
        return settings


def _compare_meanings(pairs: Sequence[tuple[str, str]]) -> dict[str, float]:
    from core.generation.bertscore import score_bundled

    try:
        means = score_bundled([predicted for predicted, _ in pairs], [gold for _, gold in pairs])
    except ModelUnavailable:
        return {}
    return {"bertscore": means["bertscore"]}


def _write(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, batch: Mapping[str, Tensor], settings: Mapping[str, int]
) -> tuple[list[str], list[Likelihood]]:
    """Headlines written for a batch, and the likelihoods of its labels; the bodies are encoded once for both."""
    from transformers.modeling_outputs import BaseModelOutput

    outputs: Any = model(**batch)
    likelihoods, _ = score_labels(outputs.logits, batch["labels"])  # logits (B, U, V)
    writer: Any = model  # a peft model writes too
    written = writer.generate(
        encoder_outputs=BaseModelOutput(last_hidden_state=outputs.encoder_last_hidden_state),  # (B, T, D)
        attention_mask=batch["attention_mask"],
        do_sample=False,
        **settings,
    )
    texts = tokenizer.batch_decode(written, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return [text.strip() for text in texts], likelihoods


TASK = Headline()
