"""The same numbers: rows, parts and leaks by the project's own functions, tokens by transformers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from core.data.benchmarks import TASKS
from core.data.own import MEASURING, DataSet, find_own, open_data
from core.data.survey import MOST_BINS, MOST_COMPARED, WIDTHS, list_labels
from core.presets import is_own
from tabs.datasets.scripts import path_in_script

if TYPE_CHECKING:
    from tabs.datasets.dataset import Query

SIZE = 10  # rows on a page
_READ_TOGETHER: Mapping[str, str] = MappingProxyType(
    {
        "classification": "example.text",
        "tagging": "example.text",
        "pair-classification": "example.first, example.second",
        "similarity": "example.first, example.second",
        "headline": "example.body",
        "reading": "example.question, example.context",
    }
)


def snippet(query: Query) -> str:
    """Rows, parts, leaks, labels and lengths, and the first rows of the page."""
    data = open_data(query.source)
    parts = [_read(query, data), _split(query), _leaks(query, data), _count(query, data)]
    return "".join([_imports(query, data), *parts])


def _imports(query: Query, data: DataSet) -> str:
    few = _is_small(query, data)
    lines = [
        "from collections import Counter",
        "",
        "from transformers import AutoTokenizer",
        "",
        "from core.data.copies import plant_copies" if query.copies else None,
        f"from core.data.leaks import {'find_leaks' if few else 'find_repeats'}",
        "from core.data.loading import load_examples",
        "from core.data.memorizing import score_memorizer" if _is_memorized(query, data) else None,
        "from core.data.source import DataSource",
        "from core.data.splits import Splits, draw_validation, texts_of",
        "from core.data.survey import labels_of",
        "from core.tasks.registry import find_task",
    ]
    return "\n".join(line for line in lines if line is not None) + "\n"


def _read(query: Query, data: DataSet) -> str:
    if is_own(query.source):
        own = find_own(query.source)
        place, columns = repr(own.called), f", columns={dict(own.columns)!r}"
        told = "the file, which has to lie in the project's folder"
    else:
        place, columns, told = repr(f"sample:{query.source}"), "", "the rows as examples of the task"
    return f"""
# 5.2.2 {told[0].upper()}{told[1:]}
task = find_task({data.task!r})
source = DataSource(train={place}{columns}, validation_share=0)
data = load_examples(task, source, seed={query.seed})
"""


def _split(query: Query) -> str:
    examples = "data.train"
    planted = ""
    if query.copies:
        examples = "examples"
        planted = f"examples, _ = plant_copies(data.train, share={query.copies / 100}, seed={query.seed})\n"
    grouped = "" if query.division == "grouped" else ", grouped=False"
    settings = f"share={query.share / 100}, seed={query.seed}, label_of=task.label_of{grouped}"
    return f"""
# 5.1.1 Training, validation and test -------------------------------------------
{planted}train, validation = draw_validation({examples}, {settings})
splits = Splits(train, validation, data.test)
result = {{"rows": [len(train), len(validation), len(data.test)], "broken": len(data.broken)}}
"""


def _leaks(query: Query, data: DataSet) -> str:
    few = _is_small(query, data)
    call = f"find_leaks(splits, similarity={query.likeness:g})" if few else "find_repeats(splits)"
    near = "sum(not leak.exact for leak in leaks)" if few else "None"
    lines = f"""leaks = {call}
result["leaks"] = [sum(leak.exact for leak in leaks), {near}]
"""
    if _is_memorized(query, data):
        lines += """learned = score_memorizer(train, validation)
result["memorized"] = [round(learned.train, 4), round(learned.held_out, 4)]
"""
    return lines


def _count(query: Query, data: DataSet) -> str:
    known = list_labels(data)
    label = query.label if query.label in known else ""
    found = [f"any({query.pattern!r} in text for text in texts_of(example))"] if query.pattern else []
    fitting = {"cut": [f"tokens > {query.max_length}"], "whole": [f"tokens <= {query.max_length}"]}.get(query.fit, [])
    chosen = [] if query.part == "all" else [f"part == {query.part!r}"]
    if label:
        chosen.append(f"{label!r} in labels_of(example)")
    return f"""
# 5.2.4 Tokens, special ones included, and labels ------------------------------
tokenizer = AutoTokenizer.from_pretrained({path_in_script(MEASURING)!r})


def count_tokens(example):
    return {_tokens(data.task)}


rows = [
    (part, example, count_tokens(example))
    for part in ("train", "validation", "test")
    for example in getattr(splits, part)
{_if(found)}]
kept = [(part, example, tokens) for part, example, tokens in rows{_inline(fitting)}]
counts = Counter((label, part) for part, example, _ in kept for label in labels_of(example))
result["labels"] = {{
    label: [counts[label, part] for part in ("train", "validation", "test")] for label in {list(known)!r}
}}
lengths = [tokens for part, example, tokens in rows{_inline(chosen)}]
longest = max(lengths, default=0)
widths = {WIDTHS}
width = next((width for width in widths if longest / width < {MOST_BINS}), -(-longest // {MOST_BINS}))
bins = Counter(tokens // width * width for tokens in lengths)
result["lengths"] = {{str(start): count for start, count in sorted(bins.items())}}
result["cut"] = sum(tokens > {query.max_length} for tokens in lengths)
shown = [(part, example, tokens) for part, example, tokens in kept{_inline(chosen)}]
start = min({(query.page - 1) * SIZE}, max(-(-len(shown) // {SIZE}) - 1, 0) * {SIZE})
result["shown"] = [
    [part, tokens, texts_of(example)[0][:20]] for part, example, tokens in shown[start : start + 5]
]
print(result)
"""


def _tokens(task: str) -> str:
    if task == "multiple-choice":
        return 'max(len(tokenizer(example.question, choice)["input_ids"]) for choice in example.choices)'
    return f'len(tokenizer({_READ_TOGETHER[task]})["input_ids"])'


def _if(conditions: list[str]) -> str:
    return f"    if {' and '.join(conditions)}\n" if conditions else ""


def _inline(conditions: list[str]) -> str:
    return f" if {' and '.join(conditions)}" if conditions else ""


def _is_small(query: Query, data: DataSet) -> bool:
    """Whether there are so few rows that near leaks are looked for."""
    copies = min(round(query.copies / 100 * len(data.examples)), len(data.examples))
    return len(data.examples) + len(data.test) + copies <= MOST_COMPARED


def _is_memorized(query: Query, data: DataSet) -> bool:
    return data.task == TASKS["reviews"] and query.share > 0 and _is_small(query, data) and len(data.examples) > 1
