"""The page of errors: what it draws for every kind of answer, its files read by a job, its scripts, its escapes."""

from __future__ import annotations

import csv
import html
import json
import math
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.analysis.sources import called, open_source
from core.errors import InvalidInput
from core.i18n import LOCALES, Locale, translate
from core.jobs import Job, State
from core.settings import LIMITS, ROOT, Settings
from core.values import as_json
from core.workspaces import new_identity
from tabs._kit import fetching
from tabs._kit import uploading as kit
from tabs._kit.context import Context, open_context
from tabs._kit.events import admit
from tabs.analysis import errors, uploading
from tabs.analysis.errors import EXHIBIT, Query, evidence, explore, show, snippet
from tests.exhibits.test_exhibits import alike

NASTY = '<img src=x onerror="alert(1)">&amp;<b>'


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Context]:
    monkeypatch.setenv("LAB_WORKSPACE", str(tmp_path / "workspace"))
    opened = open_context(Settings("127.0.0.1", 0, "local", tmp_path / "workspace", ROOT / "assets/models"))
    yield opened
    opened.jobs.close()


def wait(context: Context, job_id: str, until: Callable[[Job], bool] = lambda job: job.ended > 0) -> Job:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        job = context.jobs.view(job_id)
        assert job is not None
        if until(job):
            return job
        time.sleep(0.01)
    raise AssertionError(job)


def write(path: Path, rows: list[list[str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def bring(context: Context, path: Path, **columns: str) -> str:
    """The source that a file becomes."""
    job, source = kit.submit(uploading.INTAKE, path, "classification", columns, context, new_identity())
    ended = wait(context, job)
    assert ended.state is State.DONE, ended
    return source


def run(query: Query) -> Any:
    space: dict[str, Any] = {}
    exec(compile(snippet(query), "snippet", "exec"), space)
    import torch

    torch.set_grad_enabled(True)
    return space["result"]


@pytest.mark.parametrize(
    "query",
    [
        Query(source="inference", gold="entailment", predicted="neutral", row=3, page=0),
        Query(source="similarity", row=3, page=0),
        Query(source="choice", row=5, page=0),
        Query(source="tagging", outcome="wrong", row=3, page=0),
        Query(source="tagging-crf", gold="人名"),
        Query(source="sentiment", pattern="最高|良い", regex=True, order="margin", direction="up"),
        Query(source="sentiment", pattern="(", order="characters"),
        Query(source="sentiment", order="residual", shortest=30, longest=50, outcome="right", page=2),
        Query(source="similarity", order="index", direction="up"),
    ],
    ids=lambda query: f"{query.source}-{query.order}-{query.pattern}",
)
def test_every_kind_is_drawn_and_its_script_gives_the_same(query: Query) -> None:
    result = explore(query)
    for locale in LOCALES:
        overview, rows = show(result, locale)
        assert overview
        assert rows
    json.dumps(as_json(result))
    assert alike(json.loads(json.dumps(run(query))), json.loads(json.dumps(evidence(result))))


def test_a_cell_of_the_matrix_shows_as_many_rows_as_it_counts() -> None:
    result = explore(Query())
    (overview, _) = show(result, "ja")
    cells = [
        (json.loads(html.unescape(pick)), int(count))
        for pick, count in re.findall(r'lab-cell[^>]*data-pick="([^"]*)"[^>]*><strong>(\d+)', overview)
    ]
    assert len(cells) == 4
    for fields, count in cells:
        found = explore(replace(Query(), gold=fields["gold"], predicted=fields["predicted"]))
        assert found.total == count
        assert found.overview.rows == 200


def test_pressing_the_chosen_cell_again_takes_the_filter_away() -> None:
    drawn = show(explore(Query(gold="negative", predicted="positive")), "ja")[0]
    chosen = re.search(r'data-pick="([^"]*)" aria-pressed="true"', drawn)
    assert chosen
    fields = json.loads(html.unescape(chosen[1]))
    assert (fields["gold"], fields["predicted"]) == ("", "")


def test_a_file_becomes_a_table_and_is_deleted(context: Context, tmp_path: Path) -> None:
    rows = [["text", "label", "predicted", "probability.a", "probability.b", "店"]]
    rows += [[f"文{n}", "ab"[n % 2], "ab"[n % 3 == 0], "0.3", "0.7", NASTY] for n in range(40)]
    rows += [["だけ"], ["", "a", "b", "0.3", "0.7", "x"]]
    source = bring(context, write(tmp_path / f"{NASTY[:4]}店.csv", rows))
    opened = open_source(source)
    assert len(opened.table) == 40
    assert {row.line for row in opened.broken} == {42, 43}
    assert opened.columns["text"] == "text"
    assert not list(context.workspaces.folder.glob("*/uploads/*"))
    drawn = "".join(show(explore(Query(source=source)), "ja"))
    assert translate("error.data.cells", "ja", cells=1, columns=6) in html.unescape(drawn)
    assert NASTY not in drawn
    admit(Query(source=source), LIMITS["public"])


def test_markup_in_a_file_is_text(context: Context, tmp_path: Path) -> None:
    rows = [["text", "label", "predicted"], *([NASTY, f"{NASTY}{n % 2}", f"{NASTY}1"] for n in range(4))]
    source = bring(context, write(tmp_path / "t.csv", rows))
    for locale in LOCALES:
        drawn = "".join(show(explore(Query(source=source, row=0, page=0, gold=f"{NASTY}0", pattern="<")), locale))
        assert "<img" not in drawn
        assert "<b>" not in drawn


def test_the_script_of_a_file_reads_the_file(context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        ["感想", "label", "said", "p"],
        *([f"文{n} 最高", "ab"[n % 2], "ab"[n % 3 == 0], f"0.{60 + n}"] for n in range(30)),
    ]
    path = write(tmp_path / "mine.csv", rows)
    source = bring(context, path, text="感想", gold="label", predicted="said", confidence="p")
    monkeypatch.chdir(tmp_path)
    query = Query(source=source, pattern="最高", outcome="wrong", gold="a")
    assert called(source) == "mine.csv"
    assert alike(run(query), json.loads(json.dumps(evidence(explore(query)))))


def test_a_file_that_tells_nothing_asks_and_one_that_cannot_be_used_fails_in_words(
    context: Context, tmp_path: Path
) -> None:
    odd = write(
        tmp_path / "odd.csv", [["a", "b", "c"], *([f"文{n}です", "xy"[n % 2], "xy"[n % 3 == 0]] for n in range(9))]
    )
    columns, sure = uploading.match(kit.peek(odd), "classification")
    assert (columns, sure) == ({"text": "a", "gold": "b", "predicted": "c"}, False)
    assert len(open_source(bring(context, odd, **columns)).table) == 9
    job, _ = kit.submit(uploading.INTAKE, odd, "classification", {}, context, new_identity())
    failed = wait(context, job)
    assert (failed.state, failed.error) == (State.FAILED, "error.data.missing_column")
    assert not list(context.workspaces.folder.glob("*/uploads/*"))


def test_the_head_of_a_long_file_is_enough_to_know_its_columns(tmp_path: Path) -> None:
    rows = [["text", "label", "predicted"], *([f"長い文{n}" * 20, "a", "b"] for n in range(5_000))]
    path = write(tmp_path / "long.csv", rows)
    assert path.stat().st_size > kit.PEEKED
    head = kit.peek(path)
    assert 10 < len(head.rows) < 5_000
    assert not head.broken
    assert uploading.match(head, "classification")[1]


def test_a_model_that_takes_long_is_offered_as_a_job(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.analysis import sources

    monkeypatch.setattr(sources, "LARGE_MEGABYTES", 0.0)
    query = Query(source="choice")
    with pytest.raises(InvalidInput) as told:
        explore(query)
    notice = fetching.explain(told.value, EXHIBIT, {"source": "choice"}, context, "ja")
    assert 'data-start="predict-sample"' in notice
    assert translate("predict-sample.start", "ja") in notice
    kind = next(kind for kind in EXHIBIT.jobs if kind.name == "predict-sample")
    assert kind.work is not None
    work = kind.work
    job = context.jobs.submit(new_identity(), kind=kind.name, work=lambda: work(query))
    assert wait(context, job).state is State.DONE
    assert explore(query).source.rows == 60


def test_what_is_kept_and_erased_is_gone_in_words(context: Context, tmp_path: Path) -> None:
    identity = new_identity()
    path = write(tmp_path / "t.csv", [["text", "label", "predicted"], ["文", "a", "b"]])
    job, source = kit.submit(uploading.INTAKE, path, "classification", {}, context, identity)
    wait(context, job)
    assert explore(Query(source=source)).total == 1
    context.jobs.erase(identity)
    with pytest.raises(InvalidInput) as told:
        explore(Query(source=source))
    assert told.value.key == "error.analysis.gone"


def test_a_link_never_names_what_a_visitor_brought() -> None:
    from core import query as queries

    link = queries.to_link(Query(source="mine:secret.csv:" + "0" * 32, outcome="wrong"))
    assert "secret" not in json.dumps(link)
    assert errors.NOTHING_CHOSEN.keys() < set(queries.names(Query))


@pytest.mark.parametrize(("source", "base"), [("sentiment", 0.5), ("inference", 1 / 3), ("choice", None)])
def test_beside_the_accuracy_stands_that_of_always_saying_the_same(source: str, base: float | None) -> None:
    result = explore(Query(source=source))
    gold = open_source(source).table.gold.tolist()
    wanted = max(gold.count(one) for one in set(gold)) / len(gold)
    assert result.overview.base == pytest.approx(wanted)
    if base is not None:
        assert wanted == pytest.approx(base, abs=0.02)
    drawn = html.unescape(show(result, "en")[0])
    assert translate(f"analysis.figure.base.{result.source.kind}", "en") in drawn
    assert f"{wanted:.1%}" in drawn


@pytest.mark.parametrize("source", ["similarity", "tagging"])
def test_where_there_is_no_most_frequent_answer_none_is_told(source: str) -> None:
    assert math.isnan(explore(Query(source=source)).overview.base)


def test_errors_of_entities_are_counted_with_their_unit() -> None:
    result = explore(Query(source="tagging"))
    assert result.overview.faults is not None
    total = sum(result.overview.faults.values())
    for locale in LOCALES:
        drawn = html.unescape(show(result, locale)[0])
        assert translate("analysis.faults.counted", locale, count=f"{total:,}") in drawn
        assert translate("analysis.figure.wrong.texts", locale) in drawn


@pytest.mark.parametrize(
    ("source", "own", "others"),
    [
        ("sentiment", "irony", "short"),
        ("inference", "overlap", "irony"),
        ("similarity", "wording", "irony"),
        ("choice", "close", "mixed"),
        ("tagging", "short", "irony"),
    ],
)
def test_the_tags_on_offer_belong_to_the_task_and_what_is_told_to_its_picture(
    source: str, own: str, others: str
) -> None:
    overview, rows = (html.unescape(part) for part in show(explore(Query(source=source)), "ja"))
    assert f'"{translate(f"analysis.tag.{own}", "ja")}"' in rows
    assert f'"{translate(f"analysis.tag.{others}", "ja")}"' not in rows
    kind = open_source(source).table.kind
    assert translate(f"errors.read.{kind}", "ja") in overview
    for other in {"label", "number", "choice", "entities"} - {kind}:
        assert translate(f"errors.read.{other}", "ja") not in overview


@pytest.mark.parametrize(("source", "locale"), [("sentiment", "ja"), ("inference", "ja"), ("tagging", "en")])
def test_labels_of_our_own_data_are_in_the_language_of_the_page(source: str, locale: Locale) -> None:
    result = explore(Query(source=source, outcome="wrong"))
    opened = replace(result, opened=result.rows[0].row.place)
    seen = re.sub(r"<[^>]*>", " ", "".join(show(opened, locale)))  # fields of buttons keep the data's own names
    part = "type" if source == "tagging" else "label"
    for name in result.source.labels:
        assert name not in seen
    assert any(translate(f"tour.{part}.{name}", locale) in seen for name in result.source.labels)


def test_labels_of_a_file_stay_as_they_are_written(context: Context, tmp_path: Path) -> None:
    rows = [
        ["text", "label", "predicted"],
        *([f"文{n}", "positive", ("positive", "negative")[n % 2]] for n in range(9)),
    ]
    source = bring(context, write(tmp_path / "t.csv", rows))
    drawn = re.sub(r"<[^>]*>", " ", "".join(show(explore(Query(source=source)), "ja")))
    assert "positive → negative" in drawn
    assert translate("tour.label.positive", "ja") not in drawn
