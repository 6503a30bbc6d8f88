from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import gradio as gr
import pytest
from starlette.requests import Request

from core import rates
from core.errors import Busy
from core.rates import RateLimiter
from core.settings import LIMITS, Mode, Settings
from tabs._kit.context import Context, open_context
from tabs._kit.events import admit_visitor

Open = Callable[[Mode], Context]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    contexts: list[Context] = []

    def open_one(mode: Mode) -> Context:
        contexts.append(open_context(Settings("127.0.0.1", 0, mode, tmp_path / "workspace", tmp_path)))
        return contexts[-1]

    yield open_one
    for context in contexts:
        context.jobs.close()


def request_of(workspace: str, address: str = "10.0.0.1", forwarded: str = "") -> gr.Request:
    headers = [(b"cookie", f"lab-workspace={workspace}".encode())] if workspace else []
    headers += [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    return gr.Request(Request({"type": "http", "headers": headers, "client": (address, 1), "query_string": b""}))


def test_a_visitor_of_a_public_page_is_told_to_wait_and_another_is_not(opened: Open) -> None:
    public, limit = opened("public"), LIMITS["public"].requests_per_minute
    for _ in range(limit):
        admit_visitor(request_of("a" * 32), public)
    with pytest.raises(Busy) as told:
        admit_visitor(request_of("a" * 32), public)
    assert (told.value.key, told.value.params) == ("error.rate.visitor", {"limit": limit})
    admit_visitor(request_of("b" * 32), public)


def test_new_names_do_not_help_behind_one_address(opened: Open) -> None:
    public, limit = opened("public"), LIMITS["public"].requests_per_address
    for number in range(limit):
        admit_visitor(request_of(f"{number:032x}"), public)
    with pytest.raises(Busy, match="address"):
        admit_visitor(request_of("f" * 32), public)
    admit_visitor(request_of("f" * 32, "10.0.0.2"), public)


def test_on_a_space_the_proxy_names_the_address(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_ID", "someone/space")
    public, limit = opened("public"), LIMITS["public"].requests_per_minute
    for number in range(limit):  # what a visitor writes into the header comes first and counts for nothing
        admit_visitor(request_of("", forwarded=f"1.2.3.{number}, 9.9.9.9"), public)
    with pytest.raises(Busy, match="visitor"):
        admit_visitor(request_of("", forwarded="9.9.9.9"), public)
    admit_visitor(request_of("", forwarded="8.8.8.8"), public)


@pytest.mark.parametrize("mode", ["local", "workshop"])
def test_a_class_is_not_counted(opened: Open, mode: Mode) -> None:
    context = opened(mode)
    for _ in range(3_000):
        admit_visitor(request_of("a" * 32), context)


def test_so_many_in_a_sliding_minute_and_no_more() -> None:
    limiter = RateLimiter()
    assert [limiter.admit("a", limit=3, now=second) for second in (0, 10, 20, 30)] == [True, True, True, False]
    assert not limiter.admit("a", limit=3, now=59)
    assert limiter.admit("a", limit=3, now=60)  # the first one is a minute old
    assert not limiter.admit("a", limit=3, now=69)
    assert limiter.admit("b", limit=3, now=69)  # others are counted for themselves


def test_strangers_cannot_fill_the_memory() -> None:
    limiter = RateLimiter()
    for number in range(rates.KEYS + 50):
        limiter.admit(str(number), limit=1, now=0)
    assert limiter.admit("0", limit=1, now=1), "the oldest key is forgotten"
    assert not limiter.admit(str(rates.KEYS + 49), limit=1, now=1)


def test_threads_cannot_slip_through_together() -> None:
    limiter, gate, admitted = RateLimiter(), threading.Barrier(20), list[bool]()

    def ask() -> None:
        gate.wait()
        admitted.append(limiter.admit("a", limit=7))

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(admitted) == 7
