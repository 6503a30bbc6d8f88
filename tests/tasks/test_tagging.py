"""Tagging: rows to examples, features, learning, predictions and scores; both tasks."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from seqeval.metrics import f1_score
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForTokenClassification,
    BertJapaneseTokenizer,
    BertTokenizer,
    PreTrainedModel,
    RobertaConfig,
    RobertaForMaskedLM,
    Trainer,
    TrainingArguments,
)

from core.data.examples import EntitySpan, TaggedText
from core.errors import InvalidInput, ModelUnavailable
from core.tasks.bio import tag_characters
from core.tasks.crf import BertForCrfTagging
from core.tasks.emissions import compute_emissions, decode_labels, model_labels, split_windows
from core.tasks.heads import read_config
from core.tasks.tagging import TASKS, CrfTagging, Tagging, tag_text
from core.tasks.task import Prediction, Setup, Task
from core.text.segmentation import segment

TAGGING, CRF = TASKS
PEOPLE, PLACES = ("田中", "佐藤", "鈴木", "高橋", "大谷翔平"), ("東京", "大阪", "京都", "岩手県水沢市")
FRAMES = ("{0}さんは{1}へ行った。", "{1}で{0}に会う。", "{0}は{1}出身だ。", "{1}の{0}が話した。")


def fill(frame: str, person: str, place: str) -> TaggedText:
    """A sentence with its two entities."""
    text = frame.format(person, place)
    spans = [(text.index(name), name, label) for name, label in ((person, "人名"), (place, "地名"))]
    return TaggedText(text, tuple(sorted(EntitySpan(start, start + len(name), label) for start, name, label in spans)))


EVERY = [fill(frame, person, place) for frame in FRAMES for person in PEOPLE for place in PLACES]
SENTENCES = EVERY[::3]
LABELS = TAGGING.labels(SENTENCES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BertForMaskedLM in half precision and its BertJapaneseTokenizer; 翔平 is cut in two, 高橋 is unknown."""
    place = tmp_path_factory.mktemp("base")
    words = {word.surface for sentence in EVERY for word in segment(sentence.text)} - {"翔平", "高橋"}
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(words), "翔", "##平"]
    (place / "vocab.txt").write_text("\n".join(pieces), encoding="utf-8")
    BertJapaneseTokenizer(
        str(place / "vocab.txt"), word_tokenizer_type="mecab", subword_tokenizer_type="wordpiece", model_max_length=64
    ).save_pretrained(place)
    torch.manual_seed(0)
    BertForMaskedLM(shape(len(pieces))).half().save_pretrained(place)
    return place


def shape(vocabulary: int) -> BertConfig:
    return BertConfig(
        vocab_size=vocabulary,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> BertJapaneseTokenizer:
    return BertJapaneseTokenizer.from_pretrained(folder)


def train(task: Tagging, folder: Path, place: Path, *, setup: Setup, steps: int = 60) -> PreTrainedModel:
    """Learn the toy sentences by heart."""
    torch.manual_seed(0)
    tokenizer = BertJapaneseTokenizer.from_pretrained(folder)
    model = task.load(str(folder), setup)
    arguments = TrainingArguments(
        str(place / "run"),
        max_steps=steps,
        learning_rate=5e-3,
        per_device_train_batch_size=10,
        save_strategy="no",
        disable_tqdm=True,
        use_cpu=True,
        dataloader_pin_memory=False,
    )
    features: Any = task.prepare(SENTENCES, tokenizer, setup)
    collator: Any = task.collator(tokenizer, setup)
    Trainer(model, arguments, train_dataset=features, data_collator=collator).train()
    return model


@pytest.fixture(scope="module")
def tagger(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> PreTrainedModel:
    return train(TAGGING, folder, tmp_path_factory.mktemp("tagging"), setup=Setup(LABELS))


@pytest.fixture(scope="module")
def crf_tagger(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> PreTrainedModel:
    setup = Setup(LABELS, options={"transition_speed": 2.0})
    return train(CRF, folder, tmp_path_factory.mktemp("crf"), setup=setup)


def spans_of(prediction: Prediction, name: str) -> list[list[Any]]:
    return prediction.details[name]


def test_the_tasks_are_tasks() -> None:
    tasks: tuple[Task[TaggedText], ...] = (Tagging(), CrfTagging())
    assert [task.name for task in tasks] == ["tagging", "tagging-crf"]
    for task in tasks:
        defaults = task.defaults
        assert (defaults.batch_size, defaults.learning_rate, defaults.epochs, defaults.max_length) == (32, 1e-4, 5, 512)
        assert task.metric == "f1" and task.greater_is_better
        assert task.label_of(SENTENCES[0]) is None


def test_importing_the_tasks_loads_no_heavy_library() -> None:
    script = "import sys, core.tasks.tagging; print(*{'torch', 'transformers', 'seqeval'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_rows_come_back() -> None:
    for sentence in SENTENCES:
        row = TAGGING.write(sentence)
        assert TAGGING.read(row) == sentence
        assert TAGGING.read({**row, "entities": json.dumps(row["entities"])}) == sentence  # as in a CSV file
    assert TAGGING.read({"text": "何もない", "entities": []}) == TaggedText("何もない", ())
    assert TAGGING.write(SENTENCES[0])["entities"][0] == {"name": "田中", "span": [0, 2], "type": "人名"}


def test_entities_are_sorted() -> None:
    entities = [{"span": [3, 5], "type": "地名"}, {"span": [0, 2], "type": "人名"}]
    assert TAGGING.read({"text": "田中と東京", "entities": entities}).entities == (
        EntitySpan(0, 2, "人名"),
        EntitySpan(3, 5, "地名"),
    )


@pytest.mark.parametrize(
    ("entities", "key"),
    [
        (["田中"], "error.tagging.entity"),
        ([{"span": [0, 2]}], "error.tagging.entity"),
        ([{"span": [0, 2], "type": " "}], "error.tagging.entity"),
        ([{"span": [0, "2"], "type": "人名"}], "error.tagging.entity"),
        ([{"span": [True, 2], "type": "人名"}], "error.tagging.entity"),
        ([{"span": [2], "type": "人名"}], "error.tagging.entity"),
        ([{"span": [2, 2], "type": "人名"}], "error.tagging.span"),
        ([{"span": [-1, 2], "type": "人名"}], "error.tagging.span"),
        ([{"span": [3, 6], "type": "地名"}], "error.tagging.span"),
        ([{"span": [1, 3], "type": "人名", "name": "田中"}], "error.tagging.name"),
        ([{"span": [0, 3], "type": "人名"}, {"span": [2, 5], "type": "地名"}], "error.tagging.overlap"),
    ],
)
def test_entities_that_cannot_be_used_are_refused(entities: list[Any], key: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        TAGGING.read({"text": "田中と東京", "entities": entities})
    assert caught.value.key == key


def test_the_books_row_of_labels(tokenizer: BertJapaneseTokenizer) -> None:
    text = "大谷翔平は岩手県水沢市出身"
    example = TaggedText(text, (EntitySpan(0, 4, "人名"), EntitySpan(5, 11, "地名")))
    (feature,) = TAGGING.prepare([example], tokenizer, Setup(LABELS))
    assert feature["input_ids"] == tokenizer(text)["input_ids"]
    pieces = " ".join(tokenizer.convert_ids_to_tokens(feature["input_ids"]))
    assert pieces == "[CLS] 大谷 翔 ##平 は 岩手 県 水沢 市 出身 [SEP]"
    assert feature["labels"] == [-100, 1, 2, 2, 0, 3, 4, 4, 4, 0, -100]
    assert LABELS == ("O", "B-人名", "I-人名", "B-地名", "I-地名")


def test_long_texts_are_cut_for_training(tokenizer: BertJapaneseTokenizer) -> None:
    (feature,) = TAGGING.prepare([SENTENCES[0]], tokenizer, Setup(LABELS, max_length=5))
    assert len(feature["input_ids"]) == len(feature["labels"]) == len(feature["attention_mask"]) == 5
    assert feature["labels"] == [-100, 1, 0, 0, -100]
    assert feature["input_ids"][-1] == tokenizer.sep_token_id


def test_texts_without_tokens_are_left_out(tokenizer: BertJapaneseTokenizer) -> None:
    kept = TAGGING.prepare([TaggedText("\n\n", ()), SENTENCES[0]], tokenizer, Setup(LABELS))
    assert [feature["labels"][1] for feature in kept] == [1]


def test_an_unknown_type_is_refused(tokenizer: BertJapaneseTokenizer) -> None:
    with pytest.raises(InvalidInput) as caught:
        TAGGING.prepare([SENTENCES[0]], tokenizer, Setup(("人名",)))
    assert caught.value.key == "error.data.unknown_label"
    assert caught.value.params == {"label": "地名", "known": "人名"}


@pytest.mark.parametrize("labels", [(), ("O",)])
def test_without_a_type_there_is_nothing_to_learn(folder: Path, labels: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput) as caught:
        TAGGING.load(str(folder), Setup(labels))
    assert caught.value.key == "error.tagging.no_types"


def test_batches_are_padded(tokenizer: BertJapaneseTokenizer) -> None:
    features = list(TAGGING.prepare([SENTENCES[0], SENTENCES[-1]], tokenizer, Setup(LABELS)))
    batch = TAGGING.collator(tokenizer, Setup(LABELS))(features)
    assert batch["input_ids"].shape == batch["labels"].shape == batch["attention_mask"].shape
    for row, feature in enumerate(features):
        length = len(feature["input_ids"])
        assert batch["input_ids"][row, :length].tolist() == feature["input_ids"]
        assert set(batch["input_ids"][row, length:].tolist()) <= {tokenizer.pad_token_id}
        assert batch["labels"][row].tolist() == feature["labels"] + [-100] * (batch["labels"].shape[1] - length)
        assert batch["attention_mask"][row].sum() == length


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_a_base_model_gets_a_new_head_in_full_precision(task: Tagging, folder: Path) -> None:
    model = task.load(str(folder), Setup(LABELS))
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert model_labels(model) == LABELS
    base: Any = BertForMaskedLM.from_pretrained(folder, dtype=torch.float32)
    loaded: Any = model
    assert torch.equal(loaded.bert.encoder.layer[1].output.dense.weight, base.bert.encoder.layer[1].output.dense.weight)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_a_trained_head_stays_for_the_same_labels_alone(task: Tagging, tagger: PreTrainedModel, tmp_path: Path) -> None:
    tagger.save_pretrained(tmp_path)
    before: Any = tagger
    same: Any = task.load(str(tmp_path), Setup(LABELS))
    assert torch.equal(same.classifier.weight, before.classifier.weight)
    # As many labels, another meaning; and another number of them.
    for labels in (("O", "B-地名", "I-地名", "B-人名", "I-人名"), ("人名", "地名", "法人名")):
        other: Any = task.load(str(tmp_path), Setup(labels))
        assert other.classifier.out_features == len(model_labels(other))
        assert not torch.isin(other.classifier.weight, before.classifier.weight).any()
        assert torch.equal(other.bert.embeddings.word_embeddings.weight, before.bert.embeddings.word_embeddings.weight)


def test_a_crf_is_saved_with_its_speed(crf_tagger: PreTrainedModel, tmp_path: Path) -> None:
    crf_tagger.save_pretrained(tmp_path)
    before: Any = crf_tagger
    again: Any = CRF.load(str(tmp_path), Setup(LABELS, options={"transition_speed": 9.0}))
    assert again.crf.speed == 2.0
    assert torch.equal(again.crf.scores.matrix, before.crf.scores.matrix)
    fresh: Any = CRF.load(str(tmp_path), Setup(("法人名",), options={"transition_speed": 9.0}))
    assert fresh.crf.speed == 9.0
    assert fresh.crf.scores.matrix.tolist() == [[0, 0, -100], [0, 0, 0], [0, 0, 0]]
    plain = TAGGING.load(str(tmp_path), Setup(LABELS))
    assert isinstance(plain, BertForTokenClassification)


def test_a_crf_on_a_plain_tagger_takes_the_speed_that_is_asked_for(tagger: PreTrainedModel, tmp_path: Path) -> None:
    tagger.save_pretrained(tmp_path)
    before: Any = tagger
    crf: Any = CRF.load(str(tmp_path), Setup(LABELS, options={"transition_speed": 9.0}))
    assert crf.crf.speed == 9.0 and torch.equal(crf.classifier.weight, before.classifier.weight)


def test_a_crf_needs_a_bert(tmp_path: Path) -> None:
    config = RobertaConfig(
        vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
    )
    RobertaForMaskedLM(config).save_pretrained(tmp_path)
    with pytest.raises(ModelUnavailable) as caught:
        CRF.load(str(tmp_path), Setup(LABELS))
    assert caught.value.key == "error.model.unsupported"
    assert TAGGING.load(str(tmp_path), Setup(LABELS)).config.model_type == "roberta"


def test_tagging_learns(tagger: PreTrainedModel, tokenizer: BertJapaneseTokenizer) -> None:
    predictions = TAGGING.predict(tagger, tokenizer, SENTENCES, Setup(LABELS), batch_size=8)
    assert [prediction.index for prediction in predictions] == list(range(len(SENTENCES)))
    scores = TAGGING.score(predictions)
    assert scores["f1"] > 0.9
    assert scores["viterbi_f1"] == scores["f1"] >= scores["argmax_f1"]
    assert "crf_f1" not in scores
    assert {"f1.人名", "f1.地名", "precision", "recall", "macro_f1", "weighted_f1"} <= scores.keys()


def test_the_crf_learns(crf_tagger: PreTrainedModel, tokenizer: BertJapaneseTokenizer) -> None:
    predictions = CRF.predict(crf_tagger, tokenizer, SENTENCES, Setup(LABELS), batch_size=8)
    scores = CRF.score(predictions)
    assert scores["crf_f1"] == scores["f1"] > 0.9
    assert all(prediction.details.keys() == {"crf"} for prediction in predictions)
    model: Any = crf_tagger
    assert isinstance(crf_tagger, BertForCrfTagging)
    fresh: Any = CRF.load(tokenizer.name_or_path, Setup(LABELS))
    assert not torch.equal(model.crf.scores.matrix, fresh.crf.scores.matrix)


def test_the_option_chooses_the_decoding(folder: Path, tokenizer: BertJapaneseTokenizer) -> None:
    torch.manual_seed(3)
    model = TAGGING.load(str(folder), Setup(LABELS))  # untrained: the two decodings differ
    for decoding in ("argmax", "viterbi"):
        setup = Setup(LABELS, options={"decoding": decoding})
        predictions = TAGGING.predict(model, tokenizer, SENTENCES, setup)
        assert all(prediction.predicted == spans_of(prediction, decoding) for prediction in predictions)
    assert any(spans_of(prediction, "argmax") != spans_of(prediction, "viterbi") for prediction in predictions)


def test_scores_are_seqevals_recomputed_from_what_is_saved(folder: Path, tokenizer: BertJapaneseTokenizer) -> None:
    torch.manual_seed(3)
    model = TAGGING.load(str(folder), Setup(LABELS))
    predictions = TAGGING.predict(model, tokenizer, SENTENCES, Setup(LABELS))
    saved = json.loads(json.dumps([[p.gold, p.predicted, p.details] for p in predictions]))

    def characters(side: list[Any]) -> list[list[str]]:
        pairs = zip(SENTENCES, side, strict=True)
        return [tag_characters([EntitySpan(*span) for span in spans], len(text.text)) for text, spans in pairs]

    gold = characters([row[0] for row in saved])
    scores = TAGGING.score(predictions)
    assert scores["f1"] == pytest.approx(f1_score(gold, characters([row[1] for row in saved])))
    for name in ("argmax", "viterbi"):
        assert scores[f"{name}_f1"] == pytest.approx(f1_score(gold, characters([row[2][name] for row in saved])))
    assert gold == characters([[[e.start, e.end, e.label] for e in sentence.entities] for sentence in SENTENCES])


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_predictions_do_not_depend_on_the_batch(
    task: Tagging, tagger: PreTrainedModel, crf_tagger: PreTrainedModel, tokenizer: BertJapaneseTokenizer
) -> None:
    model = tagger if task is TAGGING else crf_tagger
    model.train()
    alone = task.predict(model, tokenizer, SENTENCES, Setup(LABELS), batch_size=1)
    together = task.predict(model, tokenizer, SENTENCES[::-1], Setup(LABELS), batch_size=32)[::-1]
    assert model.training  # as it was found
    for one, other in zip(alone, together, strict=True):
        assert (one.gold, one.predicted, one.details) == (other.gold, other.predicted, other.details)
        assert one.loss == pytest.approx(other.loss, abs=1e-4)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_losses_are_those_of_training(task: Tagging, folder: Path, tokenizer: BertJapaneseTokenizer) -> None:
    torch.manual_seed(1)
    setup = Setup(LABELS)
    model = task.load(str(folder), setup).eval()
    predictions = task.predict(model, tokenizer, SENTENCES, setup)
    for example, prediction in zip(SENTENCES[:5], predictions, strict=False):
        batch = task.collator(tokenizer, setup)(list(task.prepare([example], tokenizer, setup)))
        assert prediction.loss == pytest.approx(model(**batch).loss.item(), abs=1e-4)
    unknown = TaggedText("田中さん", (EntitySpan(0, 2, "製品名"),))
    (prediction,) = task.predict(model, tokenizer, [unknown], setup)
    assert math.isnan(prediction.loss) and prediction.gold == [[0, 2, "製品名"]]


def test_an_unknown_token_can_be_an_entity(tagger: PreTrainedModel, tokenizer: BertJapaneseTokenizer) -> None:
    sentences = [sentence for sentence in SENTENCES if "高橋" in sentence.text]
    found = [tag_text(sentence.text, tagger, tokenizer=tokenizer) for sentence in sentences]
    assert "高橋" not in tokenizer.get_vocab()
    for sentence, spans in zip(sentences, found, strict=True):
        start = sentence.text.index("高橋")
        assert (start, start + 2, "人名") in {(span.start, span.end, span.label) for span in spans}


@pytest.mark.parametrize(("count", "size"), [(0, 5), (5, 5), (6, 5), (11, 4), (100, 7), (1000, 510), (3, 1), (9, 2)])
def test_windows_cover_every_token_once(count: int, size: int) -> None:
    windows = split_windows(count, size)
    scored = [place for window in windows for place in range(window.start, window.end)]
    assert scored == list(range(count))
    for window in windows:
        assert 0 <= window.first <= window.start <= window.end <= window.last <= count
        assert window.last - window.first == min(size, count)
    for one, other in pairwise(windows):
        assert one.last - other.first >= size // 4


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_nothing_of_a_long_text_is_cut(
    task: Tagging, tagger: PreTrainedModel, crf_tagger: PreTrainedModel, tokenizer: BertJapaneseTokenizer
) -> None:
    model = tagger if task is TAGGING else crf_tagger
    text = "".join(sentence.text for sentence in SENTENCES)
    shifts = [sum(len(sentence.text) for sentence in SENTENCES[:index]) for index in range(len(SENTENCES))]
    entities = tuple(
        EntitySpan(entity.start + shift, entity.end + shift, entity.label)
        for sentence, shift in zip(SENTENCES, shifts, strict=True)
        for entity in sentence.entities
    )
    setup = Setup(LABELS, max_length=16)
    (prediction,) = task.predict(model, tokenizer, [TaggedText(text, entities)], setup)
    assert task.score([prediction])["recall"] > 0.6  # sentences are cut by windows; nothing is lost at the end
    assert prediction.predicted[-1][1] > shifts[-1]
    assert math.isfinite(prediction.loss)
    # The positions of the model are a limit of their own: the text has more tokens than that.
    (prediction,) = task.predict(model, tokenizer, [TaggedText(text, entities)], Setup(LABELS, max_length=4096))
    assert prediction.predicted[-1][1] > shifts[-1]


def test_one_window_is_the_plain_model(tagger: PreTrainedModel, tokenizer: BertJapaneseTokenizer) -> None:
    texts = [sentence.text for sentence in SENTENCES[:3]]
    for text, emissions in zip(texts, compute_emissions(texts, tagger, tokenizer=tokenizer), strict=True):
        with torch.no_grad():
            logits = tagger(**tokenizer(text, return_tensors="pt")).logits[0, 1:-1]
        assert torch.allclose(emissions.scores, logits, atol=1e-5)
        assert decode_labels([emissions], tagger, decoding="argmax") == [logits.argmax(-1).tolist()]


@pytest.mark.parametrize("decoding", ["argmax", "viterbi", "crf"])
def test_one_text_is_tagged_with_confidence(
    decoding: str, tagger: PreTrainedModel, crf_tagger: PreTrainedModel, tokenizer: BertJapaneseTokenizer
) -> None:
    model, task = (crf_tagger, CRF) if decoding == "crf" else (tagger, TAGGING)
    sentence = next(sentence for sentence in SENTENCES if "大谷翔平" in sentence.text)
    found = tag_text(sentence.text, model, tokenizer=tokenizer, decoding=decoding)
    (prediction,) = task.predict(model, tokenizer, [sentence], Setup(LABELS))
    assert [[span.start, span.end, span.label] for span in found] == spans_of(prediction, decoding)
    assert found and all(0.5 < span.confidence <= 1.0001 for span in found)
    assert tag_text("", model, tokenizer=tokenizer, decoding=decoding) == ()
    with pytest.raises(InvalidInput):
        tag_text("\ud800", model, tokenizer=tokenizer, decoding=decoding)


def test_a_decoding_that_is_not_there_is_an_error(tagger: PreTrainedModel, tokenizer: BertJapaneseTokenizer) -> None:
    for decoding in ("crf", "beam"):
        with pytest.raises(ValueError, match=r"CRF|beam"):
            tag_text("田中", tagger, tokenizer=tokenizer, decoding=decoding)


def test_a_fast_tokenizer_works_too(tmp_path: Path) -> None:
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"田中さんは東京へ行った。"]
    fast = BertTokenizer({piece: number for number, piece in enumerate(pieces)}, tokenize_chinese_chars=True)
    BertForMaskedLM(shape(len(pieces))).save_pretrained(tmp_path)
    model = TAGGING.load(str(tmp_path), Setup(LABELS))
    example = SENTENCES[0]
    (feature,) = TAGGING.prepare([example], fast, Setup(LABELS))
    assert feature["labels"][1:3] == [1, 2]
    assert TAGGING.predict(model, fast, [example], Setup(LABELS))[0].gold == [[0, 2, "人名"], [5, 7, "地名"]]


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")  # peft asks for it
def test_an_adapter_learns_the_transitions_too(folder: Path, tokenizer: BertJapaneseTokenizer) -> None:
    from peft import LoraConfig, get_peft_model

    setup = Setup(LABELS)
    model: Any = get_peft_model(CRF.load(str(folder), setup), LoraConfig(modules_to_save=["classifier", "crf"]))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "crf.modules_to_save" in name and name.endswith("end"):
                parameter += torch.tensor([0.0, 0, 0, 1e3, 0])  # the last label has to be B-地名 now
    model(**CRF.collator(tokenizer, setup)(list(CRF.prepare(SENTENCES[:4], tokenizer, setup)))).loss.backward()
    trained = [name for name, parameter in model.named_parameters() if parameter.grad is not None]
    assert any("crf.modules_to_save.default.matrix" in name for name in trained)
    predictions = CRF.predict(model, tokenizer, SENTENCES, setup)
    ends = [len(sentence.text) for sentence in SENTENCES]
    assert [prediction.predicted[-1][1:] for prediction in predictions] == [[end, "地名"] for end in ends]


def test_nothing_to_predict(tagger: PreTrainedModel, tokenizer: BertJapaneseTokenizer) -> None:
    assert TAGGING.predict(tagger, tokenizer, [], Setup(LABELS)) == []
    assert TAGGING.score([])["f1"] == 0
    (prediction,) = TAGGING.predict(tagger, tokenizer, [TaggedText("\n", ())], Setup(LABELS))
    assert prediction.predicted == [] and math.isnan(prediction.loss)


def test_the_configuration_names_the_labels(tagger: PreTrainedModel, tmp_path: Path) -> None:
    tagger.save_pretrained(tmp_path)
    assert read_config(str(tmp_path)).label2id == {label: index for index, label in enumerate(LABELS)}
