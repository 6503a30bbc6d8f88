"""The tables of the README, made from the code: ``python -m tests.readme`` writes them, a test compares."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from core.bundled.scores import scores_table
from core.i18n import translate
from core.presets import HEADS, MODELS, TOKENIZERS, locate
from core.sections import leaves
from core.settings import LIMITS, MODES, settings_table
from tabs import EXHIBITS

README = Path(__file__).parent.parent / "README.md"


def exhibits_table() -> str:
    """Every exhibit with its sections and its address."""
    rows = [
        f"| {', '.join(e.sections)} | {translate(f'{e.slug}.title', 'ja')} | {translate(f'{e.slug}.question', 'ja')} "
        f"| `?tab={e.slug}` |"
        for e in EXHIBITS
    ]
    done = {number for e in EXHIBITS for number in e.sections}
    covered = sum(section.number in done for section in leaves())
    count = f"\n\n{covered} of the book's {len(leaves())} sections can be touched today; the contents page lists all."
    return "\n".join(("| section | exhibit | question | address |", "|---|---|---|---|", *rows)) + count


def presets_table() -> str:
    """Every model and tokenizer offered by name; of the bundled ones those that are there."""
    rows = [
        f"| `{p.id}` | {p.task} | {'bundled' if p.bundled else 'Hub'} | {p.megabytes:g} | {p.licence} |"
        for p in (*MODELS, *HEADS, *TOKENIZERS)
        if not p.bundled or Path(locate(p.id, (p,))).exists()
    ]
    return "\n".join(("| name | for | where | MB | licence |", "|---|---|---|---|---|", *rows))


def modes_table() -> str:
    """What each mode allows."""
    rows = {
        "longest text, characters": [f"{LIMITS[m].text_characters:,}" for m in MODES],
        "largest upload, MB": [f"{LIMITS[m].upload_bytes / 1e6:g}" for m in MODES],
        "storage of a visitor, MB": [f"{LIMITS[m].workspace_bytes / 1e6:g}" for m in MODES],
        "kept after the last use, hours": [f"{LIMITS[m].workspace_seconds / 3600:g}" for m in MODES],
        "requests of a visitor in a minute": [f"{LIMITS[m].requests_per_minute or '–'}" for m in MODES],
        "any model id of the Hub": ["yes" if LIMITS[m].hub_models else "catalogue only" for m in MODES],
        "models fetched from the Hub": ["yes" if LIMITS[m].downloads else "no" for m in MODES],
        "model folders of the machine": ["yes" if LIMITS[m].local_folders else "no" for m in MODES],
        "training, and cross-validation": ["yes" if LIMITS[m].training else "no" for m in MODES],
        "models of the catalogue that are a pickle only": ["yes" if LIMITS[m].pickles else "no" for m in MODES],
        "the traceback of a failure": ["in a fold" if LIMITS[m].tracebacks else "a number" for m in MODES],
    }
    body = [f"| {name} | {' | '.join(values)} |" for name, values in rows.items()]
    return "\n".join((f"| | {' | '.join(f'`{m}`' for m in MODES)} |", "|---|---|---|---|", *body))


TABLES: Mapping[str, Callable[[], str]] = {
    "settings": settings_table,
    "modes": modes_table,
    "exhibits": exhibits_table,
    "presets": presets_table,
    "scores": scores_table,
}


def rendered(text: str) -> str:
    """The README with each table between its two comments made anew."""
    for name, table in TABLES.items():
        block = f"<!-- {name} -->\n{table()}\n<!-- /{name} -->"
        text = re.sub(rf"<!-- {name} -->.*?<!-- /{name} -->", lambda _, block=block: block, text, flags=re.DOTALL)  # type: ignore[misc]
    return text


if __name__ == "__main__":
    README.write_text(rendered(README.read_text(encoding="utf-8")), encoding="utf-8")
