"""Files of this machine as rows: CSV, TSV, JSONL, JSON, parquet and plain text, each also compressed by gzip.

A row that cannot be read is told with its line and its reason, and the others go on.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from core.data.rows import BrokenRow, Row, Table, make_table
from core.errors import InvalidInput

LARGEST_FILE = 200_000_000  # bytes, after decompression; as rows they take a few times as much memory
# A compressed file may grow so many times, so that what a visitor may upload bounds what it can fill: text and tables
# grow three to ten times, a bomb a thousand times. Small files are never held to it.
LARGEST_GROWTH = 20
_SMALL = 10_000_000  # bytes, after decompression
_LONGEST_RECORD = 1_000  # lines; a quoted cell that goes on longer has lost its closing quote
_CELL = 8  # bytes of a value in memory, a text's own not counted
# Ways of writing texts in parquet that may unpack to more than the pages they stand in.
_PACKED = frozenset({"PLAIN_DICTIONARY", "RLE_DICTIONARY", "DELTA_BYTE_ARRAY"})
_LARGEST_FIELD = 2**31 - 1  # the csv module refuses cells over 131,072 characters unless told otherwise
_ENCODINGS = ("utf-8", "cp932")
_DELIMITERS = (",", "\t", ";", "|")


def read_file(path: str) -> Table:
    """Read a file as rows, by the ending of its name.

    Raises:
        InvalidInput: ``error.data.no_file``, ``.file_kind`` (an ending nobody reads), ``.too_large`` (``limit``
            in MB, after decompression), ``.gzip``, ``.encoding`` (neither UTF-8 nor Shift_JIS), ``.parquet``,
            ``.json``, ``.empty`` (no row at all), each with ``source``, the file's name.
    """
    place = Path(path).expanduser()
    if not place.is_file():
        raise InvalidInput("error.data.no_file", source=place.name)
    endings = [ending.lower() for ending in place.suffixes]
    compressed = bool(endings) and endings[-1] == ".gz"
    kind = next(iter(endings[-2:-1] if compressed else endings[-1:]), "")
    if kind == ".parquet":
        table = _read_parquet(place, compressed=compressed)
    elif kind in (".csv", ".tsv", ".jsonl", ".json", ".txt"):
        text = decode(_read_bytes(place, compressed=compressed), source=place.name)
        table = {
            ".csv": _parse_csv,
            ".tsv": _parse_csv,
            ".jsonl": _parse_json_lines,
            ".json": _parse_json,
            ".txt": _parse_lines,
        }[kind](text, place.name)
    else:
        raise InvalidInput("error.data.file_kind", source=place.name)
    if not table.rows and not table.broken:
        raise InvalidInput("error.data.empty", source=place.name)
    return table


def decode(data: bytes, *, source: str) -> str:
    """Text of bytes in UTF-8 (with or without a mark), UTF-16 with a mark, or Shift_JIS as Windows writes it (cp932).

    The encoding that most lines agree with wins. What does not agree with it becomes lone surrogates, by which the rows
    it stands in are found to be broken.

    Raises:
        InvalidInput: ``error.data.encoding`` when less than half of the lines agree with any.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    lines = [line for line in data.split(b"\n") if not line.isascii()]
    agreeing = {encoding: sum(_agrees(line, encoding) for line in lines) for encoding in _ENCODINGS}
    best = max(_ENCODINGS, key=lambda encoding: agreeing[encoding])
    if 2 * agreeing[best] < len(lines) or b"\0" in data:
        raise InvalidInput("error.data.encoding", source=source)
    return data.decode(best, errors="surrogateescape").removeprefix("\ufeff")


def _agrees(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _read_bytes(path: Path, *, compressed: bool) -> bytes:
    limit = _limit(path, compressed=compressed)
    if path.stat().st_size > limit:
        raise _too_large(path, limit)
    if not compressed:
        return path.read_bytes()
    try:
        with gzip.open(path) as file:
            data = file.read(limit + 1)  # unpacks no more than that
    except (OSError, EOFError, zlib.error):
        raise InvalidInput("error.data.gzip", source=path.name) from None
    if len(data) > limit:
        raise _too_large(path, limit)
    return data


def _limit(path: Path, *, compressed: bool) -> int:
    """How many bytes a file may hold, after decompression."""
    return min(LARGEST_FILE, max(_SMALL, LARGEST_GROWTH * path.stat().st_size)) if compressed else LARGEST_FILE


def _too_large(path: Path, limit: int) -> InvalidInput:
    return InvalidInput("error.data.too_large", source=path.name, limit=max(1, limit // 10**6))


def _split_lines(text: str) -> list[str]:
    """Lines with their ends; not by `str.splitlines`, which also cuts at characters that may stand in a text."""
    return io.StringIO(text, newline=None).readlines()


def _parse_lines(text: str, source: str) -> Table:
    lines = (line.strip() for line in _split_lines(text))
    return make_table(source, [Row(number, {"text": line}) for number, line in enumerate(lines, start=1) if line])


def _parse_json_lines(text: str, source: str) -> Table:
    rows: list[Row] = []
    broken: list[BrokenRow] = []
    for number, line in enumerate(_split_lines(text), start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            broken.append(BrokenRow("", number, "error.data.not_json"))
            continue
        if isinstance(values, dict):
            rows.append(Row(number, values))
        else:
            broken.append(BrokenRow("", number, "error.data.not_object"))
    return make_table(source, rows, broken)


def _parse_json(text: str, source: str) -> Table:
    """One JSON value: a list of objects, ``{"data": [...]}``, columns, or SQuAD's nested form; or JSON lines after all.

    The official files of JGLUE end in .json and hold an object on every line.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        table = _parse_json_lines(text, source)
        if not table.rows:
            raise InvalidInput("error.data.json", source=source) from None
        return table
    if isinstance(values, dict):
        data = values.get("data")
        if isinstance(data, list):
            values = data
        elif values and all(isinstance(column, list) for column in values.values()):
            values = [dict(zip(values, cells, strict=False)) for cells in zip(*values.values(), strict=False)]
        else:
            values = [values]
    if not isinstance(values, list):
        raise InvalidInput("error.data.json", source=source)
    objects: list[Any] = []
    for value in values:
        if isinstance(value, dict) and isinstance(value.get("paragraphs"), list):
            objects.extend(_flatten_squad(value))
        else:
            objects.append(value)
    rows = [Row(number, value) for number, value in enumerate(objects, start=1) if isinstance(value, dict)]
    broken = [
        BrokenRow("", number, "error.data.not_object")
        for number, value in enumerate(objects, start=1)
        if not isinstance(value, dict)
    ]
    return make_table(source, rows, broken)


def _flatten_squad(article: dict[str, Any]) -> Iterator[Any]:
    for paragraph in article["paragraphs"]:
        if not isinstance(paragraph, dict):
            yield paragraph
            continue
        questions = paragraph.get("qas")
        for question in questions if isinstance(questions, list) else ():
            told = {"title": article.get("title", ""), "context": paragraph.get("context")}
            yield told | question if isinstance(question, dict) else question


def _read_parquet(path: Path, *, compressed: bool) -> Table:
    import pyarrow
    import pyarrow.parquet

    source: Any = pyarrow.BufferReader(_read_bytes(path, compressed=True)) if compressed else path
    limit = _limit(path, compressed=True)  # parquet compresses by itself
    values: list[dict[str, Any]] = []
    try:
        if _count_unpacked(source, limit) > limit:
            raise _too_large(path, limit)
        with pyarrow.parquet.ParquetFile(source) as file:
            for batch in file.iter_batches():
                values += batch.to_pylist()
    except (pyarrow.ArrowException, OSError, ValueError):
        raise InvalidInput("error.data.parquet", source=path.name) from None
    return make_table(path.name, [Row(number, row) for number, row in enumerate(values, start=1)])


def _count_unpacked(source: Any, limit: int) -> int:
    """How many bytes the values of a parquet file will take, counted without unpacking more than `limit` of them.

    A column of one value a billion times over is a few bytes in the file. The file's own table of contents says how
    many values there are and how large its pages become; only a text in a dictionary may stand in more rows than pages
    tell of, so that texts are left in their dictionaries and counted there. Texts written as what they share with the
    one before cannot be counted so: the library refuses them. A file whose table of contents lies is not found out.
    """
    import pyarrow.parquet

    metadata = pyarrow.parquet.read_metadata(source)
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    chunks = [group.column(number) for group in groups for number in range(metadata.num_columns)]
    widths = [max(_CELL, metadata.schema.column(number).length) for number in range(metadata.num_columns)] * len(groups)
    cells = metadata.num_rows * _CELL
    cells += sum(chunk.num_values * width for chunk, width in zip(chunks, widths, strict=True))
    if max(cells, sum(chunk.total_uncompressed_size for chunk in chunks)) > limit:
        return limit + 1
    texts = [chunk for chunk in chunks if chunk.physical_type == "BYTE_ARRAY"]
    packed = sorted({chunk.path_in_schema for chunk in texts if _PACKED & set(chunk.encodings)})
    size = cells + sum(chunk.total_uncompressed_size for chunk in texts if chunk.path_in_schema not in packed)
    with pyarrow.parquet.ParquetFile(source, metadata=metadata, read_dictionary=packed) as file:
        for number in range(len(groups) if packed else 0):
            for column in file.read_row_group(number, columns=packed).columns:
                size += sum(map(_count_texts, column.chunks))
    return size


def _count_texts(array: Any) -> int:
    """How many bytes the texts of an array take, each as often as it stands there, in lists and structures too."""
    import pyarrow
    import pyarrow.compute

    if pyarrow.types.is_dictionary(array.type):
        lengths = pyarrow.compute.binary_length(array.dictionary).cast("int64")
        return pyarrow.compute.sum(lengths.take(array.indices)).as_py() or 0
    if pyarrow.types.is_map(array.type):
        return _count_texts(array.keys) + _count_texts(array.items)
    if pyarrow.types.is_struct(array.type):
        return sum(map(_count_texts, array.flatten()))
    return _count_texts(array.flatten()) if pyarrow.types.is_nested(array.type) else 0


def _parse_csv(text: str, source: str) -> Table:
    lines = _split_lines(text)
    records = _read_records(lines, _find_delimiter(lines, tabs=source.lower().removesuffix(".gz").endswith(".tsv")))
    header: list[str] = []
    rows: list[Row] = []
    broken: list[BrokenRow] = []
    for number, cells in records:
        if not header:
            if cells is None:
                raise InvalidInput("error.data.header", source=source)
            header = [name.strip() for name in cells]
        elif cells is None:
            broken.append(BrokenRow("", number, "error.data.quote"))
        elif not cells or (len(header) > 1 and not any(cell.strip() for cell in cells)):
            continue  # a blank line
        elif len(cells) != len(header):
            params = {"cells": len(cells), "columns": len(header)}
            broken.append(BrokenRow("", number, "error.data.cells", params))
        else:
            rows.append(Row(number, dict(zip(header, cells, strict=True))))
    return make_table(source, rows, broken)


def _find_delimiter(lines: Sequence[str], *, tabs: bool) -> str:
    """What cuts the first lines into the most columns, the same number in each; a comma when nothing does."""
    if tabs and lines and "\t" in lines[0]:
        return "\t"

    def agreement(delimiter: str) -> tuple[int, int]:
        counts = [len(cells) if cells else 0 for _, cells in _read_records(lines[:20], delimiter)]
        columns = counts[0] if counts else 0
        return (sum(count == columns for count in counts), columns) if columns > 1 else (0, 0)

    return max(_DELIMITERS, key=agreement)


def _read_records(lines: Sequence[str], delimiter: str) -> Iterator[tuple[int, list[str] | None]]:
    """The first line (from 1) of each record and its cells; None for a line whose quotes do not close.

    Quotes in a tab-separated file are mostly just quotes: a line that cannot be read otherwise is cut at its tabs.
    """
    csv.field_size_limit(_LARGEST_FIELD)
    first = place = 0

    def feed() -> Iterator[str]:
        nonlocal place
        while place < len(lines) and place - first < _LONGEST_RECORD:
            place += 1
            yield lines[place - 1]

    reader = csv.reader(feed(), delimiter=delimiter, strict=True)
    while first < len(lines):
        try:
            cells: list[str] | None = next(reader, None)
            if cells is None:
                return
        except csv.Error:
            cells = lines[first].rstrip("\n").split(delimiter) if delimiter == "\t" else None
            place = first + 1  # go on after this line, with a reader that has forgotten the quote
            reader = csv.reader(feed(), delimiter=delimiter, strict=True)
        yield first + 1, cells
        first = place
