"""What is hidden, and how: worked by hand, and in shares over many draws."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from core.generation.batches import IGNORED
from core.generation.noise import (
    Piece,
    corrupt_spans,
    count_noise,
    cut_pieces,
    draw_spans,
    keyed_generator,
    longest_corruptible,
    mask_tokens,
)

MASK = 4
ORDINARY = np.arange(5, 1_005)


def piece(*words: int) -> Piece:
    """Token 100 + its place, of these words."""
    return Piece(np.arange(100, 100 + len(words)), np.array(words))


def test_masking_is_80_10_10_of_15_percent() -> None:
    generator = np.random.default_rng(0)
    text = piece(-1, *range(200), -1)
    shares = np.zeros(4)
    for _ in range(300):
        feature = mask_tokens(text, generator, probability=0.15, mask=MASK, vocabulary=ORDINARY)
        inputs, labels = feature["input_ids"], feature["labels"]
        chosen = labels != IGNORED
        assert (labels[chosen] == text.ids[chosen]).all()
        assert (inputs[~chosen] == text.ids[~chosen]).all()
        assert not chosen[[0, -1]].any()
        masked, same = inputs == MASK, inputs == text.ids
        shares += [chosen.sum(), (chosen & masked).sum(), (chosen & same).sum(), (chosen & ~masked & ~same).sum()]
    assert shares[0] == 300 * 30  # exactly 15 % of 200, every time
    assert shares[1:] / shares[0] == pytest.approx([0.8, 0.1, 0.1], abs=0.015)


def test_a_word_is_hidden_whole_or_not_at_all() -> None:
    generator = np.random.default_rng(0)
    text = piece(-1, 0, 0, 0, 1, 2, 2, 3, 4, 5, -1)
    seen = set()
    for _ in range(100):
        labels = mask_tokens(text, generator, probability=0.3, mask=MASK, vocabulary=ORDINARY)["labels"]
        hidden = labels != IGNORED
        for word in range(6):
            assert len(set(hidden[text.words == word])) == 1
        assert hidden.sum() == 3  # a third of nine tokens: a word of three, two and one, or three single ones
        seen.add(tuple(text.words[hidden]))
    assert {(0, 0, 0), (1, 2, 2), (1, 3, 4)} <= seen


def test_every_text_has_something_to_predict() -> None:
    for text in (piece(-1, 0, -1), piece(-1, 0, 0, 0, 0, -1)):
        labels = mask_tokens(text, np.random.default_rng(1), probability=0.15, mask=MASK, vocabulary=ORDINARY)["labels"]
        assert (labels != IGNORED).sum() == (text.words >= 0).sum()


def test_the_counts_of_raffel() -> None:
    # t5's random_spans_noise_mask: round(L · .15) tokens hidden, round(that / 3) spans
    assert count_noise(512, density=0.15, mean_length=3) == (77, 26)
    assert count_noise(568, density=0.15, mean_length=3) == (85, 28)
    assert count_noise(20, density=0.15, mean_length=3) == (3, 1)
    assert count_noise(2, density=0.15, mean_length=3) == (1, 1)
    assert count_noise(4, density=0.9, mean_length=1) == (3, 1)  # one token stays, so there is one span


def test_568_tokens_make_an_input_of_512() -> None:
    longest_for = functools.partial(longest_corruptible, sentinels=100, density=0.15, mean_length=3.0)
    # compute_input_and_target_lengths(512, .15, 3) of t5 gives (568, 114)
    assert longest_for(limit=512, target_limit=114) == 568
    text = piece(*range(568))
    feature = corrupt_spans(
        text, np.random.default_rng(0), density=0.15, mean_length=3, sentinels=range(900, 1_000), end=1
    )
    assert (len(feature["input_ids"]), len(feature["labels"])) == (512, 114)
    short = longest_for(limit=512, target_limit=20)
    assert sum(count_noise(short, density=0.15, mean_length=3)) + 1 <= 20
    longest = longest_for(limit=9_999, target_limit=9_999)
    assert count_noise(longest, density=0.15, mean_length=3)[1] == 100  # no more sentinels than there are


def test_spans_are_spliced_back_into_the_text() -> None:
    sentinels = (900, 901, 902)
    for seed in range(50):
        text = piece(*range(30))
        feature = corrupt_spans(
            text, np.random.default_rng(seed), density=0.3, mean_length=3, sentinels=sentinels, end=1
        )
        inputs, labels = feature["input_ids"], feature["labels"]
        assert [token for token in inputs if token in sentinels] == list(sentinels)  # in order, once each
        assert [token for token in labels if token in sentinels] == list(sentinels)
        assert labels[0] == 900
        assert inputs[-1] == labels[-1] == 1
        assert sum(token < 900 for token in labels[:-1]) == 9  # thirty per cent of thirty
        spans: dict[int, list[int]] = {}
        for token in labels[:-1]:
            if token in sentinels:
                last = spans.setdefault(token, [])
            else:
                last.append(token)
        rebuilt = [part for token in inputs[:-1] for part in spans.get(token, [token])]
        assert rebuilt == text.ids.tolist()


def test_span_lengths_are_random_and_full() -> None:
    generator = np.random.default_rng(0)
    seen = set()
    for _ in range(200):
        kept, hidden = draw_spans(12, generator, density=0.25, mean_length=1.5)
        assert (sum(kept), sum(hidden), len(kept), len(hidden)) == (9, 3, 2, 2)
        assert min(kept + hidden) >= 1
        seen.add((tuple(kept), tuple(hidden)))
    assert len(seen) == 8 * 2  # every way to cut nine into two and three into two


def test_pieces_end_between_words() -> None:
    ids, words = np.arange(8), np.array([0, 0, 1, 1, 1, 2, -1, 3])
    pieces = list(cut_pieces(ids, words, length=4))
    assert [p.ids.tolist() for p in pieces] == [[0, 1], [2, 3, 4, 5], [6, 7]]
    assert [p.words.tolist() for p in pieces] == [[0, 0], [0, 0, 0, 1], [-1, 0]]
    whole = list(cut_pieces(np.arange(5), np.zeros(5, dtype=np.int64), length=2))  # a word longer than a piece
    assert [p.ids.tolist() for p in whole] == [[0, 1], [2, 3], [4]]


def test_evaluation_hides_the_same_tokens_of_a_text_every_time() -> None:
    draws = [keyed_generator(np.array(ids)).random() for ids in ([1, 2], [1, 2], [2, 1])]
    assert draws[0] == draws[1] != draws[2]
