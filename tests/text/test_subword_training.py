from __future__ import annotations

import itertools
import math
import random
import time
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.text.subword_training import (
    TOY_CORPUS,
    TrainingTrace,
    Words,
    _expect,
    _maximise,
    apply,
    count_words,
    parse_words,
    segmentation,
    train_bpe,
    train_unigram,
    train_wordpiece,
    vocabulary,
)

WORDS = st.dictionaries(
    st.text("あいうえおか", min_size=1, max_size=6), st.integers(1, 20), min_size=1, max_size=8
).map(lambda table: tuple(table.items()))
TRAINERS = (train_bpe, train_wordpiece, lambda words: train_unigram(words, size=1))


def pieces(trace: TrainingTrace, step: int, word: str) -> list[str]:
    return [piece.text for piece in apply(trace, step, word)]


def test_the_toy_corpus_gives_the_nine_merges_of_the_book() -> None:
    trace = train_bpe(TOY_CORPUS)
    assert trace.start == ("い", "う", "く", "さ", "し", "た", "つ", "の")
    assert [(*step.pair, step.count) for step in trace.steps if step.pair] == [
        ("し", "い", 10),
        ("た", "の", 8),
        ("たの", "しい", 6),
        ("う", "つ", 5),
        ("うつ", "く", 5),
        ("うつく", "しい", 4),
        ("し", "さ", 3),
        ("たの", "しさ", 2),
        ("うつく", "しさ", 1),
    ]
    assert trace.finished and len(train_bpe(TOY_CORPUS, merges=10).steps) == 9
    assert not train_bpe(TOY_CORPUS, merges=8).finished


def test_a_step_shows_its_table_and_what_it_changed() -> None:
    fourth = train_bpe(TOY_CORPUS).steps[3]
    assert [(row.pieces, row.count) for row in fourth.candidates][:3] == [
        (("う", "つ"), 5),
        (("つ", "く"), 5),
        (("く", "しい"), 4),
    ]
    assert fourth.changed == ((2, ("うつ", "く", "しい")), (3, ("うつ", "く", "し", "さ")))
    assert fourth.vocabulary_size == 12


def test_scrubbing_back_gives_the_state_of_that_step() -> None:
    trace = train_bpe(TOY_CORPUS)
    assert segmentation(trace, 0) == tuple(tuple(word) for word, _ in TOY_CORPUS)
    assert segmentation(trace, 2)[0] == ("たの", "しい")
    assert segmentation(trace, 99) == tuple((word,) for word, _ in TOY_CORPUS)
    assert vocabulary(trace, 2)[-2:] == ("しい", "たの")


def test_bpe_replays_its_merges_on_a_new_word() -> None:
    trace = train_bpe(TOY_CORPUS)
    assert pieces(trace, 0, "たのしくない") == list("たのしくない")
    found = apply(trace, 9, "たのしくない")
    assert [(piece.text, piece.known) for piece in found] == [
        ("たの", True), ("し", True), ("く", True), ("な", False), ("い", True),
    ]  # fmt: skip


def test_wordpiece_ranks_by_count_over_counts() -> None:
    first = train_wordpiece(TOY_CORPUS).steps[0]
    # う 5, ##つ 5, together 5: 5 / 25. BPE would have taken し+い, 10 / (13 x 10).
    assert (first.pair, first.piece, first.count, first.score) == (("う", "##つ"), "うつ", 5, 0.2)
    row = next(row for row in first.candidates if row.pieces == ("##し", "##い"))
    assert row.count == 10 and row.score == pytest.approx(10 / 130)


def test_wordpiece_matches_the_longest_piece_from_the_left() -> None:
    trace = train_wordpiece(TOY_CORPUS, merges=4)
    assert vocabulary(trace, 4)[-4:] == ("うつ", "うつく", "たの", "たのし")
    assert pieces(trace, 4, "たのしくしい") == ["たのし", "##く", "##し", "##い"]
    assert pieces(trace, 3, "たのしい") == ["たの", "##し", "##い"]
    assert [(p.text, p.known) for p in apply(trace, 4, "たぬき")] == [("[UNK]", False)]


def test_unigram_drops_what_is_missed_least_and_keeps_characters() -> None:
    trace = train_unigram(TOY_CORPUS, size=12)
    sizes = [len(trace.start), *(step.vocabulary_size for step in trace.steps)]
    assert sizes == sorted(sizes, reverse=True) and sizes[-1] == 12
    assert set("たのしいさうつく") <= set(vocabulary(trace, 99))
    for step in trace.steps:
        assert sum(math.exp(score) for _, score in step.scores) == pytest.approx(1.0)
        losses = [row.score for row in step.candidates]
        assert losses == sorted(losses)
        assert step.removed[: len(step.candidates)] == tuple(
            row.pieces[0] for row in step.candidates[: len(step.removed)]
        )
    assert pieces(trace, 99, "たのしさ") == list(segmentation(trace, 99)[1])


def test_unigram_expectation_counts_all_ways() -> None:
    # ab has two ways: a+b and ab. With p(a)=p(b)=1/2 x p(ab) all counts follow by hand.
    scores = {"a": math.log(0.25), "b": math.log(0.25), "ab": math.log(0.5)}
    expected, loss = _expect((("ab", 9),), scores)
    assert expected == pytest.approx({"a": 1.0, "b": 1.0, "ab": 8.0})
    assert loss == pytest.approx(-9 * math.log(0.25 * 0.25 + 0.5))


def test_expectation_and_maximisation_never_raise_the_loss() -> None:
    start = train_unigram(TOY_CORPUS, size=1_000).start
    scores = {piece: -math.log(len(start)) for piece in start}
    losses = []
    for _ in range(6):
        expected, loss = _expect(TOY_CORPUS, scores)
        scores = _maximise(expected, scores)
        losses.append(loss)
    assert all(after <= before + 1e-6 for before, after in pairwise(losses)) and losses[-1] < losses[0]


@settings(max_examples=200, deadline=None)
@given(WORDS)
def test_every_state_writes_every_word(words: Words) -> None:
    for train in TRAINERS:
        trace = train(words)
        for step in {0, 1, len(trace.steps) // 2, len(trace.steps)}:
            known = set(vocabulary(trace, step))
            for (word, _), cut in zip(words, segmentation(trace, step), strict=True):
                assert "".join(piece.removeprefix("##") for piece in cut) == word
                assert set(cut) <= known
                applied = apply(trace, step, word)
                assert "".join(piece.text.removeprefix("##") for piece in applied) == word
                assert all(piece.known for piece in applied)


@settings(max_examples=100, deadline=None)
@given(WORDS)
def test_bpe_always_takes_a_most_frequent_pair(words: Words) -> None:
    trace = train_bpe(words)
    for number, step in enumerate(trace.steps):
        counts: Counter[tuple[str, str]] = Counter()
        for cut, (_, count) in zip(segmentation(trace, number), words, strict=True):
            for pair in pairwise(cut):
                counts[pair] += count
        assert step.pair is not None and step.count == counts[step.pair] == max(counts.values())


def test_bpe_agrees_with_the_tokenizers_library_as_long_as_no_two_pairs_tie() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    generator = random.Random(1)
    words = {"".join(generator.choices("かきくけこ", (9, 7, 5, 3, 2), k=7)): 101 + 37 * n * n for n in range(40)}
    steps = train_bpe(tuple(words.items()), merges=40).steps
    clear = list(itertools.takewhile(lambda step: step.candidates[0].score > step.candidates[1].score, steps))
    assert len(clear) >= 10
    library = Tokenizer(models.BPE())
    library.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.BpeTrainer(vocab_size=5 + len(clear), show_progress=False)
    library.train_from_iterator([" ".join([word] * count) for word, count in words.items()], trainer)
    learned = sorted(library.get_vocab().items(), key=lambda item: item[1])
    assert [piece for piece, _ in learned][5:] == [step.piece for step in clear]


def test_words_are_counted_in_the_order_of_their_first_occurrence() -> None:
    assert count_words("猫と犬と猫", by="mecab") == (("猫", 2), ("と", 2), ("犬", 1))
    assert count_words("a b　a\nc", by="spaces") == (("a", 2), ("b", 1), ("c", 1))
    assert count_words("猫と犬\n\n猫と犬", by="lines") == (("猫と犬", 2),)


def test_a_table_of_words_is_read() -> None:
    assert parse_words("たのしい 6\nたのしさ, 2\n\nたのしい　1\nうつくしい") == (
        ("たのしい", 7), ("たのしさ", 2), ("うつくしい", 1),
    )  # fmt: skip


@pytest.mark.parametrize("table", ["たのしい 六", "たのしい -1", "たのしい 0", "a b c", "a 1000001", "a 1.5"])
def test_a_line_that_cannot_be_read_is_named(table: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_words("猫 1\n" + table)
    assert caught.value.key == "error.text.count" and caught.value.params["line"] == 2


def test_too_much_and_nothing_are_refused() -> None:
    for read in (count_words, parse_words):
        with pytest.raises(InvalidInput, match="too_long"):
            read("あ" * 5_001)
        with pytest.raises(InvalidInput, match="empty"):
            read(" \n")
    for train in (train_bpe, train_wordpiece, train_unigram):
        with pytest.raises(InvalidInput, match="empty"):
            train(())


@pytest.mark.parametrize("by", ["mecab", "lines"])
def test_five_thousand_characters_take_less_than_three_seconds(by: str) -> None:
    generator = random.Random(0)
    stock = [a + b for a in "山川海空森町村市駅橋" for b in ("は", "が", "を見た", "に行く", "で遊ぶ", "から来た")]
    text = "".join(generator.choice(stock) + ("。\n" if n % 8 == 7 else "") for n in range(2_000))[:5_000]
    words = count_words(text, by="mecab" if by == "mecab" else "lines")
    for train in (train_bpe, train_wordpiece, train_unigram):
        begun = time.process_time()
        train(words)
        assert time.process_time() - begun < 3.0
