"""Whatever is typed or named as a model: a picture, or a sentence in both languages."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from core import query as queries
from core.errors import AppError, InvalidInput, NotAllowedHere
from core.i18n import LOCALES, translate
from core.settings import LIMITS
from core.values import as_json
from tabs._kit.events import admit
from tabs._kit.exhibit import Exhibit
from tabs.attention import ablation, attribution, comparison, crossing, filling, input_layers, lens, overview, steps

READERS = tuple(
    module.EXHIBIT
    for module in (overview, steps, comparison, crossing, lens, ablation, attribution, input_layers, filling)
)
NEEDS = {crossing.EXHIBIT.slug: "writer", lens.EXHIBIT.slug: "decoder"}  # the fixture; the others read encoders
each_reader = pytest.mark.parametrize("exhibit", READERS, ids=lambda exhibit: exhibit.slug)
ODD = (
    "👩‍👩‍👧🍣😀",
    "猫\x00は\x1b[31m魚\u200bを\u202e食べた",
    "<script>alert(1)</script>猫",
    '"><img src=x onerror=alert(1)>',
    "[CLS][SEP][PAD][UNK]",
    "[MASK]" * 5,
    "猫",
    "a" * 300,
    "か\u3099 𠮷 ﷽",
)


def draw(exhibit: Exhibit, values: Mapping[str, Any]) -> str:
    result = exhibit.explore(queries.make(exhibit.query, values))
    json.dumps(as_json(result))
    return "".join(view for locale in LOCALES for view in exhibit.show(result, locale))


def sentences(error: AppError) -> list[str]:
    return [translate(error.key, locale, **error.params) for locale in LOCALES]


@pytest.fixture
def place(exhibit: Exhibit, request: pytest.FixtureRequest) -> Path:
    """The folder of a small model of the kind that the exhibit needs."""
    found: Path = request.getfixturevalue(NEEDS.get(exhibit.slug, "folder"))
    return found


@each_reader
@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
def test_odd_texts_are_drawn_as_text_or_refused_in_words(exhibit: Exhibit, text: str, place: Path) -> None:
    values = {"text": text, "other": text, "target": text, "model": str(place)}
    try:
        drawn = draw(exhibit, values)
    except AppError as error:
        assert all(sentences(error))
        assert error.key == "error.model.too_many_tokens"
        return
    assert "<script" not in drawn
    assert "<img" not in drawn
    assert "\ufffd" not in drawn


@each_reader
@pytest.mark.parametrize(
    ("text", "key"), [("", "error.text.empty"), (" \n　", "error.text.empty"), ("猫\ud800", "error.text.surrogate")]
)
def test_texts_that_are_none(exhibit: Exhibit, text: str, key: str, place: Path) -> None:
    with pytest.raises(InvalidInput) as refusal:
        draw(exhibit, {"text": text, "model": str(place)})
    assert refusal.value.key == key
    assert all(sentences(refusal.value))


@each_reader
@pytest.mark.parametrize("mode", LIMITS)
def test_a_hundred_thousand_characters_are_refused(exhibit: Exhibit, mode: Any) -> None:
    query = queries.make(exhibit.query, {"text": "あ" * 100_000})
    with pytest.raises(InvalidInput) as refusal:
        admit(query, LIMITS[mode])
    assert refusal.value.key == "error.text.too_long"
    assert all(sentences(refusal.value))


@pytest.fixture
def places(folder: Path, tmp_path: Path) -> Mapping[str, str]:
    """What a visitor may name as a model, and what it is."""
    pickled = tmp_path / "pickled"
    shutil.copytree(folder, pickled)
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    remote = tmp_path / "remote"
    shutil.copytree(folder, remote)
    config = json.loads((remote / "config.json").read_text(encoding="utf-8"))
    (remote / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "x.Y"}}), encoding="utf-8")
    empty = tmp_path / "empty"
    empty.mkdir()
    return {
        "pickle": str(pickled),
        "remote_code": str(remote),
        "not_a_model": str(empty),
        "offline": "nobody/never-existed",
        "unknown": "こんな名前",
        "name": "two words!",
    }


@each_reader
@pytest.mark.parametrize("kind", ["pickle", "remote_code", "not_a_model", "offline", "unknown", "name"])
def test_models_that_cannot_be_used(exhibit: Exhibit, kind: str, places: Mapping[str, str]) -> None:
    with pytest.raises(AppError) as refusal:
        draw(exhibit, {"text": "猫", "model": places[kind]})
    assert refusal.value.key == f"error.model.{kind}"
    assert all(sentences(refusal.value))


@each_reader
@pytest.mark.parametrize("model", ["/etc", "nobody/never-existed"])
def test_a_public_page_offers_the_catalogue_only(exhibit: Exhibit, model: str) -> None:
    with pytest.raises(NotAllowedHere) as refusal:
        admit(queries.make(exhibit.query, {"model": model}), LIMITS["public"])
    assert all(sentences(refusal.value))


def test_what_a_link_carries_for_hidden_words_and_heads_is_read_kindly(folder: Path) -> None:
    values = {"text": "猫は魚を食べた。", "model": str(folder), "hidden": "x 1,99999 2²", "heads": "0-0 1-1;DROP 1-1"}
    result = ablation.explore(queries.make(ablation.Query, values))
    assert result.ablation.heads == ((0, 0),)
    assert result.ablation.hidden == (1, 2)


@pytest.mark.parametrize(
    ("exhibit", "wrong", "key"),
    [
        (lens.EXHIBIT, "folder", "error.generation.needs.decoder"),
        (lens.EXHIBIT, "writer", "error.generation.needs.decoder"),
        (crossing.EXHIBIT, "decoder", "error.generation.needs.seq2seq"),
        (filling.EXHIBIT, "decoder", "error.model.no_head"),
        (steps.EXHIBIT, "decoder", "error.model.no_head_detail"),
    ],
    ids=lambda value: getattr(value, "slug", value),
)
def test_a_model_of_another_kind_is_refused_in_words(
    exhibit: Exhibit, wrong: str, key: str, request: pytest.FixtureRequest
) -> None:
    with pytest.raises(AppError) as refusal:
        draw(exhibit, {"text": "猫は魚を食べた。", "model": str(request.getfixturevalue(wrong))})
    assert refusal.value.key == key
    assert all(sentences(refusal.value))
