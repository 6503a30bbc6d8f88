"""What every exhibit promises: a default result, a link, words, a prediction, and code that gives what is shown."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from html import unescape
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from core import query as queries
from core.i18n import LOCALES, Locale, translate, words
from core.sections import find_notebooks
from core.settings import LIMITS
from core.values import as_json
from tabs import EXHIBITS
from tabs._kit import export, foot, links, predictions
from tabs._kit.events import explorer
from tabs._kit.exhibit import Exhibit
from tests.links import changed, read_kept

ROOT = Path(__file__).parent.parent.parent
NUMBER = re.compile(r"-?\d+\.\d+(e-?\d+)?")
each_exhibit = pytest.mark.parametrize("exhibit", EXHIBITS, ids=lambda e: e.slug)


def alike(a: Any, b: Any) -> bool:
    """Equal JSON values, numbers (also written as text) up to float32 rounding; no number on both sides is alike."""
    if isinstance(a, float | int) and isinstance(b, float | int) and not isinstance(a, bool):
        return math.isclose(a, b, rel_tol=1e-4, abs_tol=2e-4) or (math.isnan(a) and math.isnan(b))
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(alike(a[key], b[key]) for key in a)
    if isinstance(a, str) and isinstance(b, str) and a != b and NUMBER.fullmatch(a) and NUMBER.fullmatch(b):
        return alike(float(a), float(b))
    return bool(a == b)


def varied(exhibit: Exhibit) -> queries.Query:
    """The prediction's query: one the author chose, other than the default where that was possible."""
    return exhibit.prediction.query


@each_exhibit
def test_the_default_is_drawn_in_both_languages(exhibit: Exhibit) -> None:
    result = exhibit.explore(exhibit.query())
    for locale in LOCALES:
        views = exhibit.show(result, locale)
        assert views
        assert all(isinstance(view, str) for view in views)
        assert any(re.search(r"<(table|lab-heatmap|ol|li|dl)", view) for view in views), "a picture, a list or a table"
        assert "\ufffd" not in "".join(views)
    json.dumps(as_json(result))


@each_exhibit
def test_every_picture_has_its_table(exhibit: Exhibit) -> None:
    drawn = "".join(exhibit.show(exhibit.explore(exhibit.query()), "ja"))
    for picture in re.finditer(r"<lab-(heatmap|headgrid)", drawn):
        assert "<table" in drawn[picture.start() :]
        assert "<lab-twin" in drawn[: picture.start()]


@each_exhibit
def test_its_words_exist(exhibit: Exhibit) -> None:
    wanted = ["tab", "title", "question", "look"]
    for asked in exhibit.predictions:
        wanted += [asked.stem, f"{asked.stem}.because", *(f"{asked.stem}.{n}" for n in range(asked.options))]
    wanted += [f"step.{n}" for n in range(len(exhibit.steps))]
    for locale in LOCALES:
        missing = [part for part in wanted if f"{exhibit.slug}.{part}" not in words(locale)]
        assert not missing


@each_exhibit
def test_every_prediction_has_an_answer(exhibit: Exhibit) -> None:
    for asked in exhibit.predictions:
        assert 0 <= asked.answer(exhibit.explore(asked.query)) < asked.options
        assert asked.options >= 2
    stems = [asked.stem for asked in exhibit.predictions]
    assert len(set(stems)) == len(stems)


@each_exhibit
@pytest.mark.parametrize("locale", LOCALES)
def test_a_guess_is_judged_by_the_result(exhibit: Exhibit, locale: Locale) -> None:
    drawn = predictions.ask(exhibit)
    assert drawn.count("data-question=") == len(exhibit.predictions)
    assert drawn.count(" hidden>") == len(exhibit.predictions) - 1
    for number, asked in enumerate(exhibit.predictions):
        result = exhibit.explore(asked.query)
        right = asked.answer(result)
        for option in range(asked.options):
            guess = predictions.read_guess(exhibit, number, option)
            told = unescape(predictions.judge(exhibit, result, guess, locale))
            answer = translate(f"{exhibit.slug}.{asked.stem}.{right}", locale)
            key = "kit.predicted_right" if option == right else "kit.predicted_wrong"
            assert translate(key, locale, answer=answer) in told


@pytest.mark.parametrize(
    ("question", "option"), [(0, 9), (9, 0), (-1, 0), ("0", 0), (0, True), (None, 0), (0, '"><b>')]
)
def test_what_answers_no_question_is_no_guess(question: Any, option: Any) -> None:
    assert predictions.read_guess(EXHIBITS[0], question, option) is None


@each_exhibit
def test_the_steps_of_the_tour_can_be_done(exhibit: Exhibit) -> None:
    assert len(exhibit.steps) <= 8
    for step in exhibit.steps:
        query = queries.make(exhibit.query, step.done)
        assert all(as_json(getattr(query, name)) == as_json(value) for name, value in step.done.items())


@each_exhibit
def test_a_stale_link_opens_and_says_what_it_lost(exhibit: Exhibit) -> None:
    params = {name: "そんなものはない" for name in queries.names(exhibit.query) if _is_no_text(exhibit, name)}
    opened = queries.read_link(exhibit.query, params | {"gone": "1"})
    assert opened.query == exhibit.query()
    assert set(opened.unfit) == set(params)
    assert opened.unknown == ("gone",)
    for locale in LOCALES:
        told = links.explain_opened(exhibit, opened, locale)
        assert "gone" in told
        labels = [short_label(exhibit, name, locale) for name in list(params)[:2]]
        assert all(label in unescape(told) for label in labels)


def short_label(exhibit: Exhibit, name: str, locale: Locale) -> str:
    return words(locale).get(f"{exhibit.slug}.{name}", name).partition("（")[0].partition(" (")[0]


@each_exhibit
def test_its_link_restores_the_query(exhibit: Exhibit) -> None:
    for query in (varied(exhibit), changed(exhibit)):
        opened = queries.read_link(exhibit.query, queries.to_link(query))
        assert opened == queries.Opened(query)
        assert not links.explain_opened(exhibit, opened, "ja")
        assert not links.explain_left_out(exhibit, query, "ja")


KEPT = read_kept()


@pytest.mark.parametrize("slug", KEPT)
def test_a_link_that_was_made_once_keeps_opening(slug: str) -> None:
    """Links as they were written by earlier versions, and what they showed."""
    exhibit = next(exhibit for exhibit in EXHIBITS if exhibit.slug == slug)
    link, shown = KEPT[slug]["link"], KEPT[slug]["shows"]
    opened = queries.read_link(exhibit.query, link)
    assert {name: as_json(getattr(opened.query, name)) for name in shown} == shown
    assert opened == queries.Opened(opened.query)


def test_every_exhibit_has_a_link_that_is_kept() -> None:
    assert set(KEPT) >= {exhibit.slug for exhibit in EXHIBITS}, "run: python -m tests.links"
    assert {kept["link"]["v"] for kept in KEPT.values()} >= {"1"}
    assert any(name.endswith(".z") for kept in KEPT.values() for name in kept["link"])


@each_exhibit
@pytest.mark.parametrize("outside", ["someone/something", "/home/me/model"])
def test_a_model_outside_the_catalogue_stays_out_of_the_link_and_that_is_told(exhibit: Exhibit, outside: str) -> None:
    free = [name for name in queries.names(exhibit.query) if queries.bounds(exhibit.query, name).free]
    for name in free:
        several = queries.bounds(exhibit.query, name).kind == "choices"
        query = queries.make(exhibit.query, {name: [outside] if several else outside})
        link = queries.to_link(query)
        assert link == {"without": name, "v": "1"}
        for locale in LOCALES:
            label = short_label(exhibit, name, locale)
            assert label in unescape(links.explain_left_out(exhibit, query, locale))
            opened = queries.read_link(exhibit.query, link)
            assert label in unescape(links.explain_opened(exhibit, opened, locale))
            assert not links.explain_opened(exhibit, opened, locale, known=[name])


@each_exhibit
def test_no_field_is_called_as_what_every_link_says(exhibit: Exhibit) -> None:
    assert not set(queries.names(exhibit.query)) & set(queries.SHELL_NAMES)


@each_exhibit
@pytest.mark.parametrize("which", ["default", "changed"])
def test_the_snippet_gives_what_is_shown(exhibit: Exhibit, which: str) -> None:
    query = exhibit.query() if which == "default" else varied(exhibit)
    script = exhibit.snippet(query) + "\nimport json as _json\nprint('\\n' + _json.dumps(result))\n"
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout.splitlines()[-1])
    shown = json.loads(json.dumps(as_json(exhibit.evidence(exhibit.explore(query)))))
    assert alike(told, shown), f"{str(told)[:500]}\n{str(shown)[:500]}"


@each_exhibit
def test_the_notebook_runs(exhibit: Exhibit) -> None:
    document = nbformat.from_dict(export.notebook(exhibit, exhibit.query(), "ja"))
    nbformat.validate(document)
    assert exhibit.sections[0] in document.cells[0].source
    ran = NotebookClient(document, timeout=120, resources={"metadata": {"path": str(ROOT)}}).execute()
    shown = json.loads(json.dumps(as_json(exhibit.evidence(exhibit.explore(exhibit.query())))))
    output = ran.cells[-1].outputs[0].data["text/plain"]
    if len(output) < 20_000:  # a long display is folded
        assert alike(json.loads(json.dumps(eval(output))), shown)


@each_exhibit
def test_the_books_own_notebook_is_named_beside_the_code(exhibit: Exhibit) -> None:
    notebooks = find_notebooks(exhibit.sections)
    heading = export.notebook(exhibit, exhibit.query(), "en")["cells"][0]["source"]
    drawer = foot.tail(exhibit, explorer(exhibit, LIMITS["local"])({}), "en")
    assert bool(notebooks) == ("notebook for this section" in heading) == ("notebook for this section" in drawer)
    assert all(address in heading and address in drawer for address in notebooks.values())


def test_the_books_notebooks_are_known_by_section() -> None:
    (name, address), *others = find_notebooks(("3.6.1", "3.6.2", "3.6.3")).items()
    assert not others
    assert name == "chapter03/3-6-tokenization"
    assert address == "https://github.com/ghmagazine/llm-book/blob/main/chapter03/3-6-tokenization.ipynb"
    assert not find_notebooks(("2.2.4", "3.6.2"))


def test_the_first_sentence_of_attribution_shows_what_it_is_about() -> None:
    """The model is sure of its guess, and what it looks at most is not what moved the guess most."""
    exhibit = next(exhibit for exhibit in EXHIBITS if exhibit.slug == "attribution")
    result = exhibit.explore(exhibit.query())
    assert result.attribution.target.probability > 0.5
    for drawn in (result, exhibit.explore(exhibit.prediction.query)):
        assert exhibit.prediction.answer(drawn) == 1


@pytest.mark.parametrize("locale", LOCALES)
def test_a_remembered_result_tells_no_time(locale: Locale) -> None:
    exhibit = next(exhibit for exhibit in EXHIBITS if exhibit.slug == "positions")
    explore = explorer(exhibit, LIMITS["local"])
    first, again, other = explore({}), explore({}), explore({"width": 32})
    assert again.result is first.result
    for computed in (first, other):
        assert computed.seconds is not None
        assert translate("kit.remembered", locale) not in foot.tail(exhibit, computed, locale)
    assert again.seconds is None
    assert translate("kit.remembered", locale) in foot.tail(exhibit, again, locale)


@each_exhibit
@pytest.mark.parametrize("locale", LOCALES)
def test_the_script_names_its_section(exhibit: Exhibit, locale: Locale) -> None:
    first = export.script(exhibit, exhibit.query(), locale).splitlines()[0]
    assert first.startswith("# ")
    assert exhibit.sections[0] in first
    assert foot.attribute({"a": '<b>"'}).count("<") == 0


def _is_no_text(exhibit: Exhibit, name: str) -> bool:
    bounds = queries.bounds(exhibit.query, name)
    return bounds.kind not in ("text", "flag") and not bounds.free
