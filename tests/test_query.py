from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass, fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import query as queries
from tabs import EXHIBITS
from tabs._kit.exhibit import Exhibit


@dataclass(frozen=True)
class Sample:
    text: str = queries.text("猫", limit=10)
    layer: int = queries.within(2, 0, 3)
    even: int = queries.within(4, 2, 8, step=2)
    heat: float = queries.between(0.5, 0, 1, step=0.1)
    way: str = queries.one_of("a", "a", "b")
    model: str = queries.one_of("m", "m", "n", free=True)
    rows: tuple[str, ...] = queries.some_of(("x",), "x", "y", "z", most=2)
    on: bool = queries.flag()


@dataclass(frozen=True)
class Several:
    models: tuple[str, ...] = queries.some_of(("bpe",), "bpe", "unigram", most=2, free=True)


def test_a_link_holds_only_what_differs_from_the_defaults() -> None:
    assert queries.to_link(Sample()) == {}
    told = {"layer": "3", "on": "1", "rows": "y|x", "v": "1"}
    assert queries.to_link(Sample(layer=3, on=True, rows=("y", "x"))) == told


@pytest.mark.parametrize("outside", ["/home/me/models/mine", "~/mine", "../mine", ".", "someone/something", "m2"])
def test_a_link_names_models_of_the_catalogue_only_and_says_what_it_left_out(outside: str) -> None:
    assert queries.to_link(Sample(model=outside, layer=3)) == {"layer": "3", "without": "model", "v": "1"}
    assert queries.to_link(Several(("bpe", outside))) == {"without": "models", "v": "1"}
    assert queries.to_link(Several(("unigram", outside))) == {"models": "unigram", "without": "models", "v": "1"}
    assert queries.find_left_out(Sample(model=outside)) == ("model",)
    assert queries.find_left_out(Sample(model="m", layer=3)) == ()
    assert queries.to_link(Several(("unigram",))) == {"models": "unigram", "v": "1"}


@pytest.mark.parametrize("outside", ["/etc", "someone/something", "~"])
def test_a_link_opens_no_model_outside_the_catalogue(outside: str) -> None:
    opened = queries.read_link(Sample, {"model": outside})
    assert (opened.query, opened.unfit) == (Sample(), ("model",))
    several = queries.read_link(Several, {"models": f"unigram|{outside}"})
    assert (several.query, several.unfit) == (Several(("unigram",)), ("models",))


def test_what_a_link_says_and_is_not_understood_is_told() -> None:
    shell = {"tab": "x", "lang": "en", "job": "0" * 32, "__theme": "dark", "v": "1"}
    assert queries.read_link(Sample, shell) == queries.Opened(Sample())
    opened = queries.read_link(
        Sample, {"gone": "1", "v": "2", "without": "model|nothing", "layer": "99", "even": "x", "way": "c", "on": "?"}
    )
    assert opened.newer
    assert opened.unknown == ("gone",)
    assert opened.without == ("model",)
    assert opened.unfit == ("layer", "even", "way", "on")
    assert opened.query == Sample(layer=3)
    assert queries.read_link(Sample, {"text": "あ" * 11}).unfit == ("text",)
    assert queries.read_link(Sample, {"rows": "x|y|z"}).unfit == ("rows",)
    assert queries.read_link(Sample, {"text.z": "%%%"}).unfit == ("text",)
    assert not queries.read_link(Sample, {"v": "soon"}).newer


samples = st.builds(
    Sample,
    text=st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
    layer=st.integers(0, 3),
    even=st.sampled_from((2, 4, 6, 8)),
    heat=st.sampled_from((0.0, 0.1, 0.5, 1.0)),
    way=st.sampled_from("ab"),
    model=st.sampled_from(("m", "n")),
    rows=st.sampled_from((("x",), ("y",), ("z", "x"))),
    on=st.booleans(),
)


@given(samples)
def test_a_link_restores_the_query(sample: Sample) -> None:
    assert queries.read_link(Sample, queries.to_link(sample)) == queries.Opened(sample)


@given(st.dictionaries(st.sampled_from([f.name for f in fields(Sample)] + ["gone"]), st.text()))
def test_any_link_opens_within_its_bounds(params: dict[str, str]) -> None:
    opened = queries.read_link(Sample, params).query
    assert 0 <= opened.layer <= 3
    assert opened.even in (2, 4, 6, 8)
    assert 0 <= opened.heat <= 1
    assert opened.way in ("a", "b")
    assert len(opened.text) <= 10
    assert 1 <= len(opened.rows) <= 2


@pytest.mark.parametrize(("given_", "expected"), [("99", 3), ("-5", 0), ("2.6", 3), ("nan", 2), ("x", 2), ("", 2)])
def test_numbers_are_clamped_and_nonsense_falls_back(given_: str, expected: int) -> None:
    assert queries.read_link(Sample, {"layer": given_}).query.layer == expected


@pytest.mark.parametrize("value", [None, 5, "x", {}, [["x"]], 10**400])
def test_values_of_the_wrong_kind_fall_back(value: object) -> None:
    assert queries.make(Sample, {"rows": value, "layer": value, "heat": value, "way": value}).rows == ("x",)


@dataclass(frozen=True)
class Long:
    text: str = queries.text("", limit=8_000)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=101, max_size=500))
def test_a_longer_text_is_deflated_and_comes_back(text: str) -> None:
    link = queries.to_link(Long(text))
    assert all(len(value) <= queries.LINK_TEXT_LIMIT for value in link.values())
    if "without" not in link:
        assert queries.read_link(Long, link).query.text == text


def test_a_long_text_is_deflated_and_a_very_long_one_stays_out_of_the_link() -> None:
    diary = "".join(f"{n}日は図書館で{n % 7}冊の本を借りて、川沿いの道を歩いて帰った。" for n in range(60))
    assert len(diary.encode()) > 4_000
    link = queries.to_link(Long(diary))
    assert set(link) == {"text.z", "v"}
    assert queries.read_link(Long, link).query.text == diary
    noise = "".join(chr(0x4E00 + n * 7919 % 20_000) for n in range(2_000))
    assert queries.to_link(Long(noise)) == {"without": "text", "v": "1"}


def test_a_link_from_before_texts_were_deflated_still_opens() -> None:
    assert queries.read_link(Long, {"v": "1", "text": "あ" * 600}).query.text == "あ" * 600


@pytest.mark.parametrize("nonsense", ["", "x", "%%%", "eJw", "あ", "A" * 3_000, "eJxLTEpOSU1LBwAKuQKB"])
def test_a_broken_deflated_text_is_ignored(nonsense: str) -> None:
    assert len(queries.read_link(Long, {"text.z": nonsense}).query.text) <= 8


def test_a_bomb_does_not_go_off() -> None:
    packed = base64.urlsafe_b64encode(zlib.compress(b"a" * 1_000_000, 9)).decode().rstrip("=")
    assert len(packed) <= queries.LINK_TEXT_LIMIT
    assert queries.read_link(Long, {"text.z": packed}).query.text == "a" * 8_000


@pytest.mark.parametrize("exhibit", EXHIBITS, ids=lambda e: e.slug)
def test_no_query_has_a_place_for_a_secret(exhibit: Exhibit) -> None:
    # "tokenizer" and "tokens" are what this app is about; a secret would be named exactly so, or end so.
    for name in queries.names(exhibit.query):
        assert not any(name == secret or name.endswith(f"_{secret}") for secret in queries.SECRET_NAMES)
