"""2.2.4, 3.3.1 Multi-head attention: all heads of an encoder at a glance, then one of them, token by token."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

import numpy as np

from core.models.attention import LIMIT
from tabs._kit.exhibit import Exhibit, Prediction, Step
from tabs._kit.room import Room
from tabs.attention import encoders
from tabs.attention.reading import PAIR, Query, Reading, explore, second_text
from tabs.attention.reading_views import show


def snippet(query: Query) -> str:
    """Plain transformers; this project's own functions where words, a direction or a window are asked for."""
    layer, head = query.layer - 1, query.head - 1
    length = len(unicodedata.normalize("NFKC", query.text + query.pair))
    if query.words or query.direction != "all" or query.first or (second_text(query) and length > LIMIT - 8):
        return _own_snippet(query, layer, head)
    texts = (
        f"{query.text!r}, {query.pair!r}"
        if second_text(query)
        else f"{query.text!r}, truncation=True, max_length={LIMIT}"
    )
    hide = "" if query.special else _HIDE
    return f"""{encoders.lines_to_load(query.model, kind="AutoModel")}

# Without return_token_type_ids a pair would go in as one segment, silently.
inputs = tokenizer({texts}, return_token_type_ids=True, return_special_tokens_mask=True, return_tensors="pt")
special = inputs.pop("special_tokens_mask")[0].bool()
with torch.inference_mode():
    attentions = model(**inputs, output_attentions=True).attentions  # layers × (1, H, T, T)
layer, head = min({layer}, len(attentions) - 1), min({head}, attentions[0].shape[1] - 1)
weights = attentions[layer][0, head]
{hide}result = weights.numpy().round(4).tolist()
print(result)
"""


_HIDE = """weights = weights[~special][:, ~special]  # hide [CLS] and [SEP] …
weights = weights / weights.sum(dim=1, keepdim=True)  # … and scale every row up to 1 again
"""


def _own_snippet(query: Query, layer: int, head: int) -> str:
    steps = [] if query.special else ["attention = hide_special(attention)"]
    steps += ["attention = by_word(attention)"] if query.words else []
    rows = columns = "range(len(attention.units))"
    if "-" in query.direction and second_text(query):
        rows, columns = (
            f"[n for n, unit in enumerate(attention.units) if unit.sequence == {int(side) - 1}]"
            for side in query.direction.split("-")
        )
    kind = "masked-lm" if query.model in encoders.BUNDLED else "base"
    newline = "\n"
    return f"""import numpy as np

from core.models.attention import attend, by_word, hide_special
from core.models.loading import load_model

loaded = load_model({query.model!r}, head={kind!r})
attention = attend({query.text!r}, loaded, pair={second_text(query)!r}, first={query.first})
{newline.join(steps)}
layer, head = min({layer}, attention.layers - 1), min({head}, attention.heads - 1)
weights = attention.weights[layer, head]
rows, columns = {rows}, {columns}
result = weights[np.ix_(rows, columns)].round(4).tolist()
print(result)
"""


def evidence(result: Reading) -> list[list[float]]:
    """The weights of the map that is drawn."""
    rounded: list[list[float]] = result.weights[np.ix_(result.rows, result.columns)].round(4).tolist()
    return rounded


def build(room: Room) -> None:
    """Sentences, model and two switches; everything else is clicked in the pictures."""
    with room.inputs():
        room.examples("text", "猫は魚が好きだが、犬は肉が好きだ。", "先生は生徒に本を渡した。彼は喜んだ。")
        room.presets(PAIR)
        room.widget("text")
        room.widget("pair", lines=1)
        room.widget("model")
        room.widget("words")
        room.widget("special")
        with room.more():
            room.widget("direction")
        for name in ("layer", "head", "focus", "first"):
            room.picked(name)
    with room.results():
        room.view()
        room.view()


def _answer(result: Reading) -> int:
    """Less than a fifth, up to a half, more than half of all attention goes to special tokens."""
    return int(np.searchsorted([0.2, 0.5], result.special_share))


STEPS: tuple[Mapping[str, Any], ...] = (
    {"layer": 2},
    {"layer": 4, "head": 2},
    {"focus": 3},
    {"special": True},
    {"words": True},
    PAIR,
    {"direction": "1-2"},
)

EXHIBIT = Exhibit(
    slug="attention",
    sections=("2.2.4", "3.3.1"),
    query=Query,
    explore=explore,
    show=show,
    snippet=snippet,
    evidence=evidence,
    build=build,
    prediction=Prediction(Query(special=True, layer=2), 3, _answer),
    lane="model",
    steps=tuple(Step(done) for done in STEPS),
)
