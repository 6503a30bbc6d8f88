"""Scores of words against what they are defined by: the model asked again, and the sum that gradients promise."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import pytest
import torch

from core.data.examples import LabelledPair, LabelledText
from core.errors import InvalidInput
from core.tasks import attribution
from core.tasks.attribution import METHODS, attribute_words
from core.tasks.loaded import load_task_model, predict
from core.text.segmentation import segment

TEXT = "苦情が増えた。"
PAIR = ("朝からの雨は、昼過ぎに上がった。", "雨はやんでいない。")


def ask(source: str, *texts: str) -> dict[str, float]:
    model = load_task_model(source)
    label = model.setup.labels[0]
    example = LabelledText(texts[0], label) if len(texts) == 1 else LabelledPair(texts[0], texts[1], label)
    (found,) = predict(model, [example])
    return dict(found.scores)


@pytest.mark.parametrize(("source", "texts"), [("sentiment", (TEXT,)), ("inference", PAIR)])
@pytest.mark.parametrize("method", METHODS)
def test_the_words_are_mecabs_and_the_probability_the_models(
    source: str, texts: Sequence[str], method: attribution.Method
) -> None:
    model = load_task_model(source)
    for label in model.setup.labels:
        found = attribute_words(texts, model, label=label, method=method)
        assert found.probability == pytest.approx(ask(source, *texts)[label], abs=1e-5)
        expected = [(part, word.surface) for part, text in enumerate(texts) for word in segment(text)]
        assert [(one.part, one.word) for one in found.words] == expected
        assert all(texts[one.part][one.start : one.end] == one.word for one in found.words)


def test_leaving_out_a_word_is_asking_without_it() -> None:
    """At the borders of words the tokens of the rest are those of the text without the word."""
    found = attribute_words((TEXT,), load_task_model("sentiment"), label="negative")
    whole = ask("sentiment", TEXT)["negative"]
    for one in found.words:
        rest = TEXT[: one.start] + TEXT[one.end :]
        if [word.surface for word in segment(rest)] == [w.word for w in found.words if w is not one]:
            assert one.score == pytest.approx(whole - ask("sentiment", rest)["negative"], abs=1e-4)


def test_what_speaks_for_one_of_two_labels_speaks_against_the_other() -> None:
    model = load_task_model("sentiment")
    for method in METHODS[:1]:
        one, other = (attribute_words((TEXT,), model, label=label, method=method) for label in model.setup.labels)
        assert [w.score for w in one.words] == pytest.approx([-w.score for w in other.words], abs=1e-6)


@pytest.mark.parametrize(("source", "texts"), [("sentiment", (TEXT,)), ("inference", PAIR)])
def test_gradients_add_up_to_the_rise_and_more_steps_do_so_better(source: str, texts: Sequence[str]) -> None:
    model = load_task_model(source)
    label = model.setup.labels[1]
    rough, fine = (
        attribute_words(texts, model, label=label, method="integrated-gradients", steps=steps) for steps in (2, 64)
    )
    assert sum(word.score for word in fine.words) == pytest.approx(fine.rise, abs=0.02)
    assert fine.error < max(rough.error, 1e-3)
    assert rough.rise == pytest.approx(fine.rise)
    assert all(parameter.grad is None for parameter in model.model.parameters())
    assert torch.is_grad_enabled()


def test_odd_characters_keep_their_places() -> None:
    text = "ﾊﾟﾝ屋の😀㍿は、Ｇｏｏｄ！"
    found = attribute_words((text,), load_task_model("sentiment"), label="positive")
    assert all(text[one.start : one.end] == one.word for one in found.words)
    assert {one.word for one in found.words} >= {"屋", "は"}


def test_what_cannot_be_read_whole_is_refused() -> None:
    model = load_task_model("sentiment")
    with pytest.raises(InvalidInput) as told:
        attribute_words(("花鳥風月、" * 60,), model, label="positive")
    assert told.value.key == "error.analysis.long_text"
    assert told.value.params["limit"] == 128
    with pytest.raises(InvalidInput) as told:
        attribute_words((TEXT,), model, label="so-so")
    assert told.value.key == "error.analysis.unknown_label"
    roomy = dataclasses.replace(model, setup=dataclasses.replace(model.setup, max_length=512))
    with pytest.raises(InvalidInput) as told:
        attribute_words(("は" * 130 + "。" * 130,), roomy, label="positive")
    assert told.value.key == "error.analysis.many_words"
    assert math.isnan(attribute_words((TEXT,), model, label="positive").rise)
