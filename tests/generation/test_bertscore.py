"""BERTScore against the package bert-score and a case worked by hand."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from core.generation.bertscore import mean_bert, score_bert

CANDIDATES = ("猫は魚を食べた。", "彼が好きです", "犬", "")
REFERENCES = ("彼女は猫が好き", "私の犬は魚が好きです。", "吾輩は猫である。名前はまだ無い。", "猫")


@pytest.mark.parametrize("layer", [1, 2, 3])
def test_equal_to_the_package(folder: Path, tmp_path: Path, layer: int) -> None:
    from transformers import AutoModel, AutoTokenizer

    model, tokenizer = AutoModel.from_pretrained(folder, dtype="float32"), AutoTokenizer.from_pretrained(folder)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package warns of an empty text
        from bert_score import score

        theirs = score(
            list(CANDIDATES[:3]), list(REFERENCES[:3]), model_type=str(tmp_path), num_layers=layer, device="cpu"
        )
    ours = score_bert(CANDIDATES[:3], REFERENCES[:3], model, tokenizer, layer=layer)
    for values, name in zip(theirs, ("precision", "recall", "f"), strict=True):
        assert [getattr(score, name) for score in ours] == pytest.approx(values.tolist(), abs=1e-5)


def test_numbers_follow_from_the_matrix(folder: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(folder, dtype="float32").train()
    first = score_bert(CANDIDATES, REFERENCES, model, AutoTokenizer.from_pretrained(folder), batch_size=2)
    score = first[0]
    assert score.candidate == ("[CLS]", "猫", "は", "魚", "を", "食べ", "た", "。", "[SEP]")
    assert score.similarities.shape == (9, len(score.reference))
    assert score.candidate_counted == (False, *[True] * 7, False)
    best = [row[place] for row, place in zip(score.similarities, score.candidate_best, strict=True)]
    assert score.precision == pytest.approx(np.mean(best[1:-1]))
    assert score.recall == pytest.approx(score.similarities.max(axis=0)[1:-1].mean())
    assert score.f == pytest.approx(2 / (1 / score.precision + 1 / score.recall))
    empty = first[3]
    assert (empty.precision, empty.recall, empty.f) == (0.0, 0.0, 0.0)
    assert mean_bert(first)["bertscore"] == pytest.approx(sum(one.f for one in first) / 4)


def test_a_text_resembles_itself(folder: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    model, tokenizer = AutoModel.from_pretrained(folder, dtype="float32"), AutoTokenizer.from_pretrained(folder)
    (same,) = score_bert(["猫は魚を食べた。"], ["猫は魚を食べた。"], model, tokenizer)
    assert [same.precision, same.recall, same.f] == pytest.approx([1, 1, 1])
    assert same.candidate_best == tuple(range(9))
    with pytest.raises(ValueError, match="layer 4 of 3"):
        score_bert(["猫"], ["猫"], model, tokenizer, layer=4)
