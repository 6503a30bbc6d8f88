from __future__ import annotations

from collections.abc import Generator

import pytest

from core.errors import InvalidInput
from core.jobs import Progress
from core.text.statistics import TextStatistics, compare_languages, encode, load_parallel_sample, measure_text
from tests.text.tiny import SENTENCES, tiny


def drain(work: Generator[Progress, None, TextStatistics]) -> tuple[list[Progress], TextStatistics]:
    steps = []
    while True:
        try:
            steps.append(next(work))
        except StopIteration as stop:
            return steps, stop.value


def test_statistics_agree_with_counting_by_hand() -> None:
    tokenizers = [tiny("mecab"), tiny("byte-bpe")]
    steps, found = drain(measure_text("\n".join(["私は鰻を読んだ。", "", "私は鰻を読んだ。猫"]), tokenizers))
    assert steps == [Progress(8, 17), Progress(17, 17)]
    assert (found.characters, found.lines, found.words) == (17, 2, 15)
    mecab, letters = found.tokenizers
    assert (mecab.tokens, mecab.unknown, mecab.line_lengths) == (15, 2, ((7, 1), (8, 1)))
    assert mecab.unknown_share == pytest.approx(2 / 15)
    assert mecab.characters_per_token == pytest.approx(17 / 15)
    assert dict(mecab.frequent)["私"] == 2 and dict(mecab.frequent)["[UNK]"] == 2
    assert letters.unknown == 0 and letters.tokens > mecab.tokens
    assert sum(count for _, count in mecab.piece_lengths) == mecab.tokens


@pytest.mark.parametrize("family", ["mecab", "byte-bpe", "t5"])
def test_counting_leaves_special_tokens_out(family: str) -> None:
    tokenizer = tiny(family)
    assert encode(SENTENCES[0], tokenizer) == tokenizer.model(SENTENCES[0], add_special_tokens=False)["input_ids"]


def test_a_long_line_is_taken_in_parts_and_can_be_stopped() -> None:
    text = SENTENCES[0] * 1_000
    work = measure_text(text, [tiny("unigram")])
    first = next(work)
    assert 0 < first.done <= 2_000 and first.total == len(text)
    work.close()
    with pytest.raises(StopIteration):
        next(work)
    steps, found = drain(measure_text(text, [tiny("unigram")]))
    assert steps[-1].done == found.characters == len(text) and found.lines == 1


def test_nothing_to_count_is_refused() -> None:
    with pytest.raises(InvalidInput, match="empty"):
        next(measure_text(" \n", []))


def test_the_same_meaning_is_counted_in_two_languages() -> None:
    found = compare_languages(tiny("byte-bpe"), pairs=[("猫", "cat")])
    assert (found.japanese_characters, found.english_characters) == (1, 3)
    assert found.japanese_tokens == len(encode("猫", tiny("byte-bpe")))
    assert found.token_ratio == found.japanese_tokens / found.english_tokens
    bundled = compare_languages(tiny("byte-bpe"))
    assert bundled.sentences == len(load_parallel_sample()) >= 20
    assert bundled.japanese_characters_per_token < bundled.english_characters_per_token * 2
