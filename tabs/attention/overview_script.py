"""The script that gives what the overview shows."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from core.models.attention import LIMIT
from core.presets import DECODERS, ENCODERS, ids
from tabs.attention import models

if TYPE_CHECKING:
    from tabs.attention.overview import Query

HIDE = """weights = weights[~special][:, ~special]  # hide [CLS], [SEP] and the like …
weights = weights / weights.sum(dim=1, keepdim=True)  # … and scale every row up to 1 again
"""


def snippet(query: Query) -> str:
    """Plain transformers; this project's own functions where words, a direction or a window are asked for."""
    length = len(unicodedata.normalize("NFKC", query.text + query.pair))
    if query.words or query.ways != (None, None) or query.first or (query.second and length > LIMIT - 8):
        return _own_snippet(query)
    texts = (
        f"{query.text!r}, {query.pair!r}" if query.second else f"{query.text!r}, truncation=True, max_length={LIMIT}"
    )
    known = query.model in ids((*ENCODERS, *DECODERS))
    reader = "" if known else "model = model.get_encoder() if model.config.is_encoder_decoder else model\n"
    hide = "" if query.special else HIDE
    return f"""{models.lines_to_load(query.model, kind="AutoModel")}
{reader}
# Without return_token_type_ids a pair would go in as one segment, silently; a model may also know no segments.
segments = getattr(model.config, "type_vocab_size", 0) > 1
inputs = tokenizer({texts}, return_token_type_ids=segments, return_special_tokens_mask=True, return_tensors="pt")
special = inputs.pop("special_tokens_mask")[0].bool()
with torch.inference_mode():
    attentions = model(**inputs, output_attentions=True).attentions  # layers × (1, H, T, T)
layer, head = min({query.layer - 1}, len(attentions) - 1), min({query.head - 1}, attentions[0].shape[1] - 1)
weights = attentions[layer][0, head]
{hide}result = weights.numpy().round(4).tolist()
print(result)
"""


def _own_snippet(query: Query) -> str:
    steps = [] if query.special else ["attention = hide_special(attention)"]
    steps += ["attention = by_word(attention)"] if query.words else []
    rows, columns = (
        "range(len(attention.units))"
        if way is None
        else f"[n for n, unit in enumerate(attention.units) if unit.sequence == {way}]"
        for way in query.ways
    )
    newline = "\n"
    return f"""import numpy as np

from core.models.attention import attend, by_word, hide_special
from core.models.loading import load_model

loaded = load_model({query.model!r}, head=None)
attention = attend({query.text!r}, loaded, pair={query.second!r}, first={query.first})
{newline.join(steps)}
layer, head = min({query.layer - 1}, attention.layers - 1), min({query.head - 1}, attention.heads - 1)
weights = attention.weights[layer, head]
rows, columns = {rows}, {columns}
result = weights[np.ix_(rows, columns)].round(4).tolist()
print(result)
"""
