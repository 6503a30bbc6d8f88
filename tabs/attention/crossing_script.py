"""The script that gives what the exhibit of cross-attention shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from core.models.attention import LIMIT
from core.models.crossing import WRITTEN
from tabs.attention import models

if TYPE_CHECKING:
    from tabs.attention.crossing import Query

# The tokens at the rows and at the columns of each attention.
SIDES: Mapping[str, str] = {
    "cross": "written[0, 1:], source[0]",
    "encoder": "source[0], source[0]",
    "decoder": "written[0, :-1], written[0, :-1]",
}
HIDE = """marks = torch.tensor([tokenizer.eos_token_id, tokenizer.pad_token_id, model.config.decoder_start_token_id])
weights = weights[~torch.isin(rows, marks)][:, ~torch.isin(columns, marks)]  # hide the marks of start and end …
weights = weights / weights.sum(dim=1, keepdim=True)  # … and scale every row up to 1 again
"""


def snippet(query: Query) -> str:
    """Plain transformers; this project's own functions where words or a later part of a long text are asked for."""
    if query.words or query.first:
        return _own_snippet(query)
    write = (
        f"""options = {{"do_sample": False, "num_beams": 1, "max_new_tokens": {WRITTEN}}}  # greedy
    written = model.generate(input_ids=source, attention_mask=torch.ones_like(source), **options)"""
        if query.given is None
        else f"""start = torch.tensor([[model.config.decoder_start_token_id]])
    written = torch.cat([start, encode({query.given!r}, {WRITTEN})], dim=1)"""
    )
    return f"""{models.lines_to_load(query.model, kind="AutoModelForSeq2SeqLM")}


def encode(text, limit):
    ids = tokenizer(text, truncation=True, max_length=limit - 1)["input_ids"]
    end = tokenizer.eos_token_id  # T5 was trained with it; not every tokenizer adds it
    return torch.tensor([ids if ids[-1] == end else [*ids, end]])


source = encode({query.text!r}, {LIMIT})
with torch.inference_mode():
    {write}
    output = model(input_ids=source, decoder_input_ids=written[:, :-1], output_attentions=True)
attentions = output.{query.part}_attentions  # layers × (1, H, rows, columns)
layer, head = min({query.layer - 1}, len(attentions) - 1), min({query.head - 1}, attentions[0].shape[1] - 1)
weights = attentions[layer][0, head]
rows, columns = {SIDES[query.part]}
{"" if query.special else HIDE}result = weights.numpy().round(4).tolist()
print(result)
"""


def _own_snippet(query: Query) -> str:
    steps = [] if query.special else ["attention = hide_special(attention)"]
    steps += ["attention = by_word(attention)"] if query.words else []
    newline = "\n"
    return f"""from core.models.attention import by_word, hide_special
from core.models.crossing import attend_across
from core.models.loading import load_model

loaded = load_model({query.model!r}, head="seq2seq-lm")
attention = attend_across({query.text!r}, loaded, target={query.given!r}, first={query.first}).{query.part}
{newline.join(steps)}
layer, head = min({query.layer - 1}, attention.layers - 1), min({query.head - 1}, attention.heads - 1)
result = attention.weights[layer, head].round(4).tolist()
print(result)
"""
