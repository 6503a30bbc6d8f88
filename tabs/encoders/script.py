"""The parameters by part with transformers alone, and the scores as they stand in the table."""

from __future__ import annotations

from pprint import pformat
from typing import TYPE_CHECKING

from core.models.encoder_scores import PUBLISHED, TASKS, rank, read_measured
from core.models.parameters import LABELS, NAMES, PARTS, find_encoder

if TYPE_CHECKING:
    from tabs.encoders.comparison import Query


def snippet(query: Query) -> str:
    """Each configuration on the meta device: shapes without values."""
    encoders = {}
    for name in NAMES:
        encoder = find_encoder(name)
        settings = {key: list(value) if isinstance(value, tuple) else value for key, value in encoder.settings.items()}
        encoders[name] = encoder.kind, settings
    place = TASKS.index(query.task)
    rows = rank((*PUBLISHED, read_measured().scores), query.task)
    scores = {row.encoder: row.scores[place] for row in rows if row.scores[place] is not None}
    return f'''import re

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification

# What config.json of each repository sets; the rest is the default of its type.
ENCODERS = {pformat(encoders, sort_dicts=False, width=110)}
PARTS = {pformat(dict(PARTS), sort_dicts=False, width=110)}


def count(kind, settings):
    """Parameters by part, of a model that has shapes but no values."""
    config = AutoConfig.for_model(kind, num_labels={LABELS}, **settings)
    with torch.device("meta"):
        model = AutoModelForSequenceClassification.from_config(config)
    counts = dict.fromkeys(PARTS, 0)
    for name, tensor in model.named_parameters():
        counts[next(part for part, pattern in PARTS.items() if re.search(pattern, name))] += tensor.numel()
    return {{part: number for part, number in counts.items() if number}}


parameters = {{name: count(*encoder) for name, encoder in ENCODERS.items()}}
for name, counts in parameters.items():
    print(f"{{name:10}} {{sum(counts.values()):>12,}}", counts)
scores = {pformat(scores, sort_dicts=False, width=110)}  # {query.task}
result = {{"parameters": parameters, "scores": scores}}
'''
