"""Copies that are put in on purpose, and the model that only remembers."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from core.data.copies import plant_copies
from core.data.examples import ChoiceQuestion, EntitySpan, LabelledText, TaggedText
from core.data.leaks import find_leaks
from core.data.memorizing import score_memorizer
from core.data.splits import Splits, normalize_content


def labelled(*texts: str, label: str = "a") -> list[LabelledText]:
    return [LabelledText(text, label) for text in texts]


def test_every_other_copy_is_word_for_word() -> None:
    examples = labelled(*(f"{n}番目の店のカレーは、辛いけれどおいしかった。" for n in range(40)))
    planted, originals = plant_copies(examples, share=0.25, seed=5)
    copies = planted[40:]
    assert list(planted[:40]) == examples
    assert len(copies) == len(originals) == len(set(originals)) == 10
    same = [normalize_content(copy.text) == examples[index].text for copy, index in zip(copies, originals, strict=True)]
    assert same == [True, False] * 5
    found = find_leaks(Splits(tuple(examples), tuple(copies)), similarity=0.8)
    assert sorted(leak.second for leak in found) == list(range(10))
    assert sum(leak.exact for leak in found) == 5
    assert plant_copies(examples, share=0.25, seed=5) == (planted, originals)
    assert plant_copies(examples, share=0.25, seed=6)[1] != originals
    assert plant_copies(examples, share=0.0, seed=5) == (tuple(examples), ())
    assert plant_copies([], share=0.5, seed=5) == ((), ())


@pytest.mark.parametrize(
    "example",
    [
        TaggedText("町に大学ができた！", (EntitySpan(2, 4, "施設名"),)),
        ChoiceQuestion("雨の日に差すものは？", ("傘", "石"), 0),
        LabelledText("最高！", "a"),
        LabelledText("。", "a"),
    ],
)
def test_a_changed_copy_differs_in_its_last_mark_alone(example: object) -> None:
    planted, _ = plant_copies([example, example], share=1.0, seed=0)
    copy = planted[3]
    assert copy != example
    names = [name for name in copy.__slots__ if getattr(copy, name) != getattr(example, name)]
    (name,) = names
    assert getattr(copy, name).rstrip("。！") == getattr(example, name).rstrip("。！？")


def recite(train: Sequence[LabelledText], text: str) -> str:
    """The rule again, by trying every text: most shared trigrams, weighed by how rare they are."""
    from math import log

    def grams(one: str) -> list[str]:
        return [one[place : place + 3] for place in range(len(one) - 2)]

    rarity = {
        gram: log((1 + len(train)) / (1 + sum(gram in grams(one.text) for one in train))) + 1
        for one in train
        for gram in grams(one.text)
    }

    def likeness(one: LabelledText) -> float:
        ours, theirs = grams(text), grams(one.text)
        product = sum(ours.count(gram) * theirs.count(gram) * rarity[gram] ** 2 for gram in set(ours) & set(theirs))
        length = sum((theirs.count(gram) * rarity[gram]) ** 2 for gram in set(theirs)) ** 0.5
        return product / length

    return max(train, key=likeness).label


def test_it_gives_the_label_of_the_most_similar_text() -> None:
    train = [
        *labelled("店のカレーがとてもおいしい。", "店員さんが親切だった。", label="good"),
        *labelled("店のカレーは辛すぎて残した。", "待たされて疲れた。", label="bad"),
    ]
    held_out = [
        *labelled("カレーがとてもおいしい店。", "カレーは辛すぎて残した。", label="good"),
        *labelled("待たされて疲れた。", label="bad"),
    ]
    found = score_memorizer(train, held_out, repeats={2})
    expected = [recite(train, one.text) == one.label for one in held_out]
    assert expected == [True, False, True]
    assert found.train == 1.0
    assert found.held_out == pytest.approx(2 / 3)
    assert (found.repeats, found.repeated, found.fresh) == (1, 1.0, 0.5)
    alone = score_memorizer(train, held_out[2:], repeats={0})
    assert (alone.repeated, alone.fresh) == (1.0, None)
    assert score_memorizer(train, held_out).repeated is None


def test_texts_too_short_for_trigrams_are_compared_by_character() -> None:
    found = score_memorizer([LabelledText("猫", "a"), LabelledText("犬", "b")], [LabelledText("犬", "b")])
    assert (found.train, found.held_out) == (1.0, 1.0)
