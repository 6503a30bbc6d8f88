"""Words, characters, sub-words."""

from __future__ import annotations

import pytest
from transformers import AutoTokenizer

from core.generation.units import cut_text
from tests.text.tiny import folder


def test_three_ways_to_cut() -> None:
    assert cut_text("猫は　魚を食べた。") == ("猫", "は", "魚", "を", "食べ", "た", "。")
    assert cut_text("か\u3099 猫", unit="character") == ("か\u3099", "猫")
    tokenizer = AutoTokenizer.from_pretrained(folder("unigram"))
    pieces = cut_text("吾輩は猫である。", unit="subword", tokenizer=tokenizer)
    assert "".join(pieces).replace("▁", "") == "吾輩は猫である。"
    assert cut_text("") == ()
    with pytest.raises(ValueError, match="tokenizer"):
        cut_text("猫", unit="subword")
