"""Leaks: found when they are there, near ones too, and compared with trying every pair."""

from __future__ import annotations

import random

from core.data.examples import LabelledPair, LabelledText, ScoredPair
from core.data.leaks import find_leaks, find_repeats
from core.data.splits import Splits, normalize_content

SENTENCE = "駅前に新しくできた喫茶店は、朝早くから開いていて珈琲がおいしい。"


def text(content: str) -> LabelledText:
    return LabelledText(content, "x")


def test_the_same_text_in_two_parts() -> None:
    splits = Splits(
        (text("別の文です。"), text(SENTENCE)), (text(f" {SENTENCE}　"),), (text("関係のない長い文章です。"),)
    )
    (leak,) = find_leaks(splits)
    assert (leak.first_part, leak.first, leak.second_part, leak.second) == ("train", 1, "validation", 0)
    assert leak.exact
    assert find_leaks(Splits((text("ＡＢＣ１２３"),), (), (text("ABC123"),)))[0].second_part == "test"


def test_nearly_the_same_text() -> None:
    near = SENTENCE.replace("珈琲", "紅茶")
    (leak,) = find_leaks(Splits((text(SENTENCE),), (), (text(near),)), similarity=0.7)
    assert not leak.exact
    grams = [{s[i : i + 3] for i in range(len(s) - 2)} for s in (SENTENCE, near)]
    assert leak.similarity == len(grams[0] & grams[1]) / len(grams[0] | grams[1])
    assert find_leaks(Splits((text(SENTENCE),), (), (text(near),)), similarity=0.95) == ()
    assert find_leaks(Splits((text(SENTENCE),), (text("まったく関係のない、別の長い文章です。"),))) == ()


def test_a_pair_in_the_other_direction() -> None:
    one, other = "犬が公園を走っている。", "公園で犬が走る。"
    splits = Splits((ScoredPair(one, other, 4.0),), (ScoredPair(other, one, 4.0),), (ScoredPair(one, one, 5.0),))
    (leak,) = find_leaks(splits)
    assert (leak.exact, leak.second_part) == (True, "validation")
    shared = Splits((LabelledPair(one, other, "a"),), (LabelledPair(one, "まったく別の長い文章が続きます。", "b"),))
    assert find_leaks(shared) == ()  # a premise may stand in both


def test_no_near_leak_is_missed() -> None:
    generator = random.Random(0)
    base = ["".join(generator.choices("あいうえおかきくけこ", k=generator.randint(1, 40))) for _ in range(60)]

    def change(sentence: str) -> str:
        places = generator.sample(range(len(sentence)), min(len(sentence), generator.randint(0, 2)))
        return "".join("ん" if place in places else letter for place, letter in enumerate(sentence))

    train, test = [*base[:40], *map(change, base[40:])], [change(sentence) for sentence in base]
    found = {(leak.second, round(leak.similarity, 6)) for leak in find_leaks(
        Splits(tuple(map(text, train)), (), tuple(map(text, test))), similarity=0.6)}  # fmt: skip

    def grams(sentence: str) -> set[str]:
        return {sentence[i : i + 3] for i in range(len(sentence) - 2)} or {sentence}

    expected = set()
    for index, sentence in enumerate(test):
        best = max(
            1.0 if other == sentence else min(len(grams(sentence) & grams(other)) / len(grams(sentence) | grams(other)),
                                              1 - 1e-9)
            for other in map(normalize_content, train)
        )  # fmt: skip
        if best >= 0.6:
            expected.add((index, round(best, 6)))
    assert found == expected
    assert len(expected) > 20


def test_a_text_inside_a_longer_one_is_found_at_the_very_threshold() -> None:
    """What the longer text has for itself is rarer than what both share: of the n-grams looked at, one is shared."""
    longer = SENTENCE + "帰りに本屋へも寄った。"
    similarity = (len(SENTENCE) - 2) / (len(longer) - 2)
    for train, test in ((SENTENCE, longer), (longer, SENTENCE)):
        splits = Splits((text(train),), (), (text(test),))
        (leak,) = find_leaks(splits, similarity=similarity)
        assert leak.similarity == similarity
        assert find_leaks(splits, similarity=similarity + 0.01) == ()


def test_empty_parts_do_not_leak() -> None:
    assert find_leaks(Splits(())) == ()
    assert find_leaks(Splits((text(SENTENCE),))) == ()


def test_the_exact_ones_alone_are_those_of_all() -> None:
    generator = random.Random(1)
    sentences = ["".join(generator.choices("あいう", k=generator.randint(1, 6))) for _ in range(90)]
    train, validation, test = (tuple(map(text, sentences[start : start + 30])) for start in (0, 30, 60))
    splits = Splits(train, validation, test)
    exact = tuple(leak for leak in find_leaks(splits, similarity=0.5) if leak.exact)
    assert find_repeats(splits) == exact
    assert len(exact) > 10
    assert find_repeats(Splits(())) == ()
