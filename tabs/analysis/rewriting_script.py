"""The same probabilities by transformers alone, and the scores of the words by the project's own functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.analysis.sources import identify
from tabs.analysis.errors_script import path_in_script

if TYPE_CHECKING:
    from tabs.analysis.rewriting import Query


def snippet(query: Query) -> str:
    """Both versions, every addition, every word."""
    learned = identify(query.source)
    paired = learned.task == "pair-classification"
    ask = "tokenizer([premise] * len(texts), texts, **settings)" if paired else "tokenizer(texts, **settings)"
    segments = ", return_token_type_ids=True" if paired else ""
    premise = f"premise = {query.premise!r}\n" if paired else ""
    read = "(premise, version)" if paired else "(version,)"
    return f"""import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from core.tasks.attribution import attribute_words
from core.tasks.loaded import load_task_model

path = {path_in_script(query.source)!r}
tokenizer = AutoTokenizer.from_pretrained(path)
model = AutoModelForSequenceClassification.from_pretrained(path, dtype=torch.float32)
labels = [model.config.id2label[n] for n in range(model.config.num_labels)]

{premise}text = {query.text!r}
edited = {query.edited!r}
phrases = {list(query.additions)!r}

# Predict, edit, predict again --------------------------------------------------
texts = [text, edited, *(text + phrase for phrase in phrases)]
settings = dict(padding=True, truncation=True, max_length={learned.setup.max_length}{segments}, return_tensors="pt")
with torch.inference_mode():
    rows = model(**{ask}).logits.softmax(dim=-1).tolist()
before, after, *additions = [{{label: round(p, 4) for label, p in zip(labels, row)}} for row in rows]

# Which words speak for what was said at first ----------------------------------
said = max(before, key=before.get)
words = []
for version in (text, edited):
    found = attribute_words({read}, load_task_model({query.source!r}), label=said, method={query.method!r})
    words.append([[word.word, round(word.score, 3)] for word in found.words])
result = {{"before": before, "after": after, "additions": additions, "words": words}}
print(result)
"""
