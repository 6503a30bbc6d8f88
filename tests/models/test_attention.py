from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from core.errors import InvalidInput, ModelUnavailable
from core.models.attention import (
    AttentionMap,
    attend,
    by_word,
    difference,
    head_detail,
    head_summary,
    hide_special,
    own_hooks,
    subtract_head,
    top_links,
)
from core.models.inputs import Unit, Window
from core.models.loading import LoadedModel, load_model

TEXT = "吾輩は猫である。"


def _sums_to_one(attention: AttentionMap) -> None:
    np.testing.assert_allclose(attention.weights.sum(axis=-1), 1, atol=1e-5)


def test_weights_are_those_of_transformers(folder: Path, tiny: LoadedModel) -> None:
    from transformers import AutoModel, AutoTokenizer

    encoded = AutoTokenizer.from_pretrained(folder)(
        TEXT, "彼は魚が好きです。", return_tensors="pt", return_token_type_ids=True
    )
    with torch.no_grad():
        model = AutoModel.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
        expected = torch.stack(model(**encoded, output_attentions=True).attentions)[:, 0].numpy()
    attention = attend(TEXT, tiny, pair="彼は魚が好きです。")
    np.testing.assert_allclose(attention.weights, expected, atol=1e-6)
    assert attention.weights.dtype == np.float32
    assert attention.segment_ids == tuple(encoded["token_type_ids"][0].tolist())
    _sums_to_one(attention)


def test_a_pair_carries_two_segments_and_the_model_sees_them(tiny: LoadedModel) -> None:
    attention = attend("猫が好き", tiny, pair="犬が好き")
    content = [(unit.sequence, unit.segment) for unit in attention.units if not unit.special]
    assert set(content) == {(0, 0), (1, 1)}
    assert attention.segment_ids[0] == 0
    assert attention.segment_ids[-1] == 1
    for unit in attention.units:
        text = attention.pair if unit.sequence else attention.text
        assert unit.special or (text or "")[unit.start : unit.end]


def test_hidden_special_tokens_leave_rows_that_sum_to_one(tiny: LoadedModel) -> None:
    whole = attend(TEXT, tiny)
    hidden = hide_special(whole)
    assert hidden.hidden_special
    assert not whole.hidden_special
    assert hidden.labels == whole.labels[1:-1]
    _sums_to_one(hidden)
    inner = whole.weights[:, :, 1:-1, 1:-1]
    assert hidden.kept is not None
    np.testing.assert_allclose(hidden.weights * hidden.kept[..., None], inner, atol=1e-6)
    assert hide_special(hidden) is hidden


def test_a_row_that_looked_only_at_special_tokens_stays_zero() -> None:
    units = tuple(
        Unit(label, 0, 1, None if label == "[CLS]" else 0, 0, 0, label == "[CLS]", False, (i,))
        for i, label in enumerate(("[CLS]", "猫"))
    )
    weights = np.array([[[[0, 1], [1, 0]]]], dtype=np.float32)
    hidden = hide_special(AttentionMap("猫", None, units, weights, (0, 0), Window(0, 1, 1)))
    assert hidden.weights.tolist() == [[[[0.0]]]]


def test_words_receive_the_sum_and_look_as_the_mean_of_their_tokens(tiny: LoadedModel) -> None:
    tokens = attend("食べる猫が走る", tiny)
    assert tokens.labels == ("[CLS]", "食べ", "る", "猫", "が", "走", "る", "[SEP]")
    words = by_word(tokens)
    assert [unit.tokens for unit in words.units] == [(0,), (1, 2), (3,), (4,), (5, 6), (7,)]
    assert words.labels == ("[CLS]", "食べる", "猫", "が", "走る", "[SEP]")
    expected = tokens.weights[:, :, 1:3, 5:7].sum(axis=-1).mean(axis=-1)
    np.testing.assert_allclose(words.weights[:, :, 1, 4], expected, rtol=1e-5)
    _sums_to_one(words)
    assert by_word(words) is words


@pytest.mark.parametrize("order", [(hide_special, by_word), (by_word, hide_special)])
def test_words_without_special_tokens_sum_to_one(tiny: LoadedModel, order: tuple[object, object]) -> None:
    attention = attend("食べる猫が走る", tiny, pair="走る")
    for change in order:
        attention = change(attention)  # type: ignore[operator]
    assert attention.labels == ("食べる", "猫", "が", "走る", "走る")
    assert attention.segment_ids == (0, 0, 0, 0, 1)
    _sums_to_one(attention)


def test_a_long_text_is_seen_through_a_window(tiny: LoadedModel) -> None:
    text = "猫は魚を食べた。" * 10
    attention = attend(text, tiny, limit=16)
    assert attention.window.truncated
    assert attention.weights.shape[-2:] == (16, 16)
    later = attend(text, tiny, first=20, limit=16)
    assert (later.window.first, later.window.shown) == (20, 14)
    assert later.units[1].start > attention.units[-2].end
    beyond = attend(text, tiny, first=10_000, limit=16)
    assert beyond.window.last == beyond.window.total
    assert len(attend(text, tiny, limit=10_000).units) == tiny.positions
    assert not attend(TEXT, tiny).window.truncated


@pytest.mark.parametrize("text", ["", " ", "　\n"])
def test_an_empty_text_is_refused(tiny: LoadedModel, text: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        attend(text, tiny)
    assert refusal.value.key == "error.text.empty"


def _map(weights: npt.NDArray[np.float64]) -> AttentionMap:
    length = weights.shape[-1]
    units = tuple(Unit(str(i), i, i + 1, 0, 0, i, False, False, (i,)) for i in range(length))
    return AttentionMap("x" * length, None, units, weights.astype(np.float32), (0,) * length, Window(0, length, length))


def test_a_heads_habit_is_named() -> None:
    length = 5
    uniform = np.full((length, length), 1 / length)
    back, ahead = np.eye(length, k=-1), np.eye(length, k=1)
    back[0, 0] = ahead[-1, -1] = 1
    heads = head_summary(_map(np.stack((np.eye(length), back, ahead, uniform))[None]))
    assert [head.label for head in heads] == ["self", "previous", "next", "broad"]
    assert heads[0].entropy == pytest.approx(0)
    assert heads[3].entropy == pytest.approx(np.log2(length))
    assert heads[1].distance == pytest.approx(4 / 5)
    assert heads[1].previous == pytest.approx(1)
    assert [(head.layer, head.head) for head in heads] == [(0, 0), (0, 1), (0, 2), (0, 3)]


def test_a_single_token_has_no_neighbours() -> None:
    (head,) = head_summary(_map(np.ones((1, 1, 1, 1))))
    assert (head.previous, head.next, head.label) == (0, 0, "self")


def test_special_share(tiny: LoadedModel) -> None:
    attention = attend(TEXT, tiny)
    heads = head_summary(attention)
    expected = attention.weights[2, 1][:, [0, -1]].sum(axis=1).mean()
    assert heads[2 * 4 + 1].special == pytest.approx(expected, abs=1e-6)


def test_top_links_are_the_strongest_and_in_order(tiny: LoadedModel) -> None:
    attention = attend(TEXT, tiny)
    links = top_links(attention, layer=1, head=2, k=3)
    assert len(links) == len(attention.units)
    for row, found in enumerate(links):
        assert [link.weight for link in found] == sorted(attention.weights[1, 2, row], reverse=True)[:3]
    mean = top_links(attention, layer=1, k=1)[0][0]
    assert mean.weight == pytest.approx(attention.weights[1].mean(axis=0)[0].max())
    with pytest.raises(InvalidInput):
        top_links(attention, layer=3)


def test_two_sentences_are_subtracted_where_they_match(tiny: LoadedModel) -> None:
    first, second = attend("彼は魚が好きです。", tiny), attend("彼女は魚が好きです。", tiny)
    result = difference(first, second)
    assert [pair.same for pair in result.pairs] == [True, False] + [True] * 7
    np.testing.assert_allclose(result.weights, second.weights - first.weights, atol=1e-7)
    assert abs(result.weights).max() > 1e-3


def test_what_only_one_sentence_has_is_left_out_and_named(tiny: LoadedModel) -> None:
    first, second = attend("猫が好きです", tiny), attend("猫がまだ好きです", tiny)
    result = difference(first, second)
    assert result.only_first == ()
    assert [second.labels[place] for place in result.only_second] == ["まだ"]
    assert result.weights.shape[-1] == len(first.units)
    with pytest.raises(InvalidInput):
        difference(first, hide_special(second))


def test_one_head_step_by_step_ends_at_the_models_own_weights(tiny: LoadedModel) -> None:
    attention = attend(TEXT, tiny)
    detail = head_detail(TEXT, tiny, layer=2, head=3, query=4)
    np.testing.assert_allclose(detail.weights, attention.weights[2, 3, 4], atol=1e-6)
    np.testing.assert_allclose(detail.raw, detail.keys @ detail.query, rtol=1e-5)
    np.testing.assert_allclose(detail.scaled, detail.raw / np.sqrt(8), rtol=1e-5)
    powers = np.exp(detail.masked - detail.masked.max())
    np.testing.assert_allclose(powers / powers.sum(), detail.weights, atol=1e-6)
    np.testing.assert_allclose(detail.output, detail.weights @ detail.values, rtol=1e-4, atol=1e-6)


def test_the_output_of_a_head_is_what_enters_the_projection(tiny: LoadedModel) -> None:
    from core.models.attention import attention_modules
    from core.models.inputs import encode, input_tensors

    seen: list[torch.Tensor] = []
    hook = (attention_modules(tiny)[1].output.dense.register_forward_pre_hook, lambda _, inputs: seen.append(inputs[0]))
    with own_hooks(hook), torch.no_grad():
        tiny.model(**input_tensors(encode(TEXT, tiny), tiny))
    detail = head_detail(TEXT, tiny, layer=1, head=2, query=3)
    np.testing.assert_allclose(detail.output, seen[0][0, 3, 16:24], atol=1e-5)


def _hook_count(model: LoadedModel) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.model.modules())


def test_hooks_act_in_their_own_thread_and_are_always_removed(tiny: LoadedModel) -> None:
    calls: list[int] = []
    others = _hook_count(tiny)  # transformers keeps some of its own
    hook = (tiny.model.register_forward_hook, lambda *_: calls.append(1))
    with own_hooks(hook), ThreadPoolExecutor(1) as pool:
        assert _hook_count(tiny) == others + 1
        pool.submit(tiny.model, input_ids=torch.tensor([[2, 3]])).result()
        assert calls == []
        tiny.model(input_ids=torch.tensor([[2, 3]]))
        assert calls == [1]
    with pytest.raises(RuntimeError, match="stop"), own_hooks(hook):
        raise RuntimeError("stop")
    assert _hook_count(tiny) == others


@pytest.mark.parametrize(("layer", "head", "query", "key"), [
    (3, 0, 0, "error.model.layer_index"),
    (0, -1, 0, "error.model.head_index"),
    (0, 0, 99, "error.model.token_index"),
])  # fmt: skip
def test_places_that_do_not_exist(tiny: LoadedModel, layer: int, head: int, query: int, key: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        head_detail(TEXT, tiny, layer=layer, head=head, query=query)
    assert refusal.value.key == key


def test_other_encoders(folder: Path, tmp_path: Path) -> None:
    """RoBERTa is built like BERT; DistilBERT is not, so it shows its attention but no single steps."""
    from transformers import (
        AutoTokenizer,
        DistilBertConfig,
        DistilBertForMaskedLM,
        RobertaConfig,
        RobertaForMaskedLM,
    )

    size = len(AutoTokenizer.from_pretrained(folder))
    roberta = RobertaForMaskedLM(RobertaConfig(
        vocab_size=size, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=34, type_vocab_size=1, pad_token_id=0,
    ))  # fmt: skip
    distil = DistilBertForMaskedLM(DistilBertConfig(
        vocab_size=size, dim=16, n_layers=2, n_heads=2, hidden_dim=16, max_position_embeddings=32,
    ))  # fmt: skip
    for name, model in (("roberta", roberta), ("distil", distil)):
        model.save_pretrained(tmp_path / name)
        AutoTokenizer.from_pretrained(folder).save_pretrained(tmp_path / name)
    loaded = load_model(str(tmp_path / "roberta"))
    _sums_to_one(attend(TEXT, loaded, pair="猫"))
    assert len(attend(TEXT * 9, loaded).units) == loaded.positions == 32
    assert head_detail(TEXT, loaded, layer=1, head=1, query=2).weights.sum() == pytest.approx(1)
    loaded = load_model(str(tmp_path / "distil"))
    _sums_to_one(attend(TEXT, loaded, pair="猫"))
    with pytest.raises(ModelUnavailable, match="no_head_detail"):
        head_detail(TEXT, loaded, layer=1, head=1, query=2)


def test_a_head_is_subtracted_from_all_heads(tiny: LoadedModel) -> None:
    attention = attend(TEXT, tiny)
    change = subtract_head(attention, layer=1, head=2)
    np.testing.assert_allclose(change.weights[0, 3], attention.weights[0, 3] - attention.weights[1, 2])
    np.testing.assert_allclose(change.weights.sum(axis=-1), 0, atol=1e-5)
    assert not change.weights[1, 2].any()
    assert [(pair.first, pair.second, pair.same) for pair in change.pairs] == [
        (n, n, True) for n in range(len(attention.units))
    ]
    for layer, head, key in ((3, 0, "layer_index"), (0, 4, "head_index"), (-1, 0, "layer_index")):
        with pytest.raises(InvalidInput) as refusal:
            subtract_head(attention, layer=layer, head=head)
        assert refusal.value.key == f"error.model.{key}"
