"""Reading: spans, windows, answers and their scores by hand; tokens that know their characters; learning to read."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.data.examples import Answer, ReadingQuestion
from core.errors import InvalidInput
from core.tasks.answers import answer_f1, exact_match, normalize_answer
from core.tasks.offsets import locate_tokens
from core.tasks.reading import TASKS, best_spans, build_windows, write_prompt
from core.tasks.task import Prediction, Setup
from core.tasks.tokenizing import load_task_tokenizer
from core.text.tokenization import tokenize
from core.text.tokenizers import load_tokenizer
from tests.training.tiny import GOOD, THINGS, VOCABULARY, tiny_encoder

EXTRACTIVE, GENERATIVE = TASKS
CONTEXT = "今日は映画を見に行った。映画は面白い。昨日は店で本を読んだ。本は楽しい。"
STRANGE = ("ｱｲｳ①㍿が か゛[MASK]です  ①②３ＡＢＣ", "", " \n", "猫\u3099は e\u0301 ㄱㅏ 𠮷野家", "犬[SEP]猫 \0 魚")


def question(context: str, answer: str, *, text: str = "何ですか。") -> ReadingQuestion:
    return ReadingQuestion(text, context, (Answer(answer, context.find(answer)),))


EXAMPLES = tuple(
    question(f"{one}は{word}です。{other}は{worse}です。", word, text=f"{one}は？")
    for one, other in zip(THINGS, THINGS[1:] + THINGS[:1], strict=True)
    for word, worse in zip(GOOD, GOOD[1:] + GOOD[:1], strict=True)
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("reading"), dropout=0.0)


@pytest.fixture(scope="module")
def seq2seq(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny T5 with a Unigram tokenizer of single characters."""
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import Unigram
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

    place = tmp_path_factory.mktemp("t5")
    characters = sorted({c for e in EXAMPLES for c in write_prompt(e)} | set(CONTEXT))
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -10.0), *((c, -1.0) for c in characters)]
    backend = Tokenizer(Unigram(pieces, unk_id=2))
    backend.post_processor = TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=128
    ).save_pretrained(place)
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=len(pieces), d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, dropout_rate=0.0,
        pad_token_id=0, eos_token_id=1,
    )  # fmt: skip
    config.update({"decoder_start_token_id": 0})
    T5ForConditionalGeneration(config).save_pretrained(place)
    return place


# --- Answers


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("「富士山」。", "富士山"),
        ("１９４５ 年", "1945年"),
        ("コーヒー・ＡＢＣ", "コーヒーabc"),
        ("時々", "時々"),
        ("……", "......"),  # nothing else is left of it
        ("", ""),
    ],
)
def test_answers_are_normalised(text: str, normal: str) -> None:
    assert normalize_answer(text) == normal


def test_exact_match_and_f1_by_hand() -> None:
    assert exact_match("富士山。", ["ふじさん", "「富士山」"]) == 1
    assert exact_match("富士", ["富士山"]) == 0
    assert answer_f1("富士", ["富士山"]) == pytest.approx(2 * 2 / 5)  # precision 1, recall 2/3
    assert answer_f1("山山", ["山"]) == pytest.approx(2 * 1 / 3)  # a character counts as often as it stands in both
    assert answer_f1("富士", ["川", "富士"]) == 1
    assert answer_f1("川", ["富士山"]) == 0
    assert answer_f1("", ["富士山"]) == 0


def test_scores_are_means_over_questions() -> None:
    predictions = [
        Prediction(0, "富士山", "富士山", 0.0, details={"answers": ["富士山"]}),
        Prediction(1, "信濃川", "信濃", 0.0, details={"answers": ["千曲川", "信濃川"]}),
    ]
    for task in TASKS:
        assert task.score(predictions) == pytest.approx({"exact_match": 0.5, "f1": (1 + 0.8) / 2})
        assert task.score([]) == {}


# --- Tokens and windows


@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("kind", ["wordpiece", "character"])
def test_tokens_know_their_characters(folder: Path, tmp_path: Path, kind: str, lower: bool) -> None:
    from transformers import BertJapaneseTokenizer

    tokenizer = BertJapaneseTokenizer(
        str(folder / "vocab.txt"), word_tokenizer_type="mecab", subword_tokenizer_type=kind, do_lower_case=lower
    )
    tokenizer.save_pretrained(tmp_path)
    slow = load_tokenizer(str(tmp_path))
    texts = (CONTEXT, "İstanbul ＡBc 猫", *STRANGE)
    for text, located in zip(texts, locate_tokens(tokenizer, texts), strict=True):
        assert list(located.ids) == tokenizer(text, add_special_tokens=False)["input_ids"]
        assert located.spans == tuple((t.start, t.end) for t in tokenize(text, slow).content()), text


def test_short_contexts_are_one_window_and_the_pair_itself(folder: Path) -> None:
    tokenizer = load_task_tokenizer(str(folder))
    (window,) = build_windows(tokenizer, [question(CONTEXT, "面白い")], max_length=64, stride=16)
    pair = tokenizer("何ですか。", CONTEXT)
    assert window.features == {name: pair[name] for name in ("input_ids", "attention_mask", "token_type_ids")}
    first, last = window.labels(Answer("面白い", CONTEXT.find("面白い")))
    ids = pair["input_ids"][first : last + 1]
    assert tokenizer.convert_ids_to_tokens(ids) == ["面白い"]


@pytest.mark.parametrize(("max_length", "stride"), [(24, 4), (20, 0), (16, 100), (12, 3), (8, 1)])
def test_windows_cover_everything_and_overlap(folder: Path, max_length: int, stride: int) -> None:
    tokenizer = load_task_tokenizer(str(folder))
    windows = build_windows(tokenizer, [question(CONTEXT, "面白い")], max_length=max_length, stride=stride)
    tokens = locate_tokens(tokenizer, [CONTEXT])[0]
    seen = 0
    for window in windows:
        assert len(window.features["input_ids"]) <= max_length
        assert window.first <= seen
        if window.first and stride < len(windows[0].spans):
            assert seen - window.first == stride
        part = slice(window.first, window.first + len(window.spans))
        assert window.spans == tokens.spans[part]
        inside = window.features["input_ids"][window.place : window.place + len(window.spans)]
        assert inside == list(tokens.ids[part])
        seen = part.stop
    assert seen == len(tokens.ids)


def test_an_answer_outside_a_window_is_its_first_token(folder: Path) -> None:
    tokenizer = load_task_tokenizer(str(folder))
    example = question(CONTEXT, "楽しい")
    windows = build_windows(tokenizer, [example], max_length=20, stride=0)
    labels = [window.labels(example.answers[0]) for window in windows]
    assert labels[0] == (0, 0)
    assert labels[-1] != (0, 0)
    features = EXTRACTIVE.prepare([example], tokenizer, Setup(max_length=20, options={"stride": 0}))
    assert [(f["start_positions"], f["end_positions"]) for f in features] == labels


def test_an_answer_that_a_window_cuts_is_not_learned_from_it(folder: Path) -> None:
    tokenizer = load_task_tokenizer(str(folder))
    example = question(CONTEXT, "昨日は店で本を読んだ。")
    kinds = set()
    for max_length in range(16, 40):
        for window in build_windows(tokenizer, [example], max_length=max_length, stride=2):
            first, last = window.labels(example.answers[0])
            kinds.add((first, last) != (0, 0))
            if (first, last) != (0, 0):
                start, end = window.spans[first - window.place][0], window.spans[last - window.place][1]
                assert CONTEXT[start:end] == example.answers[0].text
    assert kinds == {True, False}


def test_answers_that_stand_nowhere_are_not_learned(folder: Path) -> None:
    tokenizer = load_task_tokenizer(str(folder))
    lost = ReadingQuestion("何？", CONTEXT, (Answer("海"),))
    assert len(EXTRACTIVE.prepare([lost, EXAMPLES[0]], tokenizer, Setup(max_length=64))) == 1
    with pytest.raises(InvalidInput, match="no_spans"):
        EXTRACTIVE.prepare([lost], tokenizer, Setup(max_length=64))
    model = EXTRACTIVE.load(str(folder), Setup())
    assert math.isnan(EXTRACTIVE.predict(model, tokenizer, [lost], Setup(max_length=64))[0].loss)


# --- Spans


@pytest.mark.parametrize("longest", [1, 3, 30])
def test_the_best_spans_are_those_of_brute_force(longest: int) -> None:
    import torch

    draw = torch.Generator().manual_seed(0)
    starts, ends = torch.randn(9, generator=draw), torch.randn(9, generator=draw)
    valid = [
        (float(starts[first] + ends[last]), first, last)
        for first in range(9)
        for last in range(first, min(first + longest, 9))
    ]
    found = best_spans(starts, ends, longest=longest)
    assert [span[1:] for span in found] == [span[1:] for span in sorted(valid, reverse=True)[:5]]
    assert best_spans(starts[:0], ends[:0], longest=3) == []
    assert len(best_spans(starts[:1], ends[:1], longest=3)) == 1


def test_predictions_choose_over_all_windows(folder: Path) -> None:
    import torch

    tokenizer = load_task_tokenizer(str(folder))
    setup = Setup(max_length=20, options={"stride": 4, "answer_length": 3})
    model: Any = EXTRACTIVE.load(str(folder), setup).eval()
    examples = [question(CONTEXT, "楽しい"), EXAMPLES[0]]
    predictions = EXTRACTIVE.predict(model, tokenizer, examples, setup, batch_size=2)
    windows = build_windows(tokenizer, examples, max_length=20, stride=4)
    best: list[tuple[float, str]] = [(-math.inf, "")] * 2
    losses: list[list[float]] = [[], []]
    for window in windows:
        example = examples[window.example]
        labels = dict(zip(("start_positions", "end_positions"), window.labels(example.answers[0]), strict=True))
        batch = {name: torch.tensor([row]) for name, row in {**window.features, **labels}.items()}
        with torch.no_grad():
            output = model(**batch)  # alone, without padding
        losses[window.example].append(output.loss.item())
        starts, ends = (x[0].log_softmax(-1).numpy() for x in (output.start_logits, output.end_logits))
        for first, (begin, _) in enumerate(window.spans):
            for last in range(first, min(first + 3, len(window.spans))):
                score = float(starts[window.place + first] + ends[window.place + last])
                best[window.example] = max(
                    best[window.example], (score, example.context[begin : window.spans[last][1]])
                )
    for prediction, (score, text), parts, example in zip(predictions, best, losses, examples, strict=True):
        assert prediction.predicted == text
        assert prediction.details["candidates"][0]["probability"] == pytest.approx(math.exp(score), rel=1e-3)
        assert example.context[prediction.details["start"] : prediction.details["end"]] == text
        assert prediction.loss == pytest.approx(np.mean(parts), abs=1e-4)


def train(task: Any, folder: Path, place: Path, setup: Setup, *, steps: int, rate: float) -> dict[str, float]:
    from transformers import Trainer, TrainingArguments, set_seed

    set_seed(0)
    tokenizer = load_task_tokenizer(str(folder))
    model = task.load(str(folder), setup)
    arguments = TrainingArguments(
        output_dir=str(place), max_steps=steps, per_device_train_batch_size=20, learning_rate=rate, report_to=[],
        disable_tqdm=True, save_strategy="no", remove_unused_columns=False, use_cpu=True, dataloader_pin_memory=False,
    )  # fmt: skip
    Trainer(
        model=model,
        args=arguments,
        train_dataset=list(task.prepare(EXAMPLES, tokenizer, setup)),
        data_collator=task.collator(tokenizer, setup),
    ).train()
    predictions = task.predict(model, tokenizer, EXAMPLES, setup)
    return {"loss": float(np.mean([p.loss for p in predictions])), **task.score(predictions)}


def test_it_learns_to_point(folder: Path, tmp_path: Path) -> None:
    scores = train(EXTRACTIVE, folder, tmp_path, Setup(max_length=32), steps=60, rate=5e-3)
    assert scores["exact_match"] > 0.4  # each context holds two answers of the same kind
    assert scores["loss"] < 1.0


def test_it_learns_to_write(seq2seq: Path, tmp_path: Path) -> None:
    setup = Setup(max_length=64, max_target_length=8)
    scores = train(GENERATIVE, seq2seq, tmp_path, setup, steps=80, rate=1e-2)
    assert scores["loss"] < 0.5
    assert scores["f1"] > 0.6


def test_the_generative_reader_reads_question_and_context(seq2seq: Path) -> None:
    import torch

    tokenizer = load_task_tokenizer(str(seq2seq))
    setup = Setup(max_length=64, max_target_length=8)
    examples = [EXAMPLES[0], question(CONTEXT, "面白い")]
    assert write_prompt(EXAMPLES[0]) == f"質問: 映画は？ 文脈: {EXAMPLES[0].context}"
    features = list(GENERATIVE.prepare(examples, tokenizer, setup))
    assert all(feature["input_ids"][-1] == 1 and feature["labels"][-1] == 1 for feature in features)
    model: Any = GENERATIVE.load(str(seq2seq), setup).eval()
    predictions = GENERATIVE.predict(model, tokenizer, examples, setup)
    for prediction, feature in zip(predictions, features, strict=True):
        batch = GENERATIVE.collator(tokenizer, setup)([feature])
        with torch.no_grad():
            assert prediction.loss == pytest.approx(model(**batch).loss.item(), abs=1e-4)
        written = model.generate(batch["input_ids"], do_sample=False, max_new_tokens=8)
        assert [prediction.predicted] == [
            text.strip() for text in tokenizer.batch_decode(written, skip_special_tokens=True)
        ]


# --- Rows


def test_rows_come_in_many_forms() -> None:
    expected = ReadingQuestion("何？", "猫は魚を食べた。", (Answer("魚", 2), Answer("海", -1)))
    forms: tuple[Any, ...] = (
        [{"text": "魚", "answer_start": 2, "answer_type": "Object"}, {"text": "海", "answer_start": 7}],
        {"text": ["魚", "海"], "answer_start": [2, 7]},
        {"text": ["魚", "海"]},
        '[{"text": "魚", "answer_start": 0}, "海"]',  # the place is wrong and mended
        ["魚", "海"],
    )
    for answers in forms:
        for task in TASKS:
            found = task.read({"question": "何？", "context": "猫は魚を食べた。", "answers": answers})
            assert found == expected
            assert task.read(task.write(found)) == found
    broken: tuple[tuple[Any, str], ...] = (([], "no_answer"), ([3.5, []], "search.answer"), (None, "empty_cell"))
    for answers, key in broken:
        with pytest.raises(InvalidInput, match=key):
            EXTRACTIVE.read({"question": "何？", "context": "猫", "answers": answers})


def test_the_vocabulary_of_the_tests_knows_their_answers() -> None:
    assert set(GOOD) | set(THINGS) <= set(VOCABULARY)
