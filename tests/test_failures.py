"""What a visitor reads when something breaks: words everywhere, a traceback on one's own machine and nowhere else."""

from __future__ import annotations

import gc
import html
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from core.errors import InvalidInput, ModelUnavailable, write_trace
from core.i18n import LOCALES, translate
from core.jobs import UNFINISHED, Progress, Work
from core.settings import LIMITS, MODES, ROOT, Mode, Settings
from core.workspaces import new_identity
from tabs import positions
from tabs._kit import failures
from tabs._kit.context import Context, open_context
from tabs._kit.server import create_app

# Gradio opens an event loop for each page and never closes it; in a process of its own that goes unnoticed.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning"),  # of Gradio's own counting
]
SECRET = "sentinel-6d21"
TRACES = ("Traceback", SECRET, "RuntimeError", __file__)
Open = Callable[[Mode], tuple[FastAPI, Context]]
each_mode = pytest.mark.parametrize("mode", MODES)


def defect(*_: Any) -> Any:
    raise RuntimeError(SECRET)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """The app with one exhibit that fails when it is drawn."""
    contexts: list[Context] = []

    def open_one(mode: Mode) -> tuple[FastAPI, Context]:
        contexts.append(open_context(Settings("127.0.0.1", 0, mode, tmp_path / "workspace", ROOT / "assets/models")))
        return create_app([replace(positions.EXHIBIT, explore=defect)], contexts[-1]), contexts[-1]

    yield open_one
    for context in contexts:
        context.jobs.close()
    gc.collect()


def draw(app: FastAPI) -> str:
    """What the page is sent when its exhibit is drawn."""
    with TestClient(app) as client:
        config = client.get("/config").json()
        known = {component["id"]: component["props"] for component in config["components"]}
        relay = next(number for number, props in known.items() if props.get("elem_id") == "relay-positions")
        listener = next(one for one in config["dependencies"] if relay in [target for target, _ in one["targets"]])
        body = {
            "data": [known[number].get("value") for number in listener["inputs"]],
            "fn_index": listener["id"],
            "session_hash": "x",
            "event_data": {"link": True, "params": {}},
        }
        assert client.post("/gradio_api/queue/join", json=body).status_code == 200
        with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": "x"}) as stream:
            return next(line for line in list(stream.iter_lines()) if "process_completed" in line)


@each_mode
def test_a_defect_of_a_drawing_shows_its_traceback_on_ones_own_machine_only(opened: Open, mode: Mode) -> None:
    told = json.loads(draw(opened(mode)[0]).removeprefix("data:"))["output"]["data"]
    notice = next(part for part in told if isinstance(part, str) and "lab-error" in part)
    assert "番号" in notice
    assert [trace in html.unescape(json.dumps(told)) for trace in TRACES] == [mode == "local"] * len(TRACES)
    assert ("<details" in notice) == (mode == "local")
    assert ("<details open" in notice) is False


@each_mode
def test_a_defect_of_a_job_does_the_same_and_elsewhere_nothing_of_it_is_kept(
    opened: Open, mode: Mode, tmp_path: Path
) -> None:
    app, context = opened(mode)

    def work() -> Work:
        yield Progress(0, 1)
        defect()

    me = new_identity()
    job = context.jobs.submit(me, kind="count", work=work)
    client = TestClient(app)
    deadline = time.monotonic() + 20
    while (found := context.jobs.view(job)) is None or found.state in UNFINISHED:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    status = client.get(f"/lab/jobs/{job}").json()
    assert (status["state"], status["error"]) == ("failed", "error.incident")
    assert status["error_params"]["incident"] in status["words"]
    assert [trace in html.unescape(json.dumps(status)) for trace in TRACES] == [mode == "local"] * len(TRACES)
    kept = "".join(path.read_text("utf-8") for path in (tmp_path / "workspace" / me).rglob("*.json"))
    assert (SECRET in kept) == (mode == "local")


@each_mode
@pytest.mark.parametrize("locale", LOCALES)
def test_an_expected_failure_is_words_and_what_lies_behind_it_a_fold(opened: Open, mode: Mode, locale: Any) -> None:
    _, context = opened(mode)
    plain = InvalidInput("error.text.empty")
    assert failures.tell(plain, context, locale) == failures.notice(translate("error.text.empty", locale))
    try:
        try:
            defect()
        except RuntimeError as error:
            raise ModelUnavailable("error.model.unreadable", source="<b>x</b>") from error
    except ModelUnavailable as error:
        told = failures.tell(error, context, locale)
    assert html.escape(translate("error.model.unreadable", locale, source="<b>x</b>")) in told
    assert (SECRET in told) == (translate("kit.trace", locale) in told) == LIMITS[mode].tracebacks
    assert "<b>" not in told
    assert "incident" not in told


def test_modes_and_their_tracebacks() -> None:
    assert {mode for mode in MODES if LIMITS[mode].tracebacks} == {"local"}
    assert write_trace(InvalidInput("error.text.empty")) == ""


def test_the_answer_to_a_program_holds_no_traceback(opened: Open) -> None:
    with TestClient(opened("public")[0]) as client:
        asked = client.post("/gradio_api/call/positions", json={"data": []}).json()
        told = client.get(f"/gradio_api/call/positions/{asked['event_id']}").text
        assert "error" in told
        assert not [trace for trace in TRACES if trace in told]
        export = client.post("/lab/export/nothing.py", json={}).text
        assert "Traceback" not in export
