"""Attention as the model computes it, and ways to read it (book 2.2.3, 2.2.4, 2.3.3, 2.4, 3.3.1).

A row is a query, a column a key: row i says from where token i fetches what goes into its next vector. Weights are not
an explanation of a prediction; `core.models.saliency` holds a method to set beside them, and `core.models.crossing` the
attention between two texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from core.errors import InvalidInput, ModelUnavailable
from core.models.fill import make_blank
from core.models.inputs import Inputs, Unit, Window, encode, input_tensors, merge_words
from core.models.loading import LoadedModel

LIMIT = 128  # tokens that stay readable and quick; beyond them the text is seen through a window

Floats = npt.NDArray[np.float32]
Habit = Literal["special", "first", "self", "previous", "next", "broad", "focused", "mixed"]


@dataclass(frozen=True, slots=True)
class AttentionMap:
    """Attention of every layer and head over the units (tokens, or words) of a text or a pair.

    `weights` is (layers, H, T, K), rows sum to 1. Of self-attention, the K keys are the T units themselves; between two
    texts they are the units in `read`. `kept` is None, or (layers, H, T): the share of each row that was left when the
    special tokens were hidden, before the row was scaled up to 1 again. `causal`: a unit sees none that come later.
    """

    text: str
    pair: str | None
    units: tuple[Unit, ...]
    weights: Floats
    segment_ids: tuple[int, ...]
    window: Window
    kept: Floats | None = None
    words: bool = False
    causal: bool = False
    read: tuple[Unit, ...] | None = None

    @property
    def layers(self) -> int:
        """Number of layers."""
        return self.weights.shape[0]

    @property
    def heads(self) -> int:
        """Heads per layer."""
        return self.weights.shape[1]

    @property
    def keys(self) -> tuple[Unit, ...]:
        """The units at the columns."""
        return self.units if self.read is None else self.read

    @property
    def labels(self) -> tuple[str, ...]:
        """What to write at the rows, and at the columns of self-attention."""
        return tuple(unit.label for unit in self.units)

    @property
    def hidden_special(self) -> bool:
        """Whether the special tokens are hidden, and the rows therefore renormalised."""
        return self.kept is not None


@dataclass(frozen=True, slots=True)
class HeadSummary:
    """The habit of one head on one text, as means over its rows.

    `entropy` in bits (0: one key takes all), `distance` in units between query and key, then the shares of weight, in
    [0, 1], on special tokens, on the first token by later ones, on the token itself, on the one before and on the one
    after. Between two texts there is no distance, no first and no same token: those are 0.
    """

    layer: int
    head: int
    entropy: float
    distance: float
    special: float
    first: float
    same: float
    previous: float
    next: float
    label: Habit


@dataclass(frozen=True, slots=True)
class Link:
    """One weight: from the query to the key, both indices into the map's units."""

    query: int
    key: int
    weight: float


@dataclass(frozen=True, slots=True)
class UnitPair:
    """Two units, one of each text, that stand in the same place; `same` when they read the same."""

    first: int
    second: int
    same: bool


@dataclass(frozen=True, slots=True)
class AttentionDifference:
    """Second minus first attention on the N units that two texts share.

    `weights` is (layers, H, N, N) in [-1, 1]. Its rows need not sum to 0: weight on units that only one of the texts
    has (`only_first`, `only_second`) is left out. Of two heads on one text, nothing is left out.
    """

    units_first: tuple[Unit, ...]
    units_second: tuple[Unit, ...]
    pairs: tuple[UnitPair, ...]
    only_first: tuple[int, ...]
    only_second: tuple[int, ...]
    weights: Floats


@dataclass(frozen=True, slots=True)
class HeadDetail:
    """One row of one head, number by number: q · k, times scale, plus mask, softmax, times values.

    d is the width of a head. `weights` are the model's own; the other steps lead there (checked when it is made).
    """

    layer: int
    head: int
    position: int
    units: tuple[Unit, ...]
    query: Floats  # (d,)
    keys: Floats  # (T, d)
    values: Floats  # (T, d)
    raw: Floats  # (T,) dot products of the query with every key
    scale: float  # 1 / √d
    scaled: Floats  # (T,)
    mask: Floats  # (T,) 0 where the row may look
    masked: Floats  # (T,)
    weights: Floats  # (T,)
    output: Floats  # (d,) what this head passes on for this token


def attend(
    text: str,
    loaded: LoadedModel,
    *,
    pair: str | None = None,
    first: int = 0,
    limit: int = LIMIT,
    masked: int | None = None,
) -> AttentionMap:
    """Self-attention of all layers and heads for a text, or for a pair, whose second text has segment id 1.

    Of an encoder-decoder it is that of the encoder. More than `limit` tokens are seen through a window: the special
    tokens and what fits from token `first` on; the model then knows nothing of the rest, and `AttentionMap.window` says
    so. `masked` is a position of the model's input whose token is blanked out first.

    Raises:
        InvalidInput: the text is empty or no text.
        ModelUnavailable: the model hands out no attention.

    Source: Vaswani et al. 2017, section 3.2; book 2.2.3, 2.2.4.
    """
    import torch

    inputs = encode(text, loaded, pair=pair, first=first, limit=limit)
    if masked is not None:
        inputs = make_blank(inputs, loaded, position=masked).inputs
    with torch.inference_mode():
        # Without the head over the vocabulary, which costs more than all layers of a small model.
        model: Any = loaded.model
        body = model.get_encoder() if loaded.architecture == "seq2seq" else model.base_model
        attentions = body(**input_tensors(inputs, loaded), output_attentions=True).attentions
    length = len(inputs.ids)
    if not attentions or attentions[0] is None or attentions[0].shape[-2:] != (length, length):
        raise ModelUnavailable("error.model.unsupported", source=loaded.source, type=loaded.model.config.model_type)
    weights = torch.cat(attentions).numpy()  # (layers, H, T, T): the batch of one makes room for the layers
    causal = loaded.architecture == "decoder"
    return AttentionMap(text, pair, inputs.units, weights, inputs.segment_ids, inputs.window, causal=causal)


def hide_special(attention: AttentionMap) -> AttentionMap:
    """Drop rows and columns of the special tokens and scale every row up to 1 again.

    A row that gave special tokens all it had stays 0.
    """
    if attention.hidden_special:
        return attention
    shown, seen = (
        [n for n, unit in enumerate(units) if not unit.special] for units in (attention.units, attention.keys)
    )
    weights = attention.weights[:, :, shown][..., seen]  # (layers, H, N, M)
    kept = weights.sum(axis=-1)  # (layers, H, N)
    return replace(
        attention,
        units=tuple(attention.units[place] for place in shown),
        weights=np.divide(weights, kept[..., None], out=np.zeros_like(weights), where=kept[..., None] > 0),
        segment_ids=tuple(attention.segment_ids[place] for place in shown),
        kept=kept,
        read=attention.read and tuple(attention.read[place] for place in seen),
    )


def by_word(attention: AttentionMap) -> AttentionMap:
    """Merge the tokens of each MeCab word.

    A word receives what its tokens receive in sum, and looks as they do on average: rows still sum to 1.

    Source: Clark et al. 2019, "What Does BERT Look At?", section 4.1.
    """
    if attention.words:
        return attention
    texts = (attention.text, attention.pair)
    units, members = merge_words(attention.units, texts)
    keys, goals = (units, members) if attention.read is None else merge_words(attention.read, texts)
    starts = [group[0] for group in members]
    sizes = np.array([len(group) for group in members], dtype=np.float32)
    weights = np.add.reduceat(attention.weights, [group[0] for group in goals], axis=3)  # keys: (layers, H, T, W)
    weights = (np.add.reduceat(weights, starts, axis=2) / sizes[:, None]).astype(
        np.float32
    )  # queries: (layers, H, W, W)
    kept = None if attention.kept is None else (np.add.reduceat(attention.kept, starts, axis=2) / sizes).astype("f4")
    segment_ids = tuple(attention.segment_ids[start] for start in starts)
    read = None if attention.read is None else keys
    return replace(attention, units=units, weights=weights, kept=kept, segment_ids=segment_ids, words=True, read=read)


def head_summary(attention: AttentionMap) -> tuple[HeadSummary, ...]:
    """What each head mostly does with this text, layer by layer; one text shows a habit, not a rule."""
    weights = attention.weights.astype(np.float64)  # (layers, H, T, K)
    queries, keys = weights.shape[-2:]
    logarithms = np.log2(weights, out=np.zeros_like(weights), where=weights > 0)
    entropy = -(weights * logarithms).sum(axis=-1).mean(axis=-1)  # (layers, H)
    visible = np.arange(1, queries + 1) if attention.causal else np.full(queries, keys)  # keys that each row may see
    most = max(float(np.log2(visible).mean()), 1e-9)
    special = weights[..., [unit.special for unit in attention.keys]].sum(axis=-1).mean(axis=-1)
    distance = first = same = previous = following = np.zeros_like(entropy)
    if attention.read is None:
        places = np.arange(queries)
        distance = (weights * abs(places[:, None] - places)).sum(axis=-1).mean(axis=-1)
        first = weights[..., 1:, 0].mean(axis=-1) if queries > 1 else first
        # The first token has none before it and the last none after it: those rows do not count.
        same, previous, following = (_diagonal_mean(weights, offset) for offset in (0, -1, 1))

    def summarize(layer: int, head: int) -> HeadSummary:
        shares: dict[Habit, float] = {
            "special": float(special[layer, head]),
            "self": float(same[layer, head]),
            "previous": float(previous[layer, head]),
            "next": float(following[layer, head]),
            "first": float(first[layer, head]),
        }
        # What both ways see first is a special token or the beginning of a sentence: no habit of its own.
        named = {name: share for name, share in shares.items() if attention.causal or name != "first"}
        return HeadSummary(
            layer=layer,
            head=head,
            entropy=float(entropy[layer, head]),
            distance=float(distance[layer, head]),
            special=shares["special"],
            first=shares["first"],
            same=shares["self"],
            previous=shares["previous"],
            next=shares["next"],
            label=_habit(named, spread=float(entropy[layer, head]) / most),
        )

    return tuple(summarize(layer, head) for layer in range(attention.layers) for head in range(attention.heads))


def top_links(
    attention: AttentionMap, *, layer: int, head: int | None = None, k: int = 3
) -> tuple[tuple[Link, ...], ...]:
    """The k keys each query looks at most, strongest first; with `head` None, of the mean of the layer's heads.

    Raises:
        InvalidInput: there is no such layer or head.
    """
    check_head(layer, 0 if head is None else head, layers=attention.layers, heads=attention.heads)
    weights = attention.weights[layer].mean(axis=0) if head is None else attention.weights[layer, head]  # (T, T)
    best = np.argsort(-weights, axis=1, kind="stable")[:, : max(k, 0)]
    return tuple(
        tuple(Link(query, int(key), float(weights[query, key])) for key in keys) for query, keys in enumerate(best)
    )


def difference(first: AttentionMap, second: AttentionMap) -> AttentionDifference:
    """Second minus first attention, of two texts by the same model, on the units that stand in the same place.

    Units that read the same are paired; where as many units are replaced as come in their place (彼 for 彼女), they are
    paired one to one.

    Raises:
        InvalidInput: the two maps have not the same layers, heads, or kind of units.
    """
    alike = first.weights.shape[:2] == second.weights.shape[:2]
    if not alike or (first.words, first.hidden_special) != (second.words, second.hidden_special):
        raise InvalidInput("error.model.not_comparable")
    pairs = tuple(_align(first.labels, second.labels))
    ours, theirs = [pair.first for pair in pairs], [pair.second for pair in pairs]
    return AttentionDifference(
        units_first=first.units,
        units_second=second.units,
        pairs=pairs,
        only_first=tuple(sorted(set(range(len(first.units))) - set(ours))),
        only_second=tuple(sorted(set(range(len(second.units))) - set(theirs))),
        weights=second.weights[:, :, theirs][..., theirs] - first.weights[:, :, ours][..., ours],
    )


def subtract_head(attention: AttentionMap, *, layer: int, head: int) -> AttentionDifference:
    """Every head minus one of them, on the same text: rows sum to 0, and those of that head itself are 0.

    Raises:
        InvalidInput: there is no such layer or head, or rows and columns are not the same units.
    """
    check_head(layer, head, layers=attention.layers, heads=attention.heads)
    if attention.read is not None:
        raise InvalidInput("error.model.not_comparable")
    return AttentionDifference(
        units_first=attention.units,
        units_second=attention.units,
        pairs=tuple(UnitPair(place, place, True) for place in range(len(attention.units))),
        only_first=(),
        only_second=(),
        weights=attention.weights - attention.weights[layer, head],
    )


def head_detail(
    text: str,
    loaded: LoadedModel,
    *,
    layer: int,
    head: int,
    query: int,
    pair: str | None = None,
    first: int = 0,
    limit: int = LIMIT,
) -> HeadDetail:
    """Follow one query of one head through every step of attention, with the model's own numbers.

    `query` is a position in the model's input, special tokens included (`Unit.tokens`).

    Raises:
        InvalidInput: there is no such layer, head or position.
        ModelUnavailable: ``error.model.no_head_detail``, the model's attention is not built from plain query, key and
            value layers (or adds something to the scores, as relative positions do).

    Source: Vaswani et al. 2017, section 3.2.1; book 2.2.3.
    """
    import torch

    inputs = encode(text, loaded, pair=pair, first=first, limit=limit)
    check_head(layer, head, layers=loaded.layers, heads=loaded.heads)
    if not 0 <= query < len(inputs.ids):
        raise InvalidInput("error.model.token_index", position=query, last=len(inputs.ids) - 1)
    projected, attentions = _project(inputs, loaded, layer)
    length = len(inputs.ids)
    queries, keys, values = (
        part.reshape(length, loaded.heads, -1)[:, head]
        for part in (projected["query"], projected["key"], projected["value"])
    )  # each (T, d)
    scale = keys.shape[-1] ** -0.5
    raw = keys @ queries[query]  # (T,)
    mask = torch.zeros(length)  # one text, no padding: an encoder's row may look everywhere
    weights = attentions[layer][0, head, query]  # (T,)
    if not torch.allclose(torch.softmax(raw * scale + mask, dim=-1), weights, atol=1e-5):
        raise ModelUnavailable("error.model.no_head_detail", source=loaded.source)
    return HeadDetail(
        layer=layer,
        head=head,
        position=query,
        units=inputs.units,
        query=queries[query].numpy(),
        keys=keys.numpy(),
        values=values.numpy(),
        raw=raw.numpy(),
        scale=scale,
        scaled=(raw * scale).numpy(),
        mask=mask.numpy(),
        masked=(raw * scale + mask).numpy(),
        weights=weights.numpy(),
        output=(weights @ values).numpy(),
    )


def check_head(layer: int, head: int, *, layers: int, heads: int) -> None:
    """Refuse a layer or head that the model does not have.

    Raises:
        InvalidInput: ``error.model.layer_index``, ``error.model.head_index``.
    """
    if not 0 <= layer < layers:
        raise InvalidInput("error.model.layer_index", value=layer, last=layers - 1)
    if not 0 <= head < heads:
        raise InvalidInput("error.model.head_index", value=head, last=heads - 1)


def attention_modules(loaded: LoadedModel) -> list[Any]:
    """The self-attention of every layer, where it is built as in BERT (`self.query`, `.key`, `.value`, `output.dense`).

    Raises:
        ModelUnavailable: ``error.model.no_head_detail``, it is built in another way.
    """
    layers = getattr(getattr(loaded.model.base_model, "encoder", None), "layer", ())
    found = [layer.attention for layer in layers if hasattr(getattr(layer, "attention", None), "self")]
    plain = all(hasattr(module.self, "query") and hasattr(getattr(module, "output", None), "dense") for module in found)
    if len(found) != loaded.layers or not plain:
        raise ModelUnavailable("error.model.no_head_detail", source=loaded.source)
    return found


@contextmanager
def own_hooks(*hooks: tuple[Any, Any]) -> Iterator[None]:
    """Hooks, each (a handle-making method of a module, the hook), on a shared model: they act in this thread alone.

    Other visitors may be in the same model at this moment; whatever happens, the hooks are gone afterwards.
    """
    import threading

    mine = threading.get_ident()

    def only_here(hook: Any) -> Any:
        return lambda *arguments: hook(*arguments) if threading.get_ident() == mine else None

    handles: list[Any] = []
    try:
        for register, hook in hooks:
            handles.append(register(only_here(hook)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _project(inputs: Inputs, loaded: LoadedModel, layer: int) -> tuple[dict[str, Any], Any]:
    """What the query, key and value layers of one layer put out, each (T, D), and all attentions of the same pass."""
    import torch

    module = attention_modules(loaded)[layer].self
    projected: dict[str, Any] = {}

    def keep(name: str) -> Any:
        def hook(_module: Any, _inputs: Any, output: Any) -> None:
            projected[name] = output[0]

        return hook

    names = ("query", "key", "value")
    with (
        own_hooks(*((getattr(module, name).register_forward_hook, keep(name)) for name in names)),
        torch.inference_mode(),
    ):
        attentions = loaded.model.base_model(**input_tensors(inputs, loaded), output_attentions=True).attentions
    return projected, attentions


def _diagonal_mean(weights: npt.NDArray[np.float64], offset: int) -> npt.NDArray[np.float64]:
    diagonal = weights.diagonal(offset, axis1=-2, axis2=-1)  # (layers, H, T - |offset|)
    return diagonal.mean(axis=-1) if diagonal.shape[-1] else np.zeros(weights.shape[:2])


def _habit(shares: Mapping[Habit, float], *, spread: float) -> Habit:
    """A share of more than half of the weight names the head; otherwise how wide it looks does, from 0 to 1."""
    strongest = max(shares, key=lambda name: shares[name])
    if shares[strongest] > 0.5:
        return strongest
    return "broad" if spread > 0.85 else "focused" if spread < 0.4 else "mixed"


def _align(first: Sequence[str], second: Sequence[str]) -> Iterator[UnitPair]:
    for kind, i, i_end, j, j_end in SequenceMatcher(None, first, second, autojunk=False).get_opcodes():
        if kind == "equal" or (kind == "replace" and i_end - i == j_end - j):
            yield from (UnitPair(a, b, kind == "equal") for a, b in zip(range(i, i_end), range(j, j_end), strict=True))
