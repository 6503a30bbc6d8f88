"""The addresses of tags and of what is taken away, as a program could use them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from core.analysis.tags import LONGEST_TAG
from core.i18n import LOCALES, Locale, translate
from core.workspaces import WORKSPACE_COOKIE, new_identity
from tests.app import RunningApp

pytestmark = pytest.mark.wiring


def visitor(app: RunningApp) -> httpx.Client:
    return httpx.Client(base_url=f"{app.url}/lab/errors/", cookies={WORKSPACE_COOKIE: new_identity()}, timeout=60)


def post(client: httpx.Client, **body: Any) -> httpx.Response:
    return client.post("tags", json={"params": {"source": "sentiment"}, "rows": [3, 5], **body})


def test_tags_are_each_visitors_own(app: RunningApp) -> None:
    with visitor(app) as one, visitor(app) as other:
        told = post(one, do="toggle", tag="皮肉", row=3).json()
        assert told == {"tags": [["皮肉", 1]], "marks": {"3": ["皮肉"]}, "tagged": 1, "undo": True, "redo": False}
        assert post(one).json() == told
        assert post(other).json() == {"tags": [], "marks": {}, "tagged": 0, "undo": False, "redo": False}
        assert post(one, params={"source": "inference"}).json()["tags"] == []
        everything = {"source": "sentiment", "outcome": "wrong"}
        (_, count), *_ = post(other, do="everything", tag="x", params=everything).json()["tags"]
        assert count == 74
        assert post(other, do="everything", tag="x", params=everything).json()["tags"] == [["x", 0]]
        assert post(other, do="undo").json()["tags"] == [["x", 74]]


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize(
    ("sent", "key", "params"),
    [
        *(({"do": "toggle", "tag": "x", "row": row}, "error.analysis.no_row", {}) for row in (-1, True, "3", None)),
        ({"do": "toggle", "tag": " ", "row": 3}, "error.analysis.tag", {"limit": LONGEST_TAG}),
        ({"do": "toggle", "tag": "x" * 41, "row": 3}, "error.analysis.tag", {"limit": LONGEST_TAG}),
    ],
)
def test_nonsense_is_refused_in_words(
    app: RunningApp, locale: Locale, sent: dict[str, Any], key: str, params: dict[str, Any]
) -> None:
    with visitor(app) as client:
        body = {"params": {"source": "sentiment"}, **sent}
        reply = client.post("tags", params={"lang": locale}, json=body)
        assert (reply.status_code, reply.json()["detail"]) == (422, translate(key, locale, **params))
        assert post(client).json()["tags"] == []


def test_who_keeps_no_cookies_has_no_tags(app: RunningApp) -> None:
    for address in ("tags", "rows.csv"):
        reply = httpx.post(f"{app.url}/lab/errors/{address}?lang=en", json={})
        assert (reply.status_code, reply.json()["detail"]) == (422, translate("error.workspace.none", "en"))


def test_rows_of_a_filter_come_as_a_file_and_a_bundle_only_to_whom_it_belongs(app: RunningApp) -> None:
    with visitor(app) as client:
        reply = client.post("rows.csv", json={"params": {"source": "sentiment", "outcome": "wrong"}})
        assert reply.headers["content-type"] == "text/csv; charset=utf-8"
        assert len(reply.text.splitlines()) == 75
        refused = client.post("rows.csv?lang=ja", json={"params": {"source": "mine:x.csv:" + "0" * 32}})
        assert refused.json()["detail"] == translate("error.analysis.gone", "ja", name="x.csv")
        for key in ("0" * 32, "..%2F..%2Fkey", "key"):
            assert client.get(f"{key}.zip").status_code == 404
