"""Files as they come: encodings, delimiters, quotes, and what is broken in them."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from core.data.files import read_file
from core.data.rows import Table
from core.errors import InvalidInput

ROOT = Path(__file__).parents[2]


def put(folder: Path, name: str, content: str | bytes) -> str:
    data = content.encode() if isinstance(content, str) else content
    (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return str(folder / name)


def values(table: Table) -> Sequence[dict[str, Any]]:
    return [dict(row.values) for row in table.rows]


ROWS = [{"text": "良い、映画", "label": "positive"}, {"text": "二行に\n渡る", "label": "negative"}]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", 'text,label\n"良い、映画",positive\n"二行に\n渡る",negative\n'),
        ("a.csv", 'text;label\r\n良い、映画;positive\r\n"二行に\r\n渡る";negative\r\n'),
        ("a.csv", '\ufefftext\tlabel\n良い、映画\tpositive\n\n"二行に\n渡る"\tnegative'),
        ("a.tsv", 'text\tlabel\n良い、映画\tpositive\n"二行に\n渡る"\tnegative\n'),
        ("a.csv.gz", 'text,label\n"良い、映画",positive\n"二行に\n渡る",negative\n'),
        ("a.jsonl", "\n".join(map(json.dumps, ROWS))),
        ("a.jsonl.gz", "\ufeff" + "\n\n".join(map(json.dumps, ROWS)) + "\n"),
        ("a.json", json.dumps(ROWS)),
        ("a.json", json.dumps({"data": ROWS})),
        ("a.json", "\n".join(map(json.dumps, ROWS))),  # as JGLUE does
        ("a.json", json.dumps({name: [row[name] for row in ROWS] for name in ("text", "label")})),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "cp932", "utf-16"])
def test_the_same_rows_in_many_forms(tmp_path: Path, name: str, content: str, encoding: str) -> None:
    data = content.encode(encoding) if encoding == "utf-8" else content.replace("\ufeff", "").encode(encoding)
    table = read_file(put(tmp_path, name, data))
    assert values(table) == ROWS
    assert table.columns == ("text", "label")
    assert table.broken == ()


def test_lines_of_text_and_of_rows_are_told(tmp_path: Path) -> None:
    assert values(read_file(put(tmp_path, "a.txt", "一\n\n 二　\r\n三\u2028四"))) == [
        {"text": "一"}, {"text": "二"}, {"text": "三\u2028四"},
    ]  # fmt: skip
    table = read_file(put(tmp_path, "a.csv", 'text,label\n"a\nb",x\nc,y\n'))
    assert [row.line for row in table.rows] == [2, 4]


def test_broken_lines_are_told_and_the_others_go_on(tmp_path: Path) -> None:
    text = 'text,label\nよい,a\nよい\nよい,b,c\n"閉じない,a\nふつう,b\n彼は"良い"と,c\n'
    table = read_file(put(tmp_path, "a.csv", text))
    assert [(row.line, row.key) for row in table.broken] == [
        (3, "error.data.cells"), (4, "error.data.cells"), (5, "error.data.quote"),
    ]  # fmt: skip
    assert table.broken[1].params == {"cells": 3, "columns": 2}
    assert [row.line for row in table.rows] == [2, 6, 7]
    assert table.rows[2].values["text"] == '彼は"良い"と'

    table = read_file(put(tmp_path, "a.jsonl", '{"text": "a"}\n{"text": \n[1]\n"x"\n{"text": "b"}\n' + "[" * 100_000))
    assert [(row.line, row.key) for row in table.broken] == [
        (2, "error.data.not_json"), (3, "error.data.not_object"), (4, "error.data.not_object"),
        (6, "error.data.not_json"),
    ]  # fmt: skip
    assert [row.line for row in table.rows] == [1, 5]
    assert len(read_file(put(tmp_path, "a.json", '[{"text": "a"}, 3, {"text": "b"}]')).broken) == 1


def test_quotes_of_a_tab_separated_file_are_just_quotes(tmp_path: Path) -> None:
    table = read_file(put(tmp_path, "a.tsv", 'text\tlabel\n"良い" 映画\ta\n"閉じない\tb\nふつう\tc\n'))
    assert [row["text"] for row in values(table)] == ['"良い" 映画', '"閉じない', "ふつう"]
    assert not table.broken


def test_a_lost_quote_does_not_swallow_a_large_file(tmp_path: Path) -> None:
    lines = ["text,label", *(f'"開いたまま{n},a' if n % 10 == 0 else f"文{n},b" for n in range(1, 5001))]
    table = read_file(put(tmp_path, "a.csv", "\n".join(lines)))
    # Two lost quotes in a row look like one cell of many lines; nothing is read twice, and no more than that is lost.
    places = [*(row.line for row in table.rows), *(row.line for row in table.broken)]
    assert len(set(places)) == len(places)
    assert max(places) > 4_900
    assert all(row.key in ("error.data.quote", "error.data.cells") for row in table.broken)
    one = read_file(put(tmp_path, "b.csv", "\n".join(["text,label", '"開いたまま,a', *lines[1:9], *["文,b"] * 3000])))
    assert [(row.line, row.key) for row in one.broken] == [(2, "error.data.quote")]
    assert len(one.rows) == 3008


def test_a_broken_byte_breaks_its_row_only(tmp_path: Path) -> None:
    good = "text,label\n良い映画,a\n".encode()
    table = read_file(put(tmp_path, "a.csv", good + b"\x93\xfa\xff,b\n" + "悪い映画,b\n".encode() * 3))
    assert table.rows[0].values["text"] == "良い映画"
    assert "\udc93" in table.rows[1].values["text"]  # found by whoever reads the cells
    assert table.rows[2].values["text"] == "悪い映画"


def test_a_huge_cell_is_read_as_one(tmp_path: Path) -> None:
    table = read_file(put(tmp_path, "a.csv", "text,label\n" + "あ" * 2_000_000 + ",a\nよい,b\n"))
    assert [len(row["text"]) for row in values(table)] == [2_000_000, 2]


def test_squad_comes_nested(tmp_path: Path) -> None:
    answers = [{"text": "奈良", "answer_start": 0}]
    paragraph = {"context": "奈良の都", "qas": [{"id": "1", "question": "どこの都?", "answers": answers}]}
    table = read_file(put(tmp_path, "a.json", json.dumps({"data": [{"title": "都", "paragraphs": [paragraph, 1]}]})))
    assert values(table) == [
        {"title": "都", "context": "奈良の都", "id": "1", "question": "どこの都?", "answers": answers}
    ]
    assert [row.key for row in table.broken] == ["error.data.not_object"]
    bent = [{"paragraphs": [paragraph | {"qas": ["どこ?", None]}, paragraph | {"qas": 3}, paragraph]}]
    table = read_file(put(tmp_path, "b.json", json.dumps(bent)))
    assert [row["question"] for row in values(table)] == ["どこの都?"]
    assert len(table.broken) == 2


def test_parquet(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    rows = [{"text": "よい", "choices": ["a", "b"], "label": 1}, {"text": None, "choices": [], "label": None}]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    assert values(read_file(str(tmp_path / "a.parquet"))) == rows
    put(tmp_path, "b.parquet.gz", (tmp_path / "a.parquet").read_bytes())
    assert values(read_file(str(tmp_path / "b.parquet.gz"))) == rows


@pytest.mark.parametrize(
    ("name", "content", "key"),
    [
        ("a.xlsx", b"PK", "error.data.file_kind"),
        ("a", b"x", "error.data.file_kind"),
        ("a.gz", b"x", "error.data.file_kind"),
        ("a.csv", b"", "error.data.empty"),
        ("a.csv", b"text,label\n", "error.data.empty"),
        ("a.jsonl", b"\n\n", "error.data.empty"),
        ("a.txt", " \n　\n".encode(), "error.data.empty"),
        ("a.json", b"[]", "error.data.empty"),
        ("a.json", b"{broken", "error.data.json"),
        ("a.json", b"3", "error.data.json"),
        ("a.csv", b'"text,label\na,b\n', "error.data.header"),
        ("a.csv", b"PK\x03\x04\x00\xff\xfe\x81" * 50, "error.data.encoding"),
        ("a.csv", bytes(range(128, 256)) * 20, "error.data.encoding"),
        ("a.parquet", b"PAR1 no parquet", "error.data.parquet"),
        ("a.parquet", b"", "error.data.parquet"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path: Path, name: str, content: bytes, key: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInput) as caught:
        read_file(str(tmp_path / name))
    assert caught.value.key == key
    assert caught.value.params["source"] == name


def test_broken_compression_and_missing_files_are_told(tmp_path: Path) -> None:
    whole = gzip.compress(b'{"text": "a"}\n' * 1000)
    for broken in (b"no gzip", whole[: len(whole) // 2], whole[:20] + b"\xff\xff" + whole[22:]):
        (tmp_path / "a.jsonl.gz").write_bytes(broken)
        with pytest.raises(InvalidInput) as caught:
            read_file(str(tmp_path / "a.jsonl.gz"))
        assert caught.value.key == "error.data.gzip"
    for place in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(InvalidInput) as caught:
            read_file(str(place))
        assert caught.value.key == "error.data.no_file"
        assert str(tmp_path) not in str(caught.value.params)


def test_a_file_may_not_be_endless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.data.files.LARGEST_FILE", 100)
    for name in ("a.txt", "a.txt.gz"):
        with pytest.raises(InvalidInput) as caught:
            read_file(put(tmp_path, name, "a" * 1000))
        assert caught.value.key == "error.data.too_large"


@pytest.mark.parametrize("ending", ["txt", "json", "jsonl", "csv"])
def test_a_small_file_may_not_unpack_to_a_huge_one(tmp_path: Path, ending: str) -> None:
    """Fifty megabytes of one line are fifty kilobytes: refused without being unpacked to the end."""
    name = f"a.{ending}.gz"
    (tmp_path / name).write_bytes(gzip.compress(b'{"text": "a"}\n' * 4_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(InvalidInput) as caught:
            read_file(str(tmp_path / name))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (caught.value.key, caught.value.params) == ("error.data.too_large", {"source": name, "limit": 10})
    assert peak < 30_000_000


def test_a_compressed_file_may_grow_as_texts_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.data.files._SMALL", 100)
    lines = [f"{number:08}{hash(number) % 1_000_003}" for number in range(10_000)]  # grows about threefold
    assert len(read_file(put(tmp_path, "a.txt.gz", "\n".join(lines))).rows) == 10_000
    monkeypatch.setattr("core.data.files.LARGEST_GROWTH", 2)
    with pytest.raises(InvalidInput) as caught:
        read_file(put(tmp_path, "a.txt.gz", "\n".join(lines)))
    assert caught.value.key == "error.data.too_large"


MEASURE = """
import sys
from pathlib import Path
import pyarrow.parquet
from core.data import files
from core.errors import InvalidInput

def peak():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])

before = peak()
try:
    files.read_file(sys.argv[1])
except InvalidInput as error:
    print(error.key, peak() - before)
"""


def write_bomb(path: Path, shape: str) -> None:
    """A parquet file of a few kilobytes that starts small and holds gigabytes."""
    import pyarrow
    import pyarrow.parquet

    offsets = [0, 1, 1_001]

    def packed(indices: Sequence[int]) -> Any:
        return pyarrow.DictionaryArray.from_arrays(pyarrow.array(indices, "int32"), ["a", "あ" * 1_000_000])

    in_lists = pyarrow.ListArray.from_arrays(offsets, packed([0] + [1] * 1_000))
    column = {
        "text": lambda: packed([1] * 1_000),
        "later": lambda: packed([0] * 300 + [1] * 1_000),
        "list": lambda: in_lists,
        "structure": lambda: pyarrow.StructArray.from_arrays([in_lists], ["texts"]),
        "map": lambda: pyarrow.MapArray.from_arrays(offsets, list(range(1_001)), packed([0] + [1] * 1_000)),
        "page": lambda: pyarrow.array(["a"] * 300 + ["b" * 100_000] * 3_000),
        "prefix": lambda: pyarrow.array(["a"] * 300 + ["b" * 100_000] * 3_000),
        "number": lambda: pyarrow.array([7] * 20_000_000),
        "bytes": lambda: pyarrow.array([b"x" * 5_000] * 100_000, pyarrow.binary(5_000)),
    }[shape]()
    encoding = {"page": "PLAIN", "prefix": "DELTA_BYTE_ARRAY"}.get(shape)
    pyarrow.parquet.write_table(
        pyarrow.table({"t": column}),
        path,
        compression="zstd",
        write_statistics=False,
        dictionary_pagesize_limit=10_000_000,
        use_dictionary=encoding is None,
        column_encoding=encoding and {"t": encoding},
    )


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process's own peak of memory")
@pytest.mark.parametrize("shape", ["text", "later", "list", "structure", "map", "page", "prefix", "number", "bytes"])
def test_a_small_parquet_file_does_not_fill_the_memory_before_it_is_refused(tmp_path: Path, shape: str) -> None:
    path = tmp_path / "a.parquet"
    write_bomb(path, shape)
    assert path.stat().st_size < 60_000
    command = [sys.executable, "-c", MEASURE, str(path)]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert told[0] == ("error.data.parquet" if shape == "prefix" else "error.data.too_large")
    assert int(told[1]) < 60_000, "kilobytes: the file may hold ten megabytes"


def test_parquet_of_every_form_is_read(tmp_path: Path) -> None:
    """Texts in lists, structures and maps, with and without dictionaries, beside numbers and what is missing."""
    import pyarrow
    import pyarrow.parquet

    rows = [
        {"text": f"文{n}", "label": "ab"[n % 2], "list": ["x", None] * (n % 2), "deep": {"a": [{"b": "y"}], "c": None},
         "map": [(n, "z")], "number": n, "none": None, "bytes": b"\x00"}
        for n in range(1_000)
    ]  # fmt: skip
    kinds = {"map": pyarrow.map_(pyarrow.int64(), pyarrow.string())}
    columns = {name: pyarrow.array([row[name] for row in rows], kinds.get(name)) for name in rows[0]}
    for dictionary in (True, False, ["label"]):
        pyarrow.parquet.write_table(
            pyarrow.table(columns), tmp_path / "a.parquet", use_dictionary=dictionary, row_group_size=300
        )
        assert values(read_file(str(tmp_path / "a.parquet"))) == rows


def test_a_parquet_file_may_not_unpack_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table({"text": ["同じ文" * 100] * 10_000}), tmp_path / "a.parquet")
    assert len(read_file(str(tmp_path / "a.parquet")).rows) == 10_000
    monkeypatch.setattr("core.data.files.LARGEST_FILE", 100_000)
    assert (tmp_path / "a.parquet").stat().st_size < 100_000
    with pytest.raises(InvalidInput) as caught:
        read_file(str(tmp_path / "a.parquet"))
    assert caught.value.key == "error.data.too_large"
