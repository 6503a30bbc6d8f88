"""What is drawn, and what counts as the same."""

from __future__ import annotations

from collections import Counter

import pytest

from core.data.examples import (
    Answer,
    Article,
    ChoiceQuestion,
    LabelledPair,
    LabelledText,
    Passage,
    PlainText,
    ReadingQuestion,
    RetrievalQuestion,
    Triple,
)
from core.data.splits import choose_validation, draw_examples, draw_validation, group_by_subject, subject_of


def label_of(example: LabelledText) -> str:
    return example.label


@pytest.mark.parametrize("share", [0.05, 0.1, 0.25, 0.5])
def test_every_label_gives_its_share(share: float) -> None:
    examples = [LabelledText(f"文{n}", "a" if n < 60 else "b" if n < 90 else "c") for n in range(100)]
    train, validation = draw_validation(examples, share=share, seed=0, label_of=label_of)
    counts = Counter(map(label_of, validation))
    assert len(validation) == round(100 * share)
    assert all(abs(counts[label] - share * size) < 1 for label, size in (("a", 60), ("b", 30), ("c", 10)))
    assert sorted([*train, *validation], key=examples.index) == examples
    assert list(train) == sorted(train, key=examples.index)


def test_small_and_strange_sets() -> None:
    one, two = LabelledText("a", "x"), LabelledText("b", "y")
    assert draw_validation([], share=0.1, seed=0, label_of=label_of) == ((), ())
    assert draw_validation([one], share=0.5, seed=0, label_of=label_of) == ((one,), ())
    assert draw_validation([one, one, one], share=0.5, seed=0, label_of=label_of) == ((one,) * 3, ())
    assert draw_validation([one, two], share=0.0, seed=0, label_of=label_of) == ((one, two), ())
    train, validation = draw_validation([one, two], share=0.01, seed=0, label_of=label_of)
    assert (len(train), len(validation)) == (1, 1)
    train, validation = draw_validation([one] * 5 + [two] * 7, share=0.1, seed=0, label_of=label_of)
    assert set(validation) == {one}  # the smaller of two groups that cannot be cut
    train, validation = draw_validation([one, two], share=1.0, seed=0, label_of=label_of)
    assert len(train) == 1


def test_what_stands_twice_stays_on_one_side_unless_each_is_drawn_for_itself() -> None:
    examples = [LabelledText(f"文{n // 4}", "ab"[n % 2]) for n in range(80)]

    def both_sides(*, grouped: bool) -> set[str]:
        train, validation = draw_validation(examples, share=0.25, seed=3, label_of=label_of, grouped=grouped)
        assert len(validation) == 20
        return {example.text for example in train} & {example.text for example in validation}

    assert not both_sides(grouped=True)
    assert both_sides(grouped=False)
    chosen = choose_validation(examples, share=0.25, seed=3, label_of=label_of, grouped=False)
    assert [examples[index] for index in sorted(chosen)] == list(
        draw_validation(examples, share=0.25, seed=3, label_of=label_of, grouped=False)[1]
    )


def test_pairs_that_share_a_sentence_stay_on_one_side() -> None:
    pairs = [LabelledPair(f"前提{n // 3}", f"仮説{n}", "abc"[n % 3]) for n in range(60)]
    pairs += [
        LabelledPair("仮説0", "別の文", "a"),
        LabelledPair("別の文", "前提1", "b"),
    ]  # binds the first two premises
    train, validation = draw_validation(pairs, share=0.2, seed=1, label_of=lambda pair: pair.label)
    assert 9 <= len(validation) <= 12
    assert not {text for pair in train for text in (pair.first, pair.second)} & {
        text for pair in validation for text in (pair.first, pair.second)
    }
    assert [0, 1, 2, 3, 4, 5, 60, 61] in group_by_subject(pairs)
    one = [LabelledPair("いつも同じ", f"仮説{n // 2}", "ab"[n % 2]) for n in range(40)]
    train, validation = draw_validation(one, share=0.2, seed=1, label_of=lambda pair: pair.label)
    assert len(validation) == 8, "where all hang together, only the same pair counts"
    assert not {pair.second for pair in train} & {pair.second for pair in validation}


def test_what_is_about_the_same() -> None:
    assert subject_of(LabelledText("ＡＢ Ｃ", "x")) == subject_of(PlainText("ABC"))
    assert subject_of(LabelledPair("犬", "猫", "a")) == subject_of(LabelledPair("猫", "犬", "b"))
    assert subject_of(ChoiceQuestion("何?", ("a", "b"), 0)) == subject_of(ChoiceQuestion("何?", ("c", "d"), 1))
    reading = ReadingQuestion("どこ?", "奈良の都", (Answer("奈良", 0),))
    retrieval = RetrievalQuestion("いつ?", Passage("都", "奈良の都"))
    assert subject_of(reading) == subject_of(retrieval) == "奈良の都"
    assert subject_of(Article("本文", "見出し")) == "本文"
    assert subject_of(Triple("文", "同じ", "違う")) == "文"
    assert subject_of(3) == subject_of(3) != subject_of(4)


def test_a_draw_keeps_the_order() -> None:
    examples = list(range(50))
    drawn = draw_examples(examples, limit=10, seed=1)
    assert list(drawn) == sorted(drawn)
    assert len(set(drawn)) == 10
    assert draw_examples(examples, limit=0, seed=1) == draw_examples(examples, limit=99, seed=1) == tuple(examples)
