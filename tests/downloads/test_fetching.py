"""What the page makes of a model that is not here: the offer, the job, and what a mode forbids."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core import query as queries
from core.downloads.plans import SHELVES, Purpose, Wanted, find_shelf
from core.errors import AppError, ModelUnavailable, NotAllowedHere
from core.i18n import LOCALES, translate
from core.settings import LIMITS, ROOT, Mode, Settings
from core.workspaces import new_identity
from tabs import EXHIBITS
from tabs._kit import fetching
from tabs._kit.context import Context, open_context
from tabs._kit.events import admit, explorer
from tabs._kit.exhibit import Exhibit
from tabs.tokens import counting

# What the launcher draws needs no model: it takes one when a run is started.
HUB = [
    (exhibit, name, preset.id, purpose)
    for exhibit in EXHIBITS
    if exhibit.slug != "training"
    for name in queries.names(exhibit.query)
    if (purpose := find_shelf(options := queries.bounds(exhibit.query, name).options))
    for preset in SHELVES[purpose]
    if not preset.bundled and preset.id in options
]
each_choice = pytest.mark.parametrize(
    ("exhibit", "name", "source", "purpose"), HUB, ids=lambda value: getattr(value, "slug", str(value))
)
Open = Callable[[Mode], Context]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    contexts: list[Context] = []

    def open_one(mode: Mode) -> Context:
        contexts.append(open_context(Settings("127.0.0.1", 0, mode, tmp_path / "workspace", ROOT / "assets/models")))
        return contexts[-1]

    yield open_one
    for context in contexts:
        context.jobs.close()


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that could ask the Hub and has nothing of it; nothing here does ask."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)


def choose(exhibit: Exhibit, name: str, source: str) -> dict[str, object]:
    bounds = queries.bounds(exhibit.query, name)
    return {name: [source] if bounds.kind == "choices" else source}


def test_every_exhibit_with_a_choice_of_models_is_covered() -> None:
    assert {exhibit.slug for exhibit, *_ in HUB} == {
        "tour", "self-attention", "attention", "attention-compare", "ablation", "attribution", "input-layers", "fill",
        "tokens", "tokenizers", "vocabulary", "statistics", "errors", "calibration", "slices", "label-errors",
        "rivals", "shortcuts", "rewriting", "batch",
    }  # fmt: skip


@each_choice
def test_a_query_says_what_it_needs_of_the_hub(exhibit: Exhibit, name: str, source: str, purpose: str) -> None:
    query = queries.make(exhibit.query, choose(exhibit, name, source))
    found = fetching.find_wanted(query)
    assert {field: [(one.source, one.purpose) for one in named] for field, named in found.items()} == {
        name: [(source, purpose)]
    }
    assert not fetching.find_wanted(exhibit.query())
    assert fetching.find_choice(query) == choose(exhibit, name, source), "nothing that is typed meanwhile"


@pytest.mark.parametrize("model", ["/some/folder", "./folder", "~/folder", "encoder"])
def test_folders_and_bundled_models_need_nothing(model: str) -> None:
    exhibit = next(exhibit for exhibit in EXHIBITS if exhibit.slug == "fill")
    assert not fetching.find_wanted(queries.make(exhibit.query, {"model": model}))


@each_choice
@pytest.mark.parametrize("mode", LIMITS)
def test_what_is_not_here_is_offered_where_that_is_allowed(
    opened: Open, empty: None, mode: Mode, exhibit: Exhibit, name: str, source: str, purpose: Purpose
) -> None:
    context, values = opened(mode), choose(exhibit, name, source)
    with pytest.raises(AppError) as refusal:
        explorer(exhibit, context.limits)(values)
    preset = Wanted(source, purpose).preset
    assert preset is not None
    if preset.pickled and mode != "local":
        assert refusal.value.key == "error.model.pickle_not_here"
        return
    for locale in LOCALES:
        told = fetching.explain(refusal.value, exhibit, values, context, locale)
        assert (source in told) == (mode != "public")
        assert ('data-start="fetch"' in told) == (mode != "public")
        assert (f"{preset.megabytes:,.1f}".removesuffix(".0") in told) == (mode != "public")
        assert (translate("error.model.no_downloads_here", locale) in told) == (mode == "public")
    query = queries.make(exhibit.query, values)
    if mode == "public":
        with pytest.raises(NotAllowedHere, match="no_downloads_here"):
            fetching.submit(query, context, new_identity())


@pytest.mark.parametrize("mode", LIMITS)
def test_a_file_for_a_tokenizer_that_is_not_here_is_told_the_same(
    opened: Open, empty: None, mode: Mode, tmp_path: Path
) -> None:
    context, values = opened(mode), {"tokenizers": ["xlm-roberta-base"], "file": str(tmp_path / "mine.txt")}
    with pytest.raises(AppError) as refusal:
        counting.submit(values, context, new_identity())
    told = fetching.explain(refusal.value, counting.EXHIBIT, values, context, "ja")
    assert (translate("error.model.no_downloads_here", "ja") in told) == (mode == "public")
    assert ('data-start="fetch"' in told) == (mode != "public")


@each_choice
def test_a_field_takes_the_catalogue_that_it_offers(exhibit: Exhibit, name: str, source: str, purpose: Purpose) -> None:
    query = queries.make(exhibit.query, choose(exhibit, name, source))
    preset = Wanted(source, purpose).preset
    for mode in LIMITS:
        if preset and preset.pickled and mode != "local":
            with pytest.raises(NotAllowedHere, match="pickle_not_here"):
                admit(query, LIMITS[mode])
        else:
            admit(query, LIMITS[mode])
    if queries.bounds(exhibit.query, name).free:
        other = "encoder" if purpose == "tokenizer" else "wordpiece"
        with pytest.raises(NotAllowedHere, match="hub_not_here"):
            admit(queries.make(exhibit.query, choose(exhibit, name, other)), LIMITS["public"])


def test_without_a_network_the_sentence_is_as_it_was_and_there_is_no_button(opened: Open) -> None:
    context = opened("local")
    exhibit = next(exhibit for exhibit in EXHIBITS if exhibit.slug == "fill")
    values = {"model": "nobody/such-a-model-at-all"}
    with pytest.raises(ModelUnavailable) as refusal:
        explorer(exhibit, context.limits)(values)
    for locale in LOCALES:
        told = fetching.explain(refusal.value, exhibit, values, context, locale)
        assert translate("error.model.offline", locale, source=values["model"]) in told
        assert "data-start" not in told
