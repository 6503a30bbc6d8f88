"""Surveys of data sets: every count against counting by hand, and files that visitors brought."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import pytest

from core.data.benchmarks import JGLUE, SAMPLES, TASKS, find_benchmark
from core.data.examples import ScoredPair
from core.data.own import MEASURING, find_own, measuring_tokenizer, new_name, open_data, take_in
from core.data.samples import read_sample
from core.data.splits import normalize_content, texts_of
from core.data.survey import PARTS, Chosen, SplitPlan, labels_of, list_labels, survey
from core.errors import InvalidInput
from core.jobs import finish
from core.presets import ENCODERS, ids
from core.values import as_json

PLAN = SplitPlan()


@pytest.mark.parametrize("name", SAMPLES)
def test_every_row_of_a_sample_is_counted_once(name: str) -> None:
    data = open_data(name)
    rows = [row.line for part in ("train", "test") for row in read_sample(name, part=part).rows]
    whole = len(set(rows))
    for plan in (PLAN, SplitPlan(share=0.0), SplitPlan(share=0.5, grouped=False, seed=7)):
        found = survey(data, plan, Chosen(), max_length=32)
        assert sum(found.parts) == whole == found.lengths.rows == found.total == sum(found.lengths.counts)
        assert found.parts[2] == len(data.test)
        assert not found.broken
    json.dumps(as_json(found))
    assert MEASURING in ids(ENCODERS)
    tokenizer = measuring_tokenizer()
    first, *others = texts_of(data.examples[0])
    pairs: list[tuple[str, ...]] = [(first, other) for other in others] or [(first,)]
    expected = max(len(tokenizer(*pair)["input_ids"]) for pair in pairs)
    assert data.lengths[0] == expected


def test_labels_and_lengths_count_what_passes_the_other_filters() -> None:
    data = open_data("reviews")
    found = survey(data, PLAN, Chosen(label="negative", pattern="店", fit="cut"), max_length=40)
    rows = list(zip((*data.examples, *data.test), (*data.lengths, *data.test_lengths), strict=True))
    having = [(example, length) for example, length in rows if "店" in example.text]
    counts = Counter(example.label for example, length in having if length > 40)
    assert {one.label: sum(one.counts) for one in found.labels} == counts
    negative = [length for example, length in having if example.label == "negative"]
    assert (found.lengths.rows, found.lengths.cut) == (len(negative), sum(length > 40 for length in negative))
    width = found.lengths.width
    bins = Counter(length // width for length in negative)
    assert [bins[place] for place in range(len(found.lengths.counts))] == list(found.lengths.counts)
    assert found.total == counts["negative"]
    assert all(row.cut and row.labels == ("negative",) and "店" in row.texts[0] for row in found.rows)


def test_labels_keep_their_order_whatever_is_counted() -> None:
    orders = {
        "reviews": ("positive", "negative"),
        "inference": ("entailment", "contradiction", "neutral"),
        "choices": ("1", "2", "3", "4", "5"),
    }
    for name, order in orders.items():
        data = open_data(name)
        assert list_labels(data) == order
        found = survey(data, SplitPlan(seed=1), Chosen(part="validation"), max_length=32)
        assert tuple(one.label for one in found.labels) == order
    bands = list_labels(open_data("similarity"))
    assert bands == tuple(sorted(bands, key=lambda band: float(band[:3])))
    assert len(bands) == 10
    scores = (0.0, 0.49, 0.5, 4.5, 5.0, 5.2, -0.1)
    told = [labels_of(ScoredPair("a", "b", score))[0] for score in scores]
    assert told == ["0.0–0.5", "0.0–0.5", "0.5–1.0", "4.5–5.0", "4.5–5.0", "5.0–5.5", "-0.5–0.0"]
    assert list_labels(open_data("entities"))[-1] == "-"
    assert list_labels(open_data("quiz")) == ()


def test_pages_and_the_row_that_is_read() -> None:
    data = open_data("inference")
    first = survey(data, PLAN, Chosen(), max_length=20)
    last = survey(data, PLAN, Chosen(), max_length=20, page=10**6)
    assert (first.page, last.page, last.pages) == (1, 15, 15)
    places = [row.place for number in range(1, 16) for row in survey(data, PLAN, Chosen(), max_length=20,
              page=number).rows]  # fmt: skip
    assert sorted(places) == list(range(150))
    row = first.rows[3]
    read = survey(data, PLAN, Chosen(), max_length=20, row=row.place)
    assert read.opened == row.place
    (shown,) = (one for one in read.rows if one.record)
    assert shown.record["sentence1"] == row.texts[0]
    kept = [sum(piece.kept for piece in text) for text in shown.pieces]
    assert sum(kept) + 3 == 20
    assert sum(map(len, shown.pieces)) + 3 == row.tokens
    tokenizer = measuring_tokenizer()
    cut = tokenizer(*row.texts, max_length=20, truncation=True)["token_type_ids"]
    assert kept == [cut.count(0) - 2, cut.count(1) - 1]
    assert survey(data, PLAN, Chosen(pattern="そんな言葉はない"), max_length=20).rows == ()
    assert survey(data, PLAN, Chosen(label="positive"), max_length=20).chosen.label == ""


def test_copies_leak_when_each_row_is_drawn_for_itself() -> None:
    data = open_data("reviews")
    loose = survey(data, SplitPlan(copies=0.2, grouped=False), Chosen(), max_length=64)
    assert loose.parts == (384, 96, 200)
    assert loose.copied == 80
    assert loose.leaks.exact > 5
    assert loose.memorized is not None
    assert loose.memorized.repeats == loose.leaks.exact + (loose.leaks.near or 0)
    assert loose.memorized.repeated == 1.0
    assert loose.memorized.fresh is not None
    assert loose.memorized.fresh < loose.memorized.held_out
    tight = survey(data, SplitPlan(copies=0.2), Chosen(), max_length=64)
    assert tight.leaks.exact == 0
    assert tight.leaks.near  # another last mark makes it another content
    told = loose.leaks.told[0]
    assert told.similarity == 1.0
    assert normalize_content(told.texts[0][0]) == normalize_content(told.texts[1][0])
    assert told.lines[0] == told.lines[1]
    copies = [row for page in range(1, 69) for row in survey(data, SplitPlan(copies=0.2), Chosen(), max_length=64,
              page=page).rows if row.copied]  # fmt: skip
    assert len(copies) == 80


def write(path: Path, rows: list[list[str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAB_WORKSPACE", str(tmp_path / "workspace"))
    folder = tmp_path / "workspace" / ("0" * 32)
    folder.mkdir(parents=True)
    return folder


def bring(workspace: Path, path: Path, **columns: str) -> str:
    name = new_name(path.name)
    counts = finish(take_in(path, path.name, "classification", columns, (workspace, name)))
    assert counts["rows"] == len(open_data(name).examples)
    return name


def test_a_file_is_kept_with_its_broken_rows_and_its_lines(workspace: Path, tmp_path: Path) -> None:
    rows = [["感想", "評価", "店"], *([f"{n}番目の店です。", "良悪"[n % 2], "x"] for n in range(40))]
    rows[8] = ["列が足りない"]
    rows[21] = ["", "良", "x"]
    path = write(tmp_path / "mine.csv", rows)
    name = bring(workspace, path, text="感想", label="評価")
    assert not path.exists()
    data = open_data(name)
    assert (data.called, data.unread, dict(data.read_as)) == ("mine.csv", ("店",), {"text": "感想", "label": "評価"})
    assert {row.line for row in data.broken} == {9, 22}
    assert [row.key for row in data.broken] == ["error.data.cells", "error.data.empty_cell"]
    assert data.lines == tuple(line for line in range(2, 42) if line not in (9, 22))
    assert all(data.examples[index].text == rows[line - 1][0] for index, line in enumerate(data.lines))
    found = survey(data, PLAN, Chosen(), max_length=64)
    assert (sum(found.parts), found.broken, len(found.told)) == (38, 2, 2)
    assert find_own(name).columns == {"text": "感想", "label": "評価"}
    assert [column.kind for column in found.columns] == ["text", "label", None]


def test_what_is_gone_or_was_never_there_is_told(workspace: Path, tmp_path: Path) -> None:
    name = bring(
        workspace, write(tmp_path / "a.csv", [["text", "label"], ["よい文です。", "a"], ["悪い文です。", "b"]])
    )
    for file in (workspace / "data").iterdir():
        file.unlink()
    for source, key in (
        (name, "error.dataset.gone"),
        ("mine:../../x:" + "0" * 31, "error.dataset.gone"),
        ("mine:" + "*" * 40, "error.dataset.gone"),
        ("nothing", "error.dataset.unknown"),
    ):
        with pytest.raises(InvalidInput) as told:
            open_data(source)
        assert told.value.key == key
    with pytest.raises(ValueError, match="new_name"):
        finish(take_in(write(tmp_path / "b.csv", [["text", "label"], ["文です。", "a"]]), "b", "classification", {},
                       (workspace, "mine:b")))  # fmt: skip


def test_many_rows_are_searched_for_the_very_same_alone(workspace: Path, tmp_path: Path) -> None:
    rows = [[f"{n % 1100}番目の店に行った。", "ab"[n % 2]] for n in range(2_200)]
    found = survey(open_data(bring(workspace, write(tmp_path / "many.csv", [["text", "label"], *rows]))),
                   SplitPlan(grouped=False), Chosen(), max_length=64)  # fmt: skip
    assert found.leaks.near is None
    assert found.leaks.exact > 200
    assert found.memorized is None


def test_the_benchmark_names_samples_that_are_there() -> None:
    assert {one.sample for one in JGLUE} - {""} <= set(TASKS)
    assert [one.name for one in JGLUE] == ["MARC-ja", "JCoLA", "JSTS", "JNLI", "JSQuAD", "JCommonsenseQA"]
    found = find_benchmark("reviews")
    assert found is not None
    assert (found.train, *found.validation, found.test) == (187_528, 5_654, 5_639)
    assert find_benchmark("entities") is None
    assert PARTS == ("train", "validation", "test")
