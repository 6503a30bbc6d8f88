"""2.3.2, 2.4 The logit lens: what a decoder would write next if it stopped after one of its layers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core import query as queries
from core.models.lens import LogitLens, look_through
from core.models.loading import load_model
from core.presets import DECODERS, ids
from tabs._kit.exhibit import Exhibit, Prediction, Step
from tabs._kit.room import Room
from tabs.attention import models
from tabs.attention.lens_views import show

TOKENS = 24  # columns that can be read side by side; the rest of a text is a click away


@dataclass(frozen=True)
class Query:
    """The beginning of a text, a decoder, and the token after which the predictions are followed."""

    text: str = queries.text("昔、おじいさん")
    model: str = queries.one_of("decoder", *ids(DECODERS), free=True)
    focus: int = queries.within(5, 0, TOKENS - 1)
    first: int = queries.within(0, 0, 8_000)


@dataclass(frozen=True)
class View:
    """A text through the lens, the position in focus, and the size of the model."""

    lens: LogitLens
    focus: int
    parameters: int


def explore(query: Query) -> View:
    """What each layer would predict: ``lens.best[n][t]`` after layer n at token t, with probabilities in [0, 1]."""
    loaded = load_model(query.model, head="causal-lm")
    lens = look_through(query.text, loaded, first=query.first, limit=TOKENS)
    return View(lens, min(query.focus, len(lens.units) - 1), loaded.parameters)


def snippet(query: Query) -> str:
    """Plain transformers; this project's own function for a later part of a long text."""
    if query.first:
        return f"""from core.models.lens import look_through
from core.models.loading import load_model

lens = look_through({query.text!r}, load_model({query.model!r}, head="causal-lm"), first={query.first}, limit={TOKENS})
result = [[[guess.piece, round(guess.probability, 4)] for guess in row] for row in lens.best]
print(result)
"""
    return f"""{models.lines_to_load(query.model, kind="AutoModelForCausalLM")}

options = {{"truncation": True, "max_length": {TOKENS}, "return_token_type_ids": False, "return_tensors": "pt"}}
inputs = tokenizer({query.text!r}, **options)
body, head = model.base_model, model.get_output_embeddings()
names = ("norm", "ln_f", "final_layer_norm", "final_layernorm")  # as Llama, GPT-2 and others call it
norm = next(getattr(body, name) for name in names if hasattr(body, name))
with torch.inference_mode():
    output = model(**inputs, output_hidden_states=True)
    *early, last = output.hidden_states  # each (1, T, D); transformers has normalised the last one already
    layers = [head(norm(state)) for state in early] + [head(last)]  # each (1, T, V)
assert torch.equal(layers[-1], output.logits)  # the last layer is the model's own output
result = []
for logits in layers:
    best = logits[0].softmax(dim=-1).max(dim=-1)
    pieces = tokenizer.convert_ids_to_tokens(best.indices.tolist())
    result.append([[piece, round(p, 4)] for piece, p in zip(pieces, best.values.tolist())])
print(result)
"""


def evidence(result: View) -> list[list[list[object]]]:
    """Pieces and probabilities of the first guesses, stage by stage."""
    return [[[guess.piece, round(guess.probability, 4)] for guess in row] for row in result.lens.best]


def build(room: Room) -> None:
    """The beginning of a text and a decoder; a click in the picture follows one prediction."""
    with room.inputs():
        room.examples("text", "日本で一番高い山は", "兄は駅前の銀行でお金を下ろして、すぐに", "🍣を食べて")
        room.widget("text")
        room.widget("model")
        room.picked("focus")
        room.picked("first")
    with room.results():
        room.view()
        room.view()


def _answer(result: View) -> int:
    """At less than a third, up to two thirds, or more of the positions the layer before the last agrees with it."""
    return int(np.searchsorted([1 / 3, 2 / 3], float((result.lens.ranks[-2] == 1).mean()), side="right"))


EXHIBIT = Exhibit(
    slug="lens",
    sections=("2.3.2", "2.4"),
    query=Query,
    explore=explore,
    show=show,
    snippet=snippet,
    evidence=evidence,
    build=build,
    prediction=Prediction(Query(text="兄は駅前の銀行でお金を下ろして、すぐに"), 3, _answer),
    lane="model",
    steps=(Step({"focus": 2}), Step({"focus": 4}), Step({"text": "日本で一番高い山は"}), Step({"text": "🍣を食べて"})),
)
