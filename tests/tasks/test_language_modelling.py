"""Causal, masked and corrupted: what is predicted, what it costs, and that it can be learned."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    BertJapaneseTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
    Trainer,
    TrainingArguments,
)

from core.data.examples import PlainText
from core.errors import InvalidInput, ModelUnavailable
from core.generation.batches import IGNORED
from core.tasks.language_modelling import TASKS, find_sentinels
from core.tasks.registry import find_task
from core.tasks.task import Prediction, Setup
from core.training.batches import PLACE, repeatable
from tests.text.tiny import SENTENCES, folder

CAUSAL, MASKED, CORRUPTED = TASKS
EXAMPLES = [PlainText(text) for text in SENTENCES]
UNIGRAM = Path(__file__).parents[2] / "assets" / "tokenizers" / "unigram"
WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] 猫 は 魚 を 食べ た 私 の 犬 走 ##る ##っ て い 。 が 好き"


@pytest.fixture(scope="module")
def gpt_tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(folder("byte-bpe"))


@pytest.fixture(scope="module")
def gpt(gpt_tokenizer: Any) -> GPT2LMHeadModel:
    torch.manual_seed(0)
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(gpt_tokenizer),
            n_embd=32,
            n_layer=2,
            n_head=2,
            n_positions=128,
            bos_token_id=0,
            eos_token_id=gpt_tokenizer.eos_token_id,
            initializer_range=0.3,
        )
    )


@pytest.fixture(scope="module")
def bert_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    place = tmp_path_factory.mktemp("bert")
    (place / "vocab.txt").write_text("\n".join(WORDS.split()) + "\n", encoding="utf-8")
    return BertJapaneseTokenizer(
        str(place / "vocab.txt"), word_tokenizer_type="mecab", subword_tokenizer_type="wordpiece", model_max_length=64
    )


@pytest.fixture(scope="module")
def bert(bert_tokenizer: Any) -> BertForMaskedLM:
    torch.manual_seed(0)
    return BertForMaskedLM(
        BertConfig(
            vocab_size=len(bert_tokenizer),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=64,
            initializer_range=0.3,
        )
    )


@pytest.fixture(scope="module")
def t5_tokenizer() -> Any:
    tokenizer = AutoTokenizer.from_pretrained(UNIGRAM)
    tokenizer.add_special_tokens({"additional_special_tokens": [f"<extra_id_{n}>" for n in range(100)]})
    return tokenizer


@pytest.fixture(scope="module")
def t5(t5_tokenizer: Any) -> T5ForConditionalGeneration:
    torch.manual_seed(0)
    shape: dict[str, Any] = {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2}
    shape["decoder_start_token_id"] = 0
    return T5ForConditionalGeneration(T5Config(**shape, vocab_size=len(t5_tokenizer)))


BERT_TEXTS = ("猫は魚を食べた。", "私の犬は走っている。", "犬が好き", "猫")
BERT_EXAMPLES = [PlainText(text) for text in BERT_TEXTS]


def test_the_registry_finds_all_three() -> None:
    assert [find_task(task.name) for task in TASKS] == list(TASKS)


def test_rows_come_back() -> None:
    for task in TASKS:
        assert task.read(task.write(EXAMPLES[0])) == EXAMPLES[0]
        with pytest.raises(InvalidInput):
            task.read({"text": "　"})


# --- causal ---


def test_texts_are_joined_with_the_end_mark_and_cut_into_full_blocks(gpt_tokenizer: Any) -> None:
    features = CAUSAL.prepare(EXAMPLES, gpt_tokenizer, Setup(max_length=16))
    end = gpt_tokenizer.eos_token_id
    expected = [end]
    for text in SENTENCES:
        expected += [*gpt_tokenizer(text)["input_ids"], end]
    stream = [token for feature in features for token in feature["input_ids"].tolist()]
    assert stream == expected[: len(stream)]
    assert len(expected) - len(stream) < 2  # one token alone predicts nothing
    assert {len(feature["input_ids"]) for feature in features[:-1]} == {16}
    assert all((feature["labels"] == feature["input_ids"]).all() for feature in features)


def test_a_start_mark_of_its_own_stands_before_each_text() -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder("llama"))
    start, end = tokenizer.bos_token_id, tokenizer.eos_token_id
    ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in SENTENCES[:2]]
    (feature,) = CAUSAL.prepare(EXAMPLES[:2], tokenizer, Setup(max_length=512))
    assert feature["input_ids"].tolist() == [start, *ids[0], end, start, *ids[1], end]


def test_a_batch_without_a_padding_token_keeps_the_end_marks_as_labels(gpt_tokenizer: Any) -> None:
    assert gpt_tokenizer.pad_token is None
    end = gpt_tokenizer.eos_token_id
    features = [{"input_ids": [end, 5, end], "labels": [end, 5, end]}, {"input_ids": [7, 8], "labels": [7, 8]}]
    batch = CAUSAL.collator(gpt_tokenizer, Setup())(features)
    assert batch["input_ids"].tolist() == [[end, 5, end], [7, 8, end]]
    assert batch["labels"].tolist() == [[end, 5, end], [7, 8, IGNORED]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]


def test_logits_predict_the_next_token() -> None:
    labels = torch.tensor([[3, 1, 2]])
    logits, shifted = CAUSAL.align(torch.nn.functional.one_hot(torch.tensor([[1, 2, 0]]), 4).float(), labels)
    assert logits.argmax(-1).tolist() == shifted.tolist() == [[1, 2]]


def test_causal_loss_is_the_models_own(gpt: GPT2LMHeadModel, gpt_tokenizer: Any) -> None:
    predictions = CAUSAL.predict(gpt, gpt_tokenizer, EXAMPLES, Setup(max_length=128), batch_size=4)
    end = gpt_tokenizer.eos_token_id
    gpt.eval()
    for prediction, text in zip(predictions, SENTENCES, strict=True):
        ids = torch.tensor([[end, *gpt_tokenizer(text)["input_ids"], end]])
        with torch.no_grad():
            output = gpt(input_ids=ids, labels=ids)
        assert prediction.loss == pytest.approx(float(output.loss), rel=1e-5)
        assert prediction.details["tokens"] == ids.shape[1] - 1
        assert prediction.details["correct"] == int((output.logits[0, :-1].argmax(-1) == ids[0, 1:]).sum())
        assert prediction.gold == text


def test_every_token_of_a_long_text_is_predicted_once(gpt: GPT2LMHeadModel, gpt_tokenizer: Any) -> None:
    text = "".join(SENTENCES)
    (prediction,) = CAUSAL.predict(gpt, gpt_tokenizer, [PlainText(text)], Setup(max_length=16))
    ids = gpt_tokenizer(text)["input_ids"]
    assert prediction.details["tokens"] == len(ids) + 1
    assert prediction.gold == text
    end = gpt_tokenizer.eos_token_id
    row = [end, *ids, end]
    total = 0.0
    for start in range(0, len(row) - 1, 15):
        window = torch.tensor([row[start : start + 16]])
        with torch.no_grad():
            total += float(gpt(input_ids=window, labels=window).loss) * (window.shape[1] - 1)
    assert prediction.details["loss"] == pytest.approx(total, rel=1e-5)


# --- masked ---


def test_masked_loss_is_the_models_own(bert: BertForMaskedLM, bert_tokenizer: Any) -> None:
    setup = Setup(max_length=64, options={"mask_probability": 0.3})
    predictions = MASKED.predict(bert, bert_tokenizer, BERT_EXAMPLES, setup, batch_size=3)
    features = [own[0] for own in MASKED.encode(BERT_TEXTS, bert_tokenizer, setup)]
    bert.eval()
    for prediction, feature in zip(predictions, features, strict=True):
        batch = {name: torch.tensor(np.asarray(feature[name])[None]) for name in ("input_ids", "labels")}
        with torch.no_grad():
            output = bert(**batch)
        assert prediction.loss == pytest.approx(float(output.loss), rel=1e-4)
        assert prediction.details["tokens"] == int((batch["labels"] != IGNORED).sum())


def test_unmasked_positions_carry_no_loss(bert: BertForMaskedLM, bert_tokenizer: Any) -> None:
    setup = Setup(max_length=64)
    collated = MASKED.collator(bert_tokenizer, setup)(list(MASKED.prepare(BERT_EXAMPLES, bert_tokenizer, setup)))
    logits = bert(input_ids=collated["input_ids"], attention_mask=collated["attention_mask"]).logits
    logits.retain_grad()
    torch.nn.functional.cross_entropy(logits.flatten(0, 1), collated["labels"].flatten()).backward()
    touched = logits.grad.abs().sum(-1) > 0
    assert (touched == (collated["labels"] != IGNORED)).all()
    assert touched.sum(dim=1).tolist() == [1, 2, 1, 1]  # 15 % of 7, 10, 3 and 1 tokens, one at least


def test_masking_spares_special_tokens_and_those_that_the_text_names(bert_tokenizer: Any) -> None:
    setup = Setup(max_length=64, options={"mask_probability": 0.9})
    examples = [PlainText("猫は[MASK]を食べた。"), PlainText("私の鰐は走っている。"), PlainText("鰐")]
    features = MASKED.prepare(examples, bert_tokenizer, setup)
    assert len(features) == 2  # the last holds nothing but an unknown word
    collate = MASKED.collator(bert_tokenizer, setup)
    replaced = set()
    for _ in range(200):
        batch = collate(list(features))
        original = torch.nn.utils.rnn.pad_sequence([torch.tensor(f["input_ids"]) for f in features], batch_first=True)
        hidden = batch["labels"] != IGNORED
        assert (batch["labels"][hidden] == original[hidden]).all()
        assert (original[hidden] > 4).all()
        assert (batch["input_ids"][~hidden] == original[~hidden]).all()
        replaced |= set(batch["input_ids"][hidden].tolist())
    assert replaced == {4, *range(5, len(bert_tokenizer))}  # the mask and every ordinary token


def test_whole_words_are_grouped_by_their_pieces(bert_tokenizer: Any) -> None:
    assert bert_tokenizer.tokenize("私の犬は走る。") == ["私", "の", "犬", "は", "走", "##る", "。"]
    setup = Setup(max_length=64, options={"whole_word": True, "mask_probability": 0.3})
    (feature,) = MASKED.prepare([PlainText("私の犬は走る。")], bert_tokenizer, setup)
    assert feature["words"].tolist() == [-1, 0, 1, 2, 3, 4, 4, 5, -1]
    collate = MASKED.collator(bert_tokenizer, setup)
    together = [tuple((collate([feature])["labels"][0, 5:7] != IGNORED).tolist()) for _ in range(100)]
    assert set(together) == {(True, True), (False, False)}
    alone = MASKED.prepare([PlainText("私の犬は走る。")], bert_tokenizer, Setup(max_length=64))[0]
    assert alone["words"].tolist() == [-1, 0, 1, 2, 3, 4, 5, 6, -1]


def test_whole_words_need_a_vocabulary_that_marks_them(gpt_tokenizer: Any, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"error\.generation\.no_mask"):
        MASKED.prepare(EXAMPLES, gpt_tokenizer, Setup())
    (tmp_path / "vocab.txt").write_text(
        "\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "猫"]), encoding="utf-8"
    )
    characters = BertJapaneseTokenizer(str(tmp_path / "vocab.txt"), subword_tokenizer_type="character")
    with pytest.raises(InvalidInput, match=r"error\.generation\.no_words"):
        MASKED.prepare(EXAMPLES, characters, Setup(options={"whole_word": True}))
    with pytest.raises(InvalidInput, match=r"error\.generation\.share"):
        MASKED.prepare(EXAMPLES, characters, Setup(options={"mask_probability": 1.5}))


def test_a_long_text_becomes_framed_pieces(bert_tokenizer: Any) -> None:
    features = MASKED.prepare([PlainText("私の犬は走る。" * 4)], bert_tokenizer, Setup(max_length=8))
    rows = [feature["input_ids"].tolist() for feature in features]
    assert [len(row) for row in rows] == [8, 8, 8, 8, 6]
    assert {row[0] for row in rows} == {2} and {row[-1] for row in rows} == {3}
    inner = [token for row in rows for token in row[1:-1]]
    assert inner == bert_tokenizer("私の犬は走る。" * 4, add_special_tokens=False)["input_ids"]


# --- span corruption ---


def test_corrupted_loss_is_the_models_own(t5: T5ForConditionalGeneration, t5_tokenizer: Any) -> None:
    predictions = CORRUPTED.predict(t5, t5_tokenizer, EXAMPLES, Setup(), batch_size=4)
    features = [own[0] for own in CORRUPTED.encode(SENTENCES, t5_tokenizer, Setup())]
    t5.eval()
    for prediction, feature in zip(predictions, features, strict=True):
        batch = {name: torch.tensor([feature[name]]) for name in ("input_ids", "labels")}
        with torch.no_grad():
            output = t5(**batch)
        assert prediction.loss == pytest.approx(float(output.loss), rel=1e-5)
        assert prediction.details["tokens"] == len(feature["labels"])
        assert prediction.gold.startswith("<extra_id_0>") and prediction.gold.endswith("</s>")


def test_sentinels_stand_in_order_and_nothing_is_lost(t5_tokenizer: Any) -> None:
    sentinels = find_sentinels(t5_tokenizer)
    assert sentinels[0] == t5_tokenizer.convert_tokens_to_ids("<extra_id_0>")
    assert len(sentinels) == 100
    text = "".join(SENTENCES)
    (own,) = CORRUPTED.encode([text], t5_tokenizer, Setup())
    (feature,) = own
    used = [token for token in feature["input_ids"] if token in sentinels]
    assert used == list(sentinels[: len(used)]) == [token for token in feature["labels"] if token in sentinels]
    ids = t5_tokenizer(text, add_special_tokens=False)["input_ids"]
    assert len(used) == round(round(len(ids) * 0.15) / 3)
    assert len(feature["input_ids"]) + len(feature["labels"]) == len(ids) + 2 * len(used) + 2


def test_a_sentinel_in_the_text_is_no_sentinel(t5_tokenizer: Any) -> None:
    (feature,) = CORRUPTED.prepare([PlainText("猫は<extra_id_0>魚を食べた。")], t5_tokenizer, Setup())
    assert not set(feature["input_ids"].tolist()) & set(find_sentinels(t5_tokenizer))


def test_sentinels_of_sentencepiece_are_found_and_others_missed(gpt_tokenizer: Any) -> None:
    assert len(find_sentinels(AutoTokenizer.from_pretrained(folder("t5")))) == 100
    with pytest.raises(InvalidInput, match=r"error\.generation\.no_sentinels"):
        CORRUPTED.prepare(EXAMPLES, gpt_tokenizer, Setup())


# --- all three ---


def model_and_tokenizer(task: Any, request: pytest.FixtureRequest) -> tuple[PreTrainedModel, Any, list[PlainText]]:
    name = {"causal-lm": "gpt", "masked-lm": "bert", "span-corruption": "t5"}[task.name]
    examples = BERT_EXAMPLES if name == "bert" else EXAMPLES
    return request.getfixturevalue(name), request.getfixturevalue(f"{name}_tokenizer"), examples


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_prediction_is_repeatable_and_needs_no_neighbours(task: Any, request: pytest.FixtureRequest) -> None:
    model, tokenizer, examples = model_and_tokenizer(task, request)
    setup = Setup(max_length=64)
    model.train()
    first = task.predict(model, tokenizer, examples, setup)
    assert model.training
    torch.manual_seed(1)
    alone = [task.predict(model, tokenizer, [example], setup, batch_size=1)[0] for example in reversed(examples)]
    for one, other in zip(first, reversed(alone), strict=True):
        assert one.loss == pytest.approx(other.loss, rel=1e-4)
        assert (one.gold, one.predicted, one.details["tokens"]) == (
            other.gold,
            other.predicted,
            other.details["tokens"],
        )
    assert [prediction.index for prediction in first] == list(range(len(examples)))
    assert task.predict(model, tokenizer, [], setup) == []


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_scores_follow_from_the_predictions(task: Any, request: pytest.FixtureRequest) -> None:
    model, tokenizer, examples = model_and_tokenizer(task, request)
    predictions = task.predict(model, tokenizer, examples, Setup(max_length=64))
    scores = task.score(predictions)
    loss = sum(p.loss * p.details["tokens"] for p in predictions) / sum(p.details["tokens"] for p in predictions)
    assert scores["loss"] == pytest.approx(loss)
    assert scores["perplexity"] == pytest.approx(math.exp(loss))
    assert 0 <= scores["accuracy"] <= 1
    nothing = Prediction(9, "", "", math.nan, details={"loss": 0.0, "tokens": 0, "correct": 0})
    assert task.score([*predictions, nothing]) == scores


@pytest.mark.parametrize("task", [MASKED, CORRUPTED], ids=lambda task: task.name)
def test_noise_depends_on_the_place_in_the_order_and_on_nothing_else(task: Any, request: pytest.FixtureRequest) -> None:
    _, tokenizer, examples = model_and_tokenizer(task, request)
    setup = Setup(max_length=64)
    features = task.prepare(examples * 4, tokenizer, setup)
    collate = repeatable(task.collator(tokenizer, setup), seed=42)

    def batch(place: int) -> list[int]:
        ids = collate([{**feature, PLACE: place + row} for row, feature in enumerate(features)])["input_ids"]
        return ids.flatten().tolist()

    torch.manual_seed(0)
    first = batch(7)
    torch.rand(3), random.random(), np.random.random()
    assert batch(7) == first
    assert batch(8) != first


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_it_can_be_learned(task: Any, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    import copy

    model, tokenizer, examples = model_and_tokenizer(task, request)
    model = copy.deepcopy(model)
    setup = Setup(max_length=64)
    before = task.score(task.predict(model, tokenizer, examples, setup))
    arguments = TrainingArguments(
        str(tmp_path),
        max_steps=30,
        learning_rate=1e-2,
        per_device_train_batch_size=8,
        remove_unused_columns=False,
        save_strategy="no",
        use_cpu=True,
        disable_tqdm=True,
        seed=0,
    )
    features = task.prepare(examples * 2, tokenizer, setup)
    Trainer(model, arguments, train_dataset=features, data_collator=task.collator(tokenizer, setup)).train()
    after = task.score(task.predict(model, tokenizer, examples, setup))
    assert after["loss"] < 0.6 * before["loss"]
    assert after["accuracy"] > before["accuracy"]


def test_models_are_loaded_in_single_precision_and_only_of_the_right_kind(
    gpt: GPT2LMHeadModel, bert: BertForMaskedLM, t5: T5ForConditionalGeneration, tmp_path: Path
) -> None:
    import copy

    models = {"causal-lm": gpt, "masked-lm": bert, "span-corruption": t5}
    for name, model in models.items():
        copy.deepcopy(model).half().save_pretrained(tmp_path / name)
    for task in TASKS:
        for name, model in models.items():
            place = str(tmp_path / name)
            if name == task.name:
                loaded = task.load(place, Setup())
                assert type(loaded) is type(model)
                assert loaded.dtype == torch.float32
            else:
                with pytest.raises(ModelUnavailable, match=rf"error\.generation\.needs\.{task.architecture}"):
                    task.load(place, Setup())
