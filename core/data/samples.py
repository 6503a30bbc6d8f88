"""The bundled samples, written for this project (CC0): assets/samples/*.jsonl."""

from __future__ import annotations

from core.data.files import read_file
from core.data.rows import Row, Table, make_table
from core.errors import InvalidInput
from core.i18n import ASSETS

SAMPLES = ("reviews", "inference", "similarity", "choices", "entities", "articles", "passages", "quiz")


def read_sample(name: str, *, part: str) -> Table:
    """The rows of a sample that belong to a part.

    A sample with a column ``split`` keeps its test rows apart: they are the rows of every part but ``train``. Questions
    of the quiz come with the passage that answers them, as ``title`` and ``context``.

    Raises:
        InvalidInput: ``error.data.unknown_sample`` with ``name`` and the ``known`` ones.
    """
    if name not in SAMPLES:
        raise InvalidInput("error.data.unknown_sample", name=name[:40], known=", ".join(SAMPLES))
    table = read_file(str(ASSETS / "samples" / f"{name}.jsonl"))
    rows = list(table.rows)
    if "split" in table.columns:
        rows = [row for row in rows if (row.values["split"] == "train") == (part == "train")]
    if name == "quiz":
        passages = {row.values["id"]: row.values for row in read_sample("passages", part="train").rows}
        rows = [Row(row.line, _join(row, passages[row.values["passage_id"]])) for row in rows]
    return make_table(f"sample:{name}", rows, table.broken)


def has_test(name: str) -> bool:
    """Whether a sample keeps rows apart for testing."""
    return name in SAMPLES and "split" in read_file(str(ASSETS / "samples" / f"{name}.jsonl")).columns


def _join(row: Row, passage: object) -> dict[str, object]:
    values = dict(passage) if isinstance(passage, dict) else {}
    return dict(row.values) | {"title": values.get("title", ""), "context": values.get("text", "")}
