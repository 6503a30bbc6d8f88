"""The launched app through Gradio's own client: every endpoint, its names and defaults, errors in two languages."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError as ClientError

from core import query as queries
from core.i18n import LOCALES, Locale, translate
from core.settings import LIMITS
from core.values import as_json
from tabs import EXHIBITS
from tabs._kit.events import as_params
from tabs._kit.exhibit import Exhibit
from tests.app import RunningApp, launched

pytestmark = pytest.mark.wiring
each_exhibit = pytest.mark.parametrize("exhibit", EXHIBITS, ids=lambda e: e.slug)


@pytest.fixture(scope="module")
def client(app: RunningApp) -> Client:
    return Client(app.url, verbose=False)


def test_there_is_one_endpoint_for_each_exhibit_and_no_other(client: Client) -> None:
    described = client.view_api(return_format="dict", print_info=False)
    assert set(described["named_endpoints"]) == {f"/{exhibit.slug}" for exhibit in EXHIBITS}
    assert not described["unnamed_endpoints"]


@each_exhibit
def test_every_parameter_is_a_field_with_its_default(client: Client, exhibit: Exhibit) -> None:
    described = client.view_api(return_format="dict", print_info=False)
    parameters = described["named_endpoints"][f"/{exhibit.slug}"]["parameters"]
    assert [p["parameter_name"] for p in parameters] == list(queries.names(exhibit.query))
    assert all(p["parameter_has_default"] for p in parameters)
    assert {p["parameter_name"]: p["parameter_default"] for p in parameters} == as_params(exhibit.query())


@each_exhibit
def test_it_answers_by_keyword_and_by_default(client: Client, exhibit: Exhibit) -> None:
    default = client.predict(api_name=f"/{exhibit.slug}")
    expected = json.loads(json.dumps(as_json(exhibit.explore(exhibit.query()))))
    assert default.keys() == expected.keys()
    query = exhibit.prediction.query
    assert client.predict(**as_params(query), api_name=f"/{exhibit.slug}").keys() == expected.keys()


@pytest.mark.parametrize("locale", LOCALES)
def test_errors_come_in_the_visitors_language(app: RunningApp, locale: Locale) -> None:
    client = Client(app.url, verbose=False, headers={"accept-language": locale})
    for model in ("nobody/such-a-model-at-all",):
        with pytest.raises(ClientError) as told:
            client.predict(text="猫", model=model, api_name="/fill")
        assert str(told.value) == translate("error.model.offline", locale, source=model)


def test_the_page_is_dressed_in_the_visitors_language(app: RunningApp) -> None:
    for locale in LOCALES:
        page = httpx.get(app.url, headers={"accept-language": locale}).text
        assert f'<html\n\tlang="{locale}"' in page or f'<html lang="{locale}"' in page
        assert page.index("lab/lab.js") < page.index('type="module"')


def test_every_visitor_gets_a_workspace_of_their_own(app: RunningApp) -> None:
    cookies = [httpx.get(app.url).headers["set-cookie"] for _ in range(2)]
    assert all("HttpOnly" in cookie and "lab-workspace=" in cookie for cookie in cookies)
    assert cookies[0] != cookies[1]
    known = httpx.get(app.url, cookies={"lab-workspace": "0" * 32})
    assert "set-cookie" not in known.headers


def test_exports_are_files_and_refuse_nonsense(app: RunningApp) -> None:
    script = httpx.post(f"{app.url}/lab/export/positions.py", json={"width": 8})
    assert "D, base = 50, 8, 10000" in script.text.replace("K, ", "", 1)
    notebook = httpx.post(f"{app.url}/lab/export/positions.ipynb", json={}).json()
    assert notebook["nbformat"] == 4
    assert httpx.post(f"{app.url}/lab/export/positions.exe", json={}).status_code == 404
    assert httpx.post(f"{app.url}/lab/export/nothing.py", json={}).status_code == 404
    assert httpx.get(f"{app.url}/lab/jobs/{'0' * 32}").status_code == 404
    assert httpx.get(f"{app.url}/lab/lab.py").status_code == 404


def test_the_page_travels_light(app: RunningApp) -> None:
    """Thirty learners open it at once: compressed where the browser can, and without words that the page never uses."""
    plain = httpx.get(app.url, headers={"accept-encoding": "identity"})
    packed = httpx.get(app.url, headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < 120_000
    assert "LLM入門ラボ" in packed.text
    told = httpx.get(f"{app.url}/config").json()["i18n_translations"]
    assert set(told) == set(LOCALES)
    assert told["ja"]["kit.contents"] == translate("kit.contents", "ja")
    assert not [key for key in told["ja"] if key.startswith("error.")]


def test_a_link_becomes_a_code(app: RunningApp) -> None:
    reply = httpx.get(f"{app.url}/lab/qr.svg", params={"link": "http://192.168.0.2:7860/?tab=tokens&text=猫"})
    assert reply.headers["content-type"].startswith("image/svg+xml")
    assert "<script" not in reply.text
    refused = httpx.get(f"{app.url}/lab/qr.svg", params={"link": "x" * 4_000}, headers={"accept-language": "ja"})
    assert (refused.status_code, refused.json()["detail"]) == (422, translate("error.link.too_long", "ja"))


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    with launched(tmp_path_factory.mktemp("public"), "--mode", "public") as running:
        yield running


def test_a_public_page_does_not_register_what_it_forbids(public: RunningApp) -> None:
    described = Client(public.url, verbose=False).view_api(return_format="dict", print_info=False)
    light = {f"/{exhibit.slug}" for exhibit in EXHIBITS if exhibit.lane == "light"}
    assert set(described["named_endpoints"]) == light


def test_a_public_page_takes_small_uploads_only(public: RunningApp) -> None:
    limit = LIMITS["public"].upload_bytes
    for size, status in ((limit // 2, 200), (2 * limit, 413)):
        reply = httpx.post(f"{public.url}/gradio_api/upload", files={"files": ("mine.txt", b"a" * size)})
        assert reply.status_code == status


def test_a_public_page_bounds_texts_and_models_on_the_server(public: RunningApp) -> None:
    """Every listener of the page, posted to directly with limits exceeded, as a program could.

    A text that is too long is refused; what is no choice is not taken, and nothing of it comes back.
    """
    config = httpx.get(f"{public.url}/config").json()
    kinds = {component["id"]: component for component in config["components"]}
    tried = 0
    for dependency in config["dependencies"]:
        values = []
        for identity in dependency["inputs"]:
            component = kinds[identity]
            value = component["props"].get("value")
            values.append("あ" * 5_000 if component["type"] == "textbox" else value)
        if not any(isinstance(value, str) and len(value) == 5_000 for value in values):
            continue
        tried += 1
        body = {"data": values, "fn_index": dependency["id"], "session_hash": "x", "event_data": {}}
        reply = httpx.post(f"{public.url}/gradio_api/queue/join", json=body)
        assert reply.status_code == 200
        with httpx.stream(
            "GET", f"{public.url}/gradio_api/queue/data", params={"session_hash": "x"}, timeout=60
        ) as stream:
            told = next(line for line in stream.iter_lines() if "process_completed" in line)
        refused = 'role=\\"alert\\"' in told or '"success":false' in told.replace(" ", "")
        assert refused or ("あ" * 100 not in told and json.dumps("あ" * 100)[1:-1] not in told), told[:500]
    assert tried >= len(EXHIBITS) - 1


def test_a_password_closes_the_door(tmp_path_factory: pytest.TempPathFactory) -> None:
    secret = "sentinel-3f9c"
    folder = tmp_path_factory.mktemp("workshop")
    with launched(folder, "--mode", "workshop", "--password", secret) as workshop:
        assert httpx.get(f"{workshop.url}/config").status_code == 401
        assert httpx.get(f"{workshop.url}/lab/qr.svg", params={"link": "http://127.0.0.1/"}).status_code == 401
        Client(workshop.url, verbose=False, auth=("lab", secret)).predict(api_name="/positions")
        assert secret not in httpx.get(workshop.url).text
        assert secret not in workshop.log.read_text(encoding="utf-8")
    assert not [p for p in folder.rglob("*") if p.is_file() and secret.encode() in p.read_bytes()]
