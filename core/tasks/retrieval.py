"""Binary passage retrieval: a question finds the passage that answers it (book 9.4.2, 9.4.3)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from core.data.cells import read_list, read_text
from core.data.examples import Passage, RetrievalQuestion
from core.errors import InvalidInput
from core.search.embedding import embed_with
from core.tasks.batching import evaluating
from core.tasks.task import Architecture, Column, Hyperparameters, Option, Prediction, Setup, device_of
from core.tasks.tokenizing import encode_texts

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from core.search.hits import Floats
    from core.tasks.task import Collator, Features

_DEFAULTS = Hyperparameters(epochs=20, batch_size=32, learning_rate=1e-5, max_gradient_norm=2.0, max_length=256)
_BLOCK = 256  # questions ranked at once
_ROUNDING = 1e-6  # what rounding may do to a sum in single precision, per unit of what is summed


@dataclass(frozen=True)
class Retrieval:
    """Questions and passages by two encoders: candidates by bits, their order by the real question vector.

    ``max_length`` cuts passages (title and text as a pair), ``question_length`` questions. Each time a question comes
    up, one of its negatives is drawn.
    """

    name: str = "retrieval"
    sections: tuple[str, ...] = ("9.4.2", "9.4.3")
    columns: tuple[Column, ...] = (
        Column("question", "text"),
        Column("positive", "passage"),
        Column("negatives", "passages", required=False),
        Column("answers", "answers", required=False),
    )
    options: tuple[Option, ...] = (Option("shared", False), Option("question_length", 128))
    architecture: Architecture = "encoder"
    metric: str = "recall@1"
    greater_is_better: bool = True
    defaults: Hyperparameters = _DEFAULTS

    def read(self, row: Mapping[str, Any]) -> RetrievalQuestion:
        """A question with its passages; a passage is {title, text}, or a text without a title.

        Raises:
            InvalidInput: ``error.search.passage`` with ``column``, and as `core.data.cells`.
        """
        return RetrievalQuestion(
            read_text(row, "question"),
            _read_passage(_plain_passage(row.get("positive")), "positive"),
            tuple(_read_passage(cell, "negatives") for cell in read_list(row, "negatives", required=False)),
            tuple(_read_answer(cell) for cell in read_list(row, "answers", required=False)),
        )

    def write(self, example: RetrievalQuestion) -> dict[str, Any]:
        """The row of an example."""
        return {
            "question": example.question,
            "positive": {"title": example.positive.title, "text": example.positive.text},
            "negatives": [{"title": passage.title, "text": passage.text} for passage in example.negatives],
            "answers": list(example.answers),
        }

    def label_of(self, example: RetrievalQuestion) -> str | None:
        """None: nothing is labelled."""
        return None

    def labels(self, examples: Sequence[RetrievalQuestion]) -> tuple[str, ...]:
        """Empty."""
        return ()

    def load(self, folder: str, setup: Setup) -> PreTrainedModel:
        """See `core.tasks.bpr_model`."""
        from core.libraries import import_transformers

        import_transformers()
        from core.tasks.bpr_model import load_retriever

        return load_retriever(folder, shared=bool(self._option(setup, "shared")))

    def prepare(
        self, examples: Sequence[RetrievalQuestion], tokenizer: PreTrainedTokenizerBase, setup: Setup
    ) -> Sequence[Features]:
        """Token ids of the question, and the same for its ``passages``, the positive first, with their ``keys``."""
        pool, places = _collect_passages(examples)
        encoded = self._encode_passages(pool, tokenizer, setup)
        keys = [passage_key(passage) for passage in pool]
        questions = self._encode_questions(examples, tokenizer, setup)
        return [
            {
                **question,
                "passages": [encoded[place] for place in (gold, *others)],
                "keys": [keys[place] for place in (gold, *others)],
            }
            for question, (gold, others) in zip(questions, places, strict=True)
        ]

    def collator(self, tokenizer: PreTrainedTokenizerBase, setup: Setup) -> Collator:
        """Questions (B, T); for each its positive and one of its negatives (B, 2, P); their keys (B, 2)."""
        import torch

        def collate(features: list[Features]) -> dict[str, Tensor]:
            from core.tasks.encoders import pad_views

            views, keys = [], []
            for feature in features:
                passages, numbers = feature["passages"], feature["keys"]
                if len(passages) > 1:
                    drawn = int(torch.randint(1, len(passages), ()))
                    views.append([passages[0], passages[drawn]])
                    keys.append([numbers[0], numbers[drawn]])
                else:  # the positive once more, under the key that keeps it out of the loss
                    views.append([passages[0], passages[0]])
                    keys.append([numbers[0], 0])
            questions = [
                {name: value for name, value in feature.items() if name not in ("passages", "keys")}
                for feature in features
            ]
            return {
                **dict(tokenizer.pad(questions, return_tensors="pt")),
                **{f"passage_{name}": tensor for name, tensor in pad_views(views, tokenizer).items()},
                "passage_keys": torch.tensor(keys),
            }

        return collate

    def predict(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        examples: Sequence[RetrievalQuestion],
        setup: Setup,
        *,
        batch_size: int = 32,
    ) -> list[Prediction]:
        """The place of the best passage in the pool that all different passages of these examples make.

        `gold` is the place of the right one; details tell its ``rank`` in the pool, its rank by Hamming distance alone
        (``hamming_rank``), the pool's size, and the ``title`` of the passage found. A tie counts against the model. The
        loss is that of the first negative and of the passages of the questions beside it.
        """
        import torch

        pool, places = _collect_passages(examples)
        questions, passages = embed_retrieval(
            model,
            self._encode_questions(examples, tokenizer, setup),
            self._encode_passages(pool, tokenizer, setup),
            tokenizer,
            batch_size=batch_size,
        )  # (N, D), (P, D)
        signs = np.where(passages >= 0, np.float32(1), np.float32(-1))
        gold = np.array([place for place, _ in places], dtype=np.int64)
        found, ranks, hamming_ranks, best = [], [], [], []
        for start in range(0, len(examples), _BLOCK):
            part = slice(start, start + _BLOCK)
            scores = questions[part] @ signs.T  # (b, P)
            agreement = np.where(questions[part] >= 0, np.float32(1), np.float32(-1)) @ signs.T  # whole numbers
            right = gold[part, None]
            found += scores.argmax(axis=1).tolist()
            best += scores.max(axis=1).tolist()
            same = _ROUNDING * np.abs(questions[part]).sum(axis=1, keepdims=True)  # equal bits may differ by this
            ranks += (scores >= np.take_along_axis(scores, right, axis=1) - same).sum(axis=1).tolist()
            hamming_ranks += (agreement >= np.take_along_axis(agreement, right, axis=1)).sum(axis=1).tolist()

        keys = [passage_key(passage) for passage in pool]
        pairs = np.array([(right, others[0] if others else right) for right, others in places]).reshape(-1, 2)  # (N, 2)
        pair_keys = np.array(
            [(keys[right], keys[others[0]] if others else 0) for right, others in places], dtype=np.int64
        ).reshape(-1, 2)
        losses: list[float] = []
        device = device_of(model)
        retriever: Any = model
        with evaluating(model):
            for start in range(0, len(examples), batch_size):
                part = slice(start, start + batch_size)
                vectors = torch.from_numpy(questions[part]).to(device)
                candidate, rerank = retriever.losses(
                    vectors,
                    torch.from_numpy(signs[pairs[part]]).to(device),
                    torch.from_numpy(pair_keys[part]).to(device),
                    hashed=torch.where(vectors >= 0, 1.0, -1.0),
                )
                losses += (candidate + rerank).tolist()
        return [
            Prediction(
                index,
                int(gold[index]),
                int(found[index]),
                losses[index],
                details={
                    "rank": int(ranks[index]),
                    "hamming_rank": int(hamming_ranks[index]),
                    "pool": len(pool),
                    "title": pool[found[index]].title,
                    "score": float(best[index]),
                },
            )
            for index in range(len(examples))
        ]

    def score(self, predictions: Sequence[Prediction]) -> dict[str, float]:
        """Recall@1 and @10 over the pool, and the mean reciprocal rank."""
        if not predictions:
            return {}
        ranks = np.array([float(prediction.details["rank"]) for prediction in predictions])
        return {
            "recall@1": float((ranks <= 1).mean()),
            "recall@10": float((ranks <= 10).mean()),
            "mrr": float((1 / ranks).mean()),
        }

    def _option(self, setup: Setup, name: str) -> Any:
        default = next(option.default for option in self.options if option.name == name)
        return setup.options.get(name, default)

    def _encode_questions(
        self, examples: Sequence[RetrievalQuestion], tokenizer: PreTrainedTokenizerBase, setup: Setup
    ) -> list[Features]:
        length = int(self._option(setup, "question_length"))
        return encode_texts(tokenizer, [example.question for example in examples], max_length=length)

    def _encode_passages(
        self, passages: Sequence[Passage], tokenizer: PreTrainedTokenizerBase, setup: Setup
    ) -> list[Features]:
        return encode_passages(tokenizer, passages, max_length=setup.max_length)


def encode_passages(
    tokenizer: PreTrainedTokenizerBase, passages: Sequence[Passage], *, max_length: int = 256
) -> list[Features]:
    """Title and text of each passage as a pair; what is too long is cut from the text (unless the title is longer)."""
    titles, texts = [passage.title for passage in passages], [passage.text for passage in passages]
    return encode_texts(tokenizer, titles, texts, max_length=max_length)


def embed_retrieval(
    model: PreTrainedModel,
    questions: Sequence[Features],
    passages: Sequence[Features],
    tokenizer: PreTrainedTokenizerBase,
    *,
    batch_size: int,
) -> tuple[Floats, Floats]:
    """Vectors of encoded questions (N, D) and of encoded passages (P, D), both before they are hashed."""
    retriever: Any = model
    return (
        embed_with(retriever.question_vectors, model, questions, tokenizer, batch_size=batch_size),
        embed_with(retriever.passage_vectors, model, passages, tokenizer, batch_size=batch_size),
    )


def passage_key(passage: Passage) -> int:
    """A number that is equal for equal passages only (as good as surely), never 0."""
    digest = hashlib.blake2b(f"{passage.title}\0{passage.text}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True) or 1


def _collect_passages(
    examples: Sequence[RetrievalQuestion],
) -> tuple[list[Passage], list[tuple[int, tuple[int, ...]]]]:
    """Every different passage once, and for each example the places of its positive and of its negatives."""
    pool: dict[Passage, int] = {}
    places = [
        (
            pool.setdefault(example.positive, len(pool)),
            tuple(pool.setdefault(passage, len(pool)) for passage in example.negatives),
        )
        for example in examples
    ]
    return list(pool), places


def _plain_passage(cell: Any) -> Any:
    """A CSV file has passages as JSON inside a string; a text that is no JSON object is the passage itself."""
    if isinstance(cell, str) and cell.lstrip().startswith("{"):
        import json

        try:
            return json.loads(cell)
        except ValueError:
            return cell
    return cell


def _read_passage(cell: Any, column: str) -> Passage:
    if isinstance(cell, str):
        return Passage("", read_text({column: cell}, column))
    if not isinstance(cell, Mapping) or not isinstance(cell.get("text"), str):
        raise InvalidInput("error.search.passage", column=column)
    title = cell.get("title")
    return Passage(read_text({column: title}, column, required=False), read_text({column: cell["text"]}, column))


def _read_answer(cell: Any) -> str:
    """Answers are texts here; those of a reading data set carry their places as well."""
    return read_text({"answers": cell.get("text") if isinstance(cell, Mapping) else cell}, "answers")


TASK = Retrieval()
