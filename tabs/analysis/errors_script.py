"""The same numbers by transformers and scikit-learn; where the lesson is ours, by the project's own functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from core.analysis.selection import Filter
from core.analysis.sources import Learned, called, identify, open_source, outline
from core.analysis.table import Kind
from core.data.samples import has_test
from core.models.loading import find_preset
from core.presets import HEADS, is_own, models_folder
from core.settings import ROOT
from core.tasks.registry import find_task

if TYPE_CHECKING:
    from tabs.analysis.errors import Query

PAGE = 20  # rows
SEQUENCES = ("classification", "pair-classification", "similarity")  # tasks of `AutoModelForSequenceClassification`
_KEYS: Mapping[str, str] = {"residual": 'abs(row["residual"])', "characters": 'sum(map(len, row["texts"]))'}


def snippet(query: Query) -> str:
    """Predictions, then what the page counts of them."""
    learned = None if is_own(query.source) else identify(query.source)
    if learned is None or learned.task not in SEQUENCES:
        known = outline(query.source)
        return lines_to_open(query.source) + _count_with_core(query, known.kind, known.labels)
    return _predict(query.source, learned) + _count(query, learned)


def lines_to_open(source: str) -> str:
    """Lines that set ``table`` by the project's own functions, and import numpy."""
    if is_own(source):
        return _own(source)
    return _predict_with_core(source, identify(source))


def path_in_script(source: str) -> str:
    """What `from_pretrained` is given: a bundled model by its folder, seen from the project's, others by their name."""
    preset = find_preset(source, HEADS)
    if preset is None or not preset.bundled:
        return source
    folder = (models_folder() / preset.source).resolve()
    return folder.relative_to(ROOT).as_posix() if folder.is_relative_to(ROOT) else str(folder)


def _predict(source: str, learned: Learned) -> str:
    paired, scored = learned.task != "classification", learned.task == "similarity"
    names = [column.name for column in find_task(learned.task).columns if column.name not in ("label", "score")]
    texts = ", ".join(f'[example["{name}"] for example in batch]' for name in names)
    segments = ", return_token_type_ids=True" if paired else ""
    held_out = (
        '\nexamples = [example for example in examples if example["split"] == "test"]'
        if has_test(learned.sample)
        else ""
    )
    metrics = "" if scored else "from sklearn.metrics import confusion_matrix\n"
    if scored:
        numbers = "model(**inputs).logits[:, 0].tolist()"
        row = """gold, residual = example["score"], said - example["score"]
        rows.append({"index": len(rows), "texts": texts, "residual": residual, "right": abs(residual) <= 0.5})"""
    else:
        numbers = "model(**inputs).logits.softmax(dim=-1).tolist()"
        row = """gold, (second, first) = example["label"], sorted(said)[-2:]
        predicted, loss = labels[said.index(first)], -math.log(said[labels.index(gold)])
        rows.append({"index": len(rows), "texts": texts, "gold": gold, "predicted": predicted, "loss": loss,
                     "confidence": first, "margin": first - second, "right": gold == predicted})"""
    math_ = "" if scored else "import math\n"
    labels = "" if scored else "\nlabels = [model.config.id2label[n] for n in range(model.config.num_labels)]"
    return f"""import json
{math_}from pathlib import Path

import torch
{metrics}from transformers import AutoModelForSequenceClassification, AutoTokenizer

torch.set_grad_enabled(False)  # nothing is trained here
path = {path_in_script(source)!r}
tokenizer = AutoTokenizer.from_pretrained(path)
model = AutoModelForSequenceClassification.from_pretrained(path, dtype=torch.float32){labels}

# 5.3.1 What the model says of every example ------------------------------------
lines = Path("assets/samples/{learned.sample}.jsonl").read_text(encoding="utf-8").splitlines()
examples = [json.loads(line) for line in lines]{held_out}
rows = []
for start in range(0, len(examples), 32):
    batch = examples[start : start + 32]
    settings = dict(padding=True, truncation=True, max_length={learned.setup.max_length}{segments}, return_tensors="pt")
    inputs = tokenizer({texts}, **settings)
    for example, said in zip(batch, {numbers}):
        texts = [{", ".join(f'example["{name}"]' for name in names)}]
        {row}
"""


def _count(query: Query, learned: Learned) -> str:
    wanted = []
    if query.pattern and query.regex:
        wanted.append('any(re2(text) for text in row["texts"])')
    elif query.pattern:
        wanted.append(f'any({query.pattern!r} in text for text in row["texts"])')
    if query.shortest:
        wanted.append(f'sum(map(len, row["texts"])) >= {query.shortest}')
    if query.longest:
        wanted.append(f'sum(map(len, row["texts"])) <= {query.longest}')
    passing = {"wrong": ['not row["right"]'], "right": ['row["right"]']}.get(query.outcome, [])
    for side in ("gold", "predicted"):
        if (value := getattr(query, side)) and value in learned.setup.labels:
            passing.append(f'row["{side}"] == {value!r}')
    scored = learned.task == "similarity"
    order = query.order if not scored or query.order in ("characters", "index") else "residual"
    key = _KEYS.get(order, f'row["{order}"]')
    if order == "residual" and not scored:
        key = 'row["index"]'  # labels have none: the rows stay as they are
    reverse = query.direction == "down" and not (order == "residual" and not scored)
    value = "residual" if scored else "loss"
    start = f"{(max(query.page, 1) - 1) * PAGE}"
    if not query.page:
        start = f'next((n for n, row in enumerate(passing) if row["index"] == {query.row}), 0) // {PAGE} * {PAGE}'
    tendency = (
        'result["mae"] = round(sum(abs(row["residual"]) for row in among) / len(among), 3)'
        if scored
        else 'golds, said = [row["gold"] for row in among], [row["predicted"] for row in among]\n'
        'result["matrix"] = confusion_matrix(golds, said, labels=labels).tolist()  # rows gold, columns predicted'
    )
    engine = (
        f"""
import pyarrow
import pyarrow.compute

# RE2, whose time grows linearly with the text
re2 = lambda text: pyarrow.compute.match_substring_regex(pyarrow.scalar(text), {query.pattern!r}).as_py()
"""
        if query.pattern and query.regex
        else ""
    )
    return f"""{engine}
# 5.3.2 The overall tendency ----------------------------------------------------
among = [row for row in rows{_if(wanted)}]
result = {{"rows": len(among), "right": sum(row["right"] for row in among)}}
{tendency if not wanted else _guard(tendency)}

# The rows, the worst first -----------------------------------------------------
passing = [row for row in among{_if(passing)}]
passing.sort(key=lambda row: {key}, reverse={reverse})
result["passing"] = len(passing)
start = {start}
shown = passing[start : start + 10]
result["first"] = [[row["index"], row["right"], round(row["{value}"], 3)] for row in shown]
print(result)
"""


def _if(conditions: list[str]) -> str:
    return f" if {' and '.join(conditions)}" if conditions else ""


def _guard(lines: str) -> str:
    """Where a text may be found in no row at all."""
    return "if among:\n" + "\n".join(f"    {line}" for line in lines.splitlines())


def _predict_with_core(source: str, learned: Learned) -> str:
    return f"""import numpy as np

from core.analysis.sources import open_source

# 5.3.1 What the model says of every example of the sample {learned.sample!r} ({learned.task})
table = open_source({source!r}).table
"""


def _own(source: str) -> str:
    opened = open_source(source)
    if not opened.columns:
        return f"""from pathlib import Path

import numpy as np

from core.analysis.sources import open_run
from core.training.folder import RunFolder

# 5.3.1 The predictions of a run on its validation part; give the run's own folder
table = open_run(RunFolder(Path("runs/{opened.model}"))).table
"""
    columns = dict(opened.columns)
    return f"""import numpy as np

from core.analysis.uploads import read_upload
from core.data.files import read_file

# 5.3.1 Predictions that lie in a file: put it into the project's folder
table = read_upload(read_file({called(source)!r}), task={opened.table.task!r}, columns={columns!r}).table
"""


def _count_with_core(query: Query, kind: Kind, labels: Sequence[str]) -> str:
    chosen = replace(
        query.chosen,
        gold=tuple(label for label in query.chosen.gold if label in labels),
        predicted=tuple(label for label in query.chosen.predicted if label in labels),
    )
    order, value = query.order, "loss"
    if kind == "number":
        order, value = order if order in ("characters", "index") else "residual", "residual"
    among = replace(chosen, outcome="all", gold=(), predicted=())
    start = f"{(max(query.page, 1) - 1) * PAGE}"
    if not query.page:
        start = f"int((passing == {query.row}).argmax()) // {PAGE} * {PAGE}"
    tendency = {
        "label": 'result["matrix"] = count_confusion(table, places=among).counts.tolist()',
        "number": 'result["mae"] = round(float(np.abs(table.residual[among]).mean()), 3)',
        "choice": "",
        "entities": """agreed = sum(len(set(table.gold[n]) & set(table.predicted[n])) for n in among)
total = sum(len(table.gold[n]) + len(table.predicted[n]) for n in among)
result["f1"] = round(2 * agreed / max(total, 1), 4)  # micro-averaged over entities'""".rstrip("'"),
    }[kind]
    confusion = "from core.analysis.confusion import count_confusion\n" if kind == "label" else ""
    return f"""
{confusion}from core.analysis.selection import Filter, select_rows, sort_rows

# 5.3.2 The overall tendency ----------------------------------------------------
among = select_rows(table, {_write(among)})
result = {{"rows": len(among), "right": int(table.correct[among].sum())}}
{tendency}

# The rows, the worst first -----------------------------------------------------
passing = select_rows(table, {_write(chosen)})
passing = sort_rows(table, passing, by={order!r}, descending={query.direction == "down"})
result["passing"] = len(passing)
start = {start}
result["first"] = [
    [int(table.index[n]), bool(table.correct[n]), round(float(table.{value}[n]), 3)]
    for n in passing[start : start + 10]
]
print(result)
"""


def _write(chosen: Filter) -> str:
    """A filter as it is written, without what is left at its default."""
    plain = Filter()
    named = ((field.name, getattr(chosen, field.name)) for field in fields(Filter))
    return f"Filter({', '.join(f'{name}={value!r}' for name, value in named if value != getattr(plain, name))})"
