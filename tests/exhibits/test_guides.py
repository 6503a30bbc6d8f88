"""The guide of every exhibit: a few steps that can be done, in any order or not at all."""

from __future__ import annotations

import re

import pytest

from core import query as queries
from core.i18n import LOCALES, words
from tabs import EXHIBITS
from tabs._kit.exhibit import Exhibit
from tabs._kit.room import _head

MOST = 8


@pytest.mark.parametrize("exhibit", EXHIBITS, ids=lambda exhibit: exhibit.slug)
def test_a_guide_has_a_few_steps_that_can_be_done(exhibit: Exhibit) -> None:
    assert len(exhibit.steps) <= MOST
    default = exhibit.query()
    for number, step in enumerate(exhibit.steps):
        assert step.done
        done = queries.make(exhibit.query, step.done)
        for name, value in step.done.items():
            assert getattr(done, name) == value, "no visitor can choose this"
        assert any(getattr(default, name) != value for name, value in step.done.items()), "done before it was begun"
        for locale in LOCALES:
            assert words(locale)[f"{exhibit.slug}.step.{number}"]
    assert f"{exhibit.slug}.step.{len(exhibit.steps)}" not in words("ja")


@pytest.mark.parametrize("exhibit", EXHIBITS, ids=lambda exhibit: exhibit.slug)
def test_a_guide_is_closed_until_somebody_wants_it(exhibit: Exhibit) -> None:
    guides = re.findall(r'<details class="lab-tour"([^>]*)>', _head(exhibit))
    assert guides == ([""] if exhibit.steps else [])
