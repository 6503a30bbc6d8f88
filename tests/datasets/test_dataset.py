"""The page of a data set: drawn for every kind of data, its files read by a job, its scripts, its escapes."""

from __future__ import annotations

import csv
import html
import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core import query as queries
from core.data.benchmarks import JGLUE, SAMPLES
from core.errors import InvalidInput
from core.i18n import LOCALES, translate
from core.jobs import State
from core.settings import LIMITS, MODES, ROOT, Settings
from core.values import as_json
from core.workspaces import new_identity
from tabs._kit import uploading
from tabs._kit.context import Context, open_context
from tabs._kit.events import admit
from tabs.datasets.dataset import INTAKE, Query, evidence, explore, show, snippet
from tests.exhibits.test_exhibits import alike

NASTY = '<img src=x onerror="alert(1)">&amp;<b>'


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Context]:
    monkeypatch.setenv("LAB_WORKSPACE", str(tmp_path / "workspace"))
    opened = open_context(Settings("127.0.0.1", 0, "local", tmp_path / "workspace", ROOT / "assets/models"))
    yield opened
    opened.jobs.close()


def write(path: Path, rows: list[list[str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def bring(context: Context, path: Path, task: str = "classification", **columns: str) -> str:
    """The source that a file becomes."""
    job, source = uploading.submit(INTAKE, path, task, columns, context, new_identity())
    deadline = time.monotonic() + 60
    while (told := context.jobs.view(job)) is not None and not told.ended and time.monotonic() < deadline:
        time.sleep(0.01)
    assert told is not None
    if told.error:
        raise InvalidInput(told.error)
    assert told.state is State.DONE
    return source


def run(query: Query) -> Any:
    space: dict[str, Any] = {}
    exec(compile(snippet(query), "snippet", "exec"), space)
    return json.loads(json.dumps(space["result"]))


@pytest.mark.parametrize(
    "query",
    [
        *(Query(source=name, row=0, max_length=24) for name in SAMPLES),
        Query(pattern="店", fit="cut", label="negative", part="test", page=2, max_length=30),
        Query(copies=30, division="random", likeness=0.6, seed=3, part="validation"),
        Query(source="inference", share=0, fit="whole", max_length=40, page=10**6),
        Query(source="entities", label="-", copies=10),
        Query(source="similarity", label="4.5–5.0"),
        Query(source="choices", label="positive", pattern="'\"\\"),
        Query(pattern="どこにもない言葉"),
    ],
    ids=lambda query: f"{query.source}-{query.label}-{query.division}-{query.fit}",
)
def test_every_kind_is_drawn_and_its_script_gives_the_same(query: Query) -> None:
    result = explore(query)
    for locale in LOCALES:
        overview, split, rows, benchmarks = show(result, locale)
        assert ("lab-histogram" in overview) == bool(result.lengths.rows)
        assert ("lab-detail" in rows) == (result.opened is not None)
        assert split.count("lab-part-box") == sum(size > 0 for size in result.parts)
        assert all(one.name in benchmarks for one in JGLUE)
    json.dumps(as_json(result))
    assert alike(run(query), json.loads(json.dumps(evidence(result))))


def test_a_column_of_the_picture_moves_the_line_so_that_it_stands_behind_it() -> None:
    result = explore(Query())
    overview = show(result, "ja")[0]
    picks = [json.loads(html.unescape(one)) for one in re.findall(r'lab-column[^>]*data-pick="([^"]*)"', overview)]
    assert len(picks) == len(result.lengths.counts)
    for place, pick in enumerate(picks):
        if pick["max_length"] > 8:
            found = explore(queries.make(Query, pick))
            assert found.lengths.cut == sum(result.lengths.counts[place + 1 :])


def test_a_chip_shows_as_many_rows_as_it_says() -> None:
    rows = show(explore(Query()), "ja")[2]
    filters = rows.partition("lab-rows")[0]
    picks = [json.loads(html.unescape(one)) for one in re.findall(r'data-pick="([^"]*)"', filters)]
    seen = {tuple(pick.items()) for pick in picks}
    assert len(seen) == len(picks) == 4 + 2 + 3
    for pick in picks:
        assert 0 < explore(queries.make(Query, pick)).total <= 600


def test_a_set_of_the_benchmark_opens_the_sample_of_its_form() -> None:
    drawn = show(explore(Query(source="inference", label="neutral", page=2)), "ja")[3]
    found = re.findall(r'data-pick="([^"]*)" aria-pressed="(true|false)"', drawn)
    picks = [(json.loads(html.unescape(pick)), chosen) for pick, chosen in found]
    assert [pick["source"] for pick, chosen in picks if chosen == "true"] == ["inference"]
    assert len(picks) == 5
    for pick, _ in picks:
        assert explore(queries.make(Query, pick)).total > 0


def test_a_file_with_odd_names_and_broken_rows_loses_nothing_silently(context: Context, tmp_path: Path) -> None:
    rows = [
        ["感想", "評価", "店"],
        *([f"{n}番目の店はとてもよかった。", "良悪"[n % 2], NASTY] for n in range(60)),
    ]
    rows[5], rows[30], rows[31] = ["途中で終わる"], ["", "良", "x"], ["よい店だ。", "", "x"]
    path = write(tmp_path / "変な 名前.csv", rows)
    named = INTAKE.guess(uploading.peek(path))
    columns, sure = INTAKE.match(uploading.peek(path), named)
    assert (named, columns, sure) == ("classification", {"text": "感想", "label": "評価"}, False)
    source = bring(context, path, **columns)
    result = explore(Query(source=source))
    assert (sum(result.parts), result.broken) == (57, 3)
    assert result.called == "変な 名前.csv"
    assert not list(context.workspaces.folder.glob("*/uploads/*"))
    for locale in LOCALES:
        drawn = html.unescape(show(result, locale)[0])
        for reason in (
            translate("error.data.cells", locale, cells=1, columns=3),
            translate("error.data.empty_cell", locale, column="text"),
            translate("error.data.empty_cell", locale, column="label"),
        ):
            assert reason in drawn


def test_thirty_megabytes_in_one_cell_are_set_aside_with_their_line(context: Context, tmp_path: Path) -> None:
    rows = [["text", "label"], *([f"{n}番目の店です。", "良悪"[n % 2]] for n in range(20))]
    rows.insert(1, ["長" * 10_000_000, "良"])
    path = write(tmp_path / "big.csv", rows)
    assert path.stat().st_size > 30_000_000
    named = INTAKE.guess(uploading.peek(path))
    result = explore(Query(source=bring(context, path, named)))
    assert (sum(result.parts), result.broken) == (20, 1)
    assert [row.line for row in result.told] == [2]
    assert len("".join(show(result, "ja"))) < 200_000


def test_the_script_of_a_file_reads_the_file(context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [["感想", "評価"], *([f"{n}番目の店です。", "良悪"[n % 2]] for n in range(50)), ["だけ"]]
    kept = write(tmp_path / "mine.csv", rows)
    source = bring(context, kept, text="感想", label="評価")
    monkeypatch.setattr("tabs.datasets.dataset_script.path_in_script", lambda _: str(ROOT / "assets/models/encoder"))
    monkeypatch.chdir(tmp_path)
    query = Query(source=source, label="良", copies=20, division="random")
    assert alike(run(query), json.loads(json.dumps(evidence(explore(query)))))


def test_markup_in_a_file_is_text(context: Context, tmp_path: Path) -> None:
    rows = [["text", "label", NASTY], *([f"{NASTY}{n}", f"{NASTY}{n % 2}", NASTY] for n in range(12)), [NASTY]]
    source = bring(context, write(tmp_path / f"{NASTY[:4]}.csv", rows))
    query = Query(source=source, row=0, label=f"{NASTY}0", pattern="<", copies=50, division="random")
    for locale in LOCALES:
        drawn = "".join(show(explore(query), locale))
        assert "<img" not in drawn
        assert "&lt;img" in drawn
    preview = uploading._draw_preview(uploading.peek(write(tmp_path / "x.csv", rows)), "ja")
    assert "<img" not in preview


@pytest.mark.parametrize(
    ("rows", "key"),
    [
        ([["text", "label"], ["", ""], ["", ""]], "error.data.empty"),
        ([["text", "label"], ["", "a"], ["", "b"]], "error.data.all_broken"),
        ([["a", "b"], ["文です。", "x"]], "error.data.missing_column"),
    ],
)
def test_a_file_that_cannot_be_used_fails_in_words(
    context: Context, tmp_path: Path, rows: list[list[str]], key: str
) -> None:
    with pytest.raises(InvalidInput) as told:
        bring(context, write(tmp_path / "bad.csv", rows))
    assert told.value.key == key
    assert not [file for file in context.workspaces.folder.glob("*/*/*") if file.suffix == ".csv"]


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_admits_samples_and_own_files_and_no_other_name(mode: Any) -> None:
    for source in (*SAMPLES, "mine:x.csv:" + "0" * 32):
        admit(replace(Query(), source=source), LIMITS[mode])


def test_a_link_never_names_what_a_visitor_brought() -> None:
    link = queries.to_link(Query(source="mine:secret.csv:" + "0" * 32, part="test"))
    assert "secret" not in json.dumps(link)
    assert link["without"] == "source"
