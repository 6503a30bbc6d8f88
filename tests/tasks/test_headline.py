"""Headline generation: features, teacher forcing, decoding, metrics, and that it can be learned."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import sacrebleu
import torch
from rouge_score.rouge_scorer import RougeScorer
from transformers import (
    AutoModel,
    AutoTokenizer,
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    BertForMaskedLM,
    DataCollatorForSeq2Seq,
    T5Config,
    T5ForConditionalGeneration,
    Trainer,
    TrainingArguments,
)

from core.data.examples import Article
from core.errors import InvalidInput, ModelUnavailable
from core.generation.bertscore import score_bert
from core.models import loading
from core.tasks.headline import TASK
from core.tasks.registry import find_task
from core.tasks.task import Prediction, Setup
from core.tasks.tokenizing import encode_ended
from core.text.segmentation import segment
from core.training.trainer import read_predictions, write_predictions
from tests.text.tiny import folder

ASSETS = Path(__file__).parents[2] / "assets"
UNIGRAM, ENCODER = ASSETS / "tokenizers" / "unigram", ASSETS / "models" / "encoder"
ARTICLES = [
    Article(
        "駅前に新しい喫茶店が開店した。朝から多くの人が並んだ。店主は「長く続けたい」と話す。", "駅前に喫茶店が開店"
    ),
    Article("市の動物園で猫の赤ちゃんが生まれた。", "動物園で猫の赤ちゃん誕生"),
    Article("明日は全国で雨が降る。気象庁は川の増水に注意するよう呼びかけている。", "明日は全国で雨"),
]
SETUP = Setup(max_length=32, max_target_length=16)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    tokenizer = AutoTokenizer.from_pretrained(UNIGRAM)
    tokenizer.add_special_tokens({"additional_special_tokens": [f"<extra_id_{n}>" for n in range(100)]})
    return tokenizer


@pytest.fixture(scope="module")
def model(tokenizer: Any) -> Any:
    torch.manual_seed(0)
    shape: dict[str, Any] = {
        "d_model": 32,
        "d_kv": 16,
        "d_ff": 64,
        "num_layers": 2,
        "num_heads": 2,
        "dropout_rate": 0.0,
    }
    shape["decoder_start_token_id"] = 0
    return T5ForConditionalGeneration(T5Config(**shape, vocab_size=len(tokenizer)))


def test_the_settings_are_the_books() -> None:
    assert find_task("headline") is TASK
    defaults = TASK.defaults
    assert (defaults.epochs, defaults.batch_size, defaults.learning_rate) == (5, 8, 1e-4)
    assert (defaults.max_length, defaults.max_target_length, defaults.precision) == (512, 128, "fp32")
    assert (TASK.metric, TASK.greater_is_better) == ("loss", False)
    assert TASK.read(TASK.write(ARTICLES[0])) == ARTICLES[0]
    with pytest.raises(InvalidInput):
        TASK.read({"body": "本文だけ"})


def test_both_sides_end_with_the_end_mark_and_have_no_prefix(tokenizer: Any) -> None:
    features = TASK.prepare(ARTICLES, tokenizer, SETUP)
    for feature, article in zip(features, ARTICLES, strict=True):
        body, headline = (tokenizer(text)["input_ids"] for text in (article.body, article.headline))
        assert feature["input_ids"] == ([*body, 1] if len(body) < 32 else [*body[:31], 1])
        assert feature["labels"] == ([*headline, 1] if len(headline) < 16 else [*headline[:15], 1])
    tiny = TASK.prepare(ARTICLES, tokenizer, Setup(max_length=5, max_target_length=3))
    assert {(len(f["input_ids"]), len(f["labels"]), f["input_ids"][-1], f["labels"][-1]) for f in tiny} == {
        (5, 3, 1, 1)
    }


def test_a_tokenizer_that_adds_its_end_mark_adds_one_only() -> None:
    t5 = AutoTokenizer.from_pretrained(folder("t5"))
    for limit in (4, 64):
        rows = encode_ended(t5, [article.body for article in ARTICLES], max_length=limit)
        assert [row.count(t5.eos_token_id) for row in rows] == [1, 1, 1]
        assert all(row[-1] == t5.eos_token_id and len(row) <= limit for row in rows)
    assert encode_ended(t5, [], max_length=4) == []


def test_batches_are_those_of_transformers(tokenizer: Any) -> None:
    features = list(TASK.prepare(ARTICLES, tokenizer, SETUP))
    ours = TASK.collator(tokenizer, SETUP)(features)
    theirs = DataCollatorForSeq2Seq(tokenizer)(copy.deepcopy(features))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert (ours["labels"] == -100).any()


def test_loss_is_the_models_own_and_texts_are_those_of_generate(model: Any, tokenizer: Any) -> None:
    model.train()
    predictions = TASK.predict(model, tokenizer, ARTICLES, SETUP, batch_size=2)
    assert model.training
    model.eval()
    for prediction, article, feature in zip(
        predictions, ARTICLES, TASK.prepare(ARTICLES, tokenizer, SETUP), strict=True
    ):
        ids, labels = torch.tensor([feature["input_ids"]]), torch.tensor([feature["labels"]])
        with torch.no_grad():
            loss = float(model(input_ids=ids, labels=labels).loss)
        written = model.generate(input_ids=ids, do_sample=False, num_beams=1, max_new_tokens=19)[0]
        assert prediction.loss == pytest.approx(loss, rel=1e-4)
        assert prediction.details["loss"] == pytest.approx(loss * labels.shape[1], rel=1e-4)
        assert prediction.predicted == tokenizer.decode(written, skip_special_tokens=True).strip()
        assert prediction.gold == article.headline


def test_settings_of_decoding_reach_generate(model: Any, tokenizer: Any) -> None:
    ids = torch.tensor([TASK.prepare(ARTICLES, tokenizer, SETUP)[0]["input_ids"]])
    for options in ({"num_beams": 3, "max_new_tokens": 8}, {"no_repeat_ngram_size": 2, "max_new_tokens": 12}):
        (prediction,) = TASK.predict(
            model, tokenizer, ARTICLES[:1], Setup(max_length=32, max_target_length=16, options=options)
        )
        written = model.generate(input_ids=ids, do_sample=False, **options)[0]
        assert prediction.predicted == tokenizer.decode(written, skip_special_tokens=True).strip()
    with pytest.raises(InvalidInput, match=r"error\.generation\.option.*num_beams"):
        TASK.predict(model, tokenizer, ARTICLES[:1], Setup(options={"num_beams": 0}))


def test_an_article_without_a_headline_is_only_written_for(model: Any, tokenizer: Any) -> None:
    with_one, without = TASK.predict(
        model, tokenizer, [ARTICLES[0], Article(ARTICLES[0].body, "")], SETUP, batch_size=2
    )
    assert math.isnan(without.loss) and without.details["tokens"] == 0
    assert without.predicted == with_one.predicted
    assert TASK.score([with_one, without]) == TASK.score([with_one])
    assert TASK.score([without]) == {}


def test_scores_are_those_of_the_reference_libraries() -> None:
    texts = [("駅前に喫茶店開く", ARTICLES[0].headline), ("猫が誕生", ARTICLES[1].headline), ("", ARTICLES[2].headline)]
    details = {"loss": 6.0, "tokens": 4, "correct": 1}
    scores = TASK.score(
        [Prediction(n, gold, predicted, 1.5, details=details) for n, (predicted, gold) in enumerate(texts)]
    )
    cut = [[" ".join(word.surface for word in segment(text)) for text in pair] for pair in texts]

    class Words:
        def tokenize(self, text: str) -> list[str]:
            return text.split()

    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"], tokenizer=Words())
    found = [scorer.score(gold, predicted) for predicted, gold in cut]
    for ours, theirs in (("rouge1", "rouge1"), ("rouge2", "rouge2"), ("rouge_l", "rougeL")):
        assert scores[ours] == pytest.approx(sum(row[theirs].fmeasure for row in found) / 3)
    assert scores["rouge1"] > 0.2
    bleu = sacrebleu.corpus_bleu([predicted for predicted, _ in cut], [[gold for _, gold in cut]])
    assert scores["bleu"] == bleu.score
    assert scores["token_loss"] == 1.5


def test_meanings_are_compared_by_the_bundled_encoder(tmp_path: Path) -> None:
    """The metric is what the saved texts give again, by the encoder as plain transformers load it."""
    texts = [("駅前に喫茶店開く", ARTICLES[0].headline), ("猫が誕生", ARTICLES[1].headline), ("", ARTICLES[2].headline)]
    details = {"loss": 6.0, "tokens": 4, "correct": 1}
    predictions = [Prediction(n, gold, told, 1.5, details=details) for n, (told, gold) in enumerate(texts)]
    without_gold = Prediction(3, "", "何か", math.nan, details={"loss": 0.0, "tokens": 0, "correct": 0})
    found = TASK.score([*predictions, without_gold])["bertscore"]
    write_predictions(predictions, tmp_path / "predictions.jsonl")
    stored = read_predictions(tmp_path / "predictions.jsonl")
    assert TASK.score(stored)["bertscore"] == found
    encoder = AutoModel.from_pretrained(ENCODER, dtype=torch.float32, add_pooling_layer=False)
    told, gold = [p.predicted for p in stored], [p.gold for p in stored]
    again = score_bert(told, gold, encoder, AutoTokenizer.from_pretrained(ENCODER), layer=3)
    assert found == pytest.approx(sum(score.f for score in again) / 3, abs=1e-5)
    assert 0.2 < found < 2 / 3  # the third, without a word, counts 0
    assert TASK.score([Prediction(0, "猫が生まれた", "猫が生まれた", 1.5, details=details)])["bertscore"] > 0.999


def test_the_scorer_changes_nothing_in_the_process_and_may_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    details = {"loss": 6.0, "tokens": 4, "correct": 1}
    prediction = Prediction(0, "猫が誕生", "猫が生まれた", 1.5, details=details)
    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    loading.prepare_torch.cache_clear()
    monkeypatch.setattr(loading, "SHARED", loading.ModelCache(loading.MEMORY_BYTES))
    try:
        torch.set_num_threads(3)
        assert "bertscore" in TASK.score([prediction])
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(torch.random.get_rng_state(), state)
    monkeypatch.setattr(loading, "load_model", missing)
    scores = TASK.score([prediction])
    assert "bertscore" not in scores and "rouge1" in scores


def missing(source: str) -> Any:
    raise ModelUnavailable("error.model.not_shipped", source=source)


def test_any_sequence_to_sequence_model_will_do(tmp_path: Path, tokenizer: Any) -> None:
    torch.manual_seed(0)
    bart = BartForConditionalGeneration(
        BartConfig(
            vocab_size=len(tokenizer),
            d_model=32,
            encoder_layers=1,
            decoder_layers=1,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=32,
            decoder_ffn_dim=32,
            max_position_embeddings=64,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=1,
            decoder_start_token_id=1,
            forced_eos_token_id=None,
        )
    )
    bart.half().save_pretrained(tmp_path / "bart")
    loaded = TASK.load(str(tmp_path / "bart"), SETUP)
    assert isinstance(loaded, BartForConditionalGeneration)
    assert loaded.dtype == torch.float32
    predictions = TASK.predict(loaded, tokenizer, ARTICLES, SETUP)
    assert [prediction.loss for prediction in predictions] == pytest.approx([9.0] * 3, abs=0.5)  # ln 8,100
    BertForMaskedLM(
        BertConfig(vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    ).save_pretrained(tmp_path / "bert")
    with pytest.raises(ModelUnavailable, match=r"error\.generation\.needs\.seq2seq"):
        TASK.load(str(tmp_path / "bert"), SETUP)


def test_it_can_be_learned(model: Any, tokenizer: Any, tmp_path: Path) -> None:
    learner = copy.deepcopy(model)
    arguments = TrainingArguments(
        str(tmp_path),
        max_steps=60,
        learning_rate=1e-2,
        per_device_train_batch_size=3,
        save_strategy="no",
        use_cpu=True,
        disable_tqdm=True,
        seed=0,
    )
    features = list(TASK.prepare(ARTICLES, tokenizer, SETUP))
    Trainer(learner, arguments, train_dataset=features, data_collator=TASK.collator(tokenizer, SETUP)).train()
    predictions = TASK.predict(learner, tokenizer, ARTICLES, SETUP)
    assert [prediction.predicted for prediction in predictions] == [article.headline for article in ARTICLES]
    scores = TASK.score(predictions)
    assert [scores["rouge1"], scores["rouge_l"], scores["bleu"]] == pytest.approx([1, 1, 100])
