"""The app's own routes: who may ask, how often, and what the house cleans up by itself."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from core.i18n import LOCALES, Locale, translate
from core.jobs import Progress, State, Work
from core.settings import LIMITS, ROOT, Mode, Settings
from core.workspaces import new_identity
from tabs import positions
from tabs._kit.context import Context, open_context
from tabs._kit.server import create_app

# Gradio opens an event loop for each page and never closes it; in a process of its own that goes unnoticed.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
LINK = {"link": "http://192.168.0.2:7860/?tab=positions"}
Open = Callable[..., tuple[FastAPI, Context]]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    contexts: list[Context] = []

    def open_one(mode: Mode, *, password: str = "", sweep_seconds: float = 3_600) -> tuple[FastAPI, Context]:
        settings = Settings("127.0.0.1", 0, mode, tmp_path / "workspace", ROOT / "assets/models", password)
        contexts.append(open_context(settings))
        return create_app([positions.EXHIBIT], contexts[-1], sweep_seconds=sweep_seconds), contexts[-1]

    yield open_one
    for context in contexts:
        context.jobs.close()
    gc.collect()  # what it left unclosed is told here, not to the next test


def export(client: TestClient, **cookies: str) -> int:
    headers = {"cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())} if cookies else {}
    return client.post("/lab/export/positions.py", json={}, headers=headers).status_code


def visit(client: TestClient, identity: str, **headers: str) -> tuple[int, str]:
    reply = client.get("/lab/qr.svg", params=LINK, headers={"cookie": f"lab-workspace={identity}", **headers})
    return reply.status_code, reply.json()["detail"] if reply.status_code >= 400 else ""


@pytest.mark.parametrize("locale", LOCALES)
def test_exports_and_codes_count_like_drawings(opened: Open, locale: Locale) -> None:
    app, _ = opened("public")
    client, limit = TestClient(app), LIMITS["public"].requests_per_minute
    me, other = new_identity(), new_identity()
    asked = [export(client, **{"lab-workspace": me}) for _ in range(limit // 2)]
    asked += [visit(client, me)[0] for _ in range(limit - limit // 2)]
    assert set(asked) == {200}
    assert export(client, **{"lab-workspace": me}) == 429
    refused = visit(client, me, **{"accept-language": locale})
    assert refused == (429, translate("error.rate.visitor", locale, limit=limit))
    assert visit(client, other) == (200, "")
    assert client.get(f"/lab/jobs/{'0' * 32}", headers={"cookie": f"lab-workspace={me}"}).status_code == 404


def test_files_that_are_sent_count_too(opened: Open) -> None:
    client, limit = TestClient(opened("public")[0]), LIMITS["public"].requests_per_minute
    asked = [client.post("/gradio_api/upload", files={"files": ("a.txt", b"a")}).status_code for _ in range(limit + 1)]
    assert set(asked[:limit]) == {200}
    assert asked[limit] == 429


def test_a_class_exports_as_often_as_it_likes(opened: Open) -> None:
    client = TestClient(opened("workshop")[0])
    assert {export(client) for _ in range(LIMITS["public"].requests_per_minute + 5)} == {200}


def test_a_password_protects_the_apps_own_routes_too(opened: Open) -> None:
    secret = "sentinel-51bd"
    client = TestClient(opened("workshop", password=secret)[0])
    routes = [
        lambda: client.post("/lab/export/positions.py", json={}),
        lambda: client.get("/lab/qr.svg", params=LINK),
        lambda: client.get(f"/lab/jobs/{'0' * 32}"),
        lambda: client.post(f"/lab/jobs/{'0' * 32}/cancel"),
        lambda: client.post("/lab/erase"),
    ]
    assert [route().status_code for route in routes] == [401] * 5
    client.cookies.set("access-token-unsecure-", "made-up")
    assert [route().status_code for route in routes] == [401] * 5
    assert client.get("/lab/lab.css").status_code == 200, "the page that asks for the password wears it"
    assert client.post("/login", data={"username": "lab", "password": "wrong"}).status_code == 400
    assert client.post("/login", data={"username": "lab", "password": secret}).status_code == 200
    assert [route().status_code for route in routes] == [200, 200, 404, 200, 200]


@pytest.mark.parametrize("locale", LOCALES)
def test_every_refusal_is_a_sentence(opened: Open, locale: Locale) -> None:
    speaking = {"accept-language": locale}
    client = TestClient(opened("local")[0])
    for reply in (
        client.get("/lab/qr.svg", headers=speaking),
        client.post("/lab/export/positions.py", json=["no object"], headers=speaking),
        client.post("/lab/export/positions.py", content=b"{", headers=speaking),
    ):
        assert (reply.status_code, reply.json()) == (422, {"detail": translate("error.request", locale)})
    client = TestClient(opened("workshop", password="sentinel-77f0")[0])
    reply = client.get("/lab/qr.svg", params=LINK, headers=speaking)
    assert (reply.status_code, reply.json()) == (401, {"detail": translate("error.signed_out", locale)})


def test_erasing_erases_while_a_job_of_the_visitor_runs(opened: Open) -> None:
    app, context = opened("local")
    me, ended = new_identity(), threading.Event()

    def hold() -> Work:
        try:
            while True:
                yield Progress(0, 0, partial={"text": "私の文"})
                time.sleep(0.01)
        finally:
            ended.set()

    job = context.jobs.submit(me, kind="hold", work=hold)
    assert until(lambda: (found := context.jobs.view(job)) is not None and found.state is State.RUNNING)
    reply = TestClient(app).post("/lab/erase", headers={"cookie": f"lab-workspace={me}"})
    assert reply.json() == {"erased": True}
    assert ended.wait(20)
    assert until(lambda: not context.jobs.busy_workspaces())
    assert not (context.workspaces.folder / me).exists()


def until(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def abandon(folder: Path, seconds: float) -> Path:
    os.utime(folder, (time.time() - seconds,) * 2)
    return folder


def is_gone(place: Path) -> bool:
    return not place.exists()


def test_abandoned_folders_go_while_the_app_runs_and_no_other(opened: Open) -> None:
    app, context = opened("public", sweep_seconds=0.05)
    lifetime = LIMITS["public"].workspace_seconds
    stopped: list[bool] = []

    def hold() -> Work:
        try:
            while True:
                yield Progress(0, 0)
                time.sleep(0.01)
        finally:
            stopped.append(True)

    with TestClient(app):
        fresh, busy = context.workspaces.open(new_identity()), new_identity()
        job = context.jobs.submit(busy, kind="hold", work=hold)
        assert until(lambda: (found := context.jobs.view(job)) is not None and found.state is State.RUNNING)
        working = abandon(context.workspaces.open(busy), 2 * lifetime)
        for _ in range(2):  # again and again, not once
            left = context.workspaces.open(new_identity())
            (left / "mine.txt").write_text("私の文", encoding="utf-8")
            abandon(left, 2 * lifetime)
            assert until(partial(is_gone, left))
        assert fresh.exists()
        assert working.exists(), "a job still needs it"
    assert stopped == [True]
    left = abandon(context.workspaces.open(new_identity()), 2 * lifetime)
    time.sleep(0.3)
    assert left.exists(), "nobody sweeps when the app has stopped"
