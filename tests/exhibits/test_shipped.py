"""Results that come with the app: they are what the app computes, and they need none of what computes them."""

from __future__ import annotations

import gc
import json
import logging
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.i18n import LOCALES
from core.settings import LIMITS, ROOT
from core.values import as_json
from tabs import EXHIBITS
from tabs._kit import shipped
from tabs._kit.events import explorer
from tabs._kit.exhibit import Exhibit
from tabs.attention import lens
from tests.examples import find_asked, runs_a_model
from tests.exhibits.test_exhibits import alike

# Gradio opens an event loop for each page and never closes it; in a process of its own that goes unnoticed.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
SHIPPED = [exhibit for exhibit in EXHIBITS if runs_a_model(exhibit)]


def of_one_kind(a: Any, b: Any) -> bool:
    """The same types all the way down; arrays of the same kind of number."""
    if type(a) is not type(b):
        return False
    if is_dataclass(a):
        return all(of_one_kind(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(of_one_kind, a, b))
    return True


def without_numbers(views: Sequence[str]) -> list[str]:
    """What is drawn, whatever rounding does to its numbers."""
    return [re.sub(r"&quot;values&quot;:&quot;[^&]*|[-+−]?\d[\d.]*(?:e-?\d+)?", "#", view) for view in views]


@pytest.mark.parametrize("exhibit", SHIPPED, ids=lambda exhibit: exhibit.slug)
def test_they_are_what_the_app_computes(exhibit: Exhibit) -> None:
    kept = shipped.read_results(exhibit)
    asked = find_asked(exhibit)
    gc.collect()  # what Gradio left unclosed is told here, not to the next test
    assert tuple(kept) == asked, "python -m tests.examples writes them anew"
    for query, result in kept.items():
        computed = exhibit.explore(query)
        assert of_one_kind(result, computed)
        # The seconds that something would take differ from machine to machine.
        ours, theirs = (json.loads(json.dumps(as_json(one))) for one in (result, computed))
        assert alike(ours, theirs), query
        for locale in LOCALES:  # what is equal may still not be the same, and be drawn twice
            assert without_numbers(exhibit.show(result, locale)) == without_numbers(exhibit.show(computed, locale)), (
                query
            )


def test_first_pictures_wait_for_no_library(tmp_path: Path) -> None:
    """Every default that comes with the app is drawn with its foot in an interpreter that has loaded no torch."""
    script = f"""
import sys
from core.settings import LIMITS
from tabs import EXHIBITS
from tabs._kit import foot
from tabs._kit.events import explorer
for exhibit in EXHIBITS:
    if exhibit.slug in {[exhibit.slug for exhibit in SHIPPED]!r}:
        found = explorer(exhibit, LIMITS["local"])({{}})
        assert found.seconds is None
        for locale in ("ja", "en"):
            assert all(exhibit.show(found.result, locale))
            assert foot.tail(exhibit, found, locale)
assert not {{"torch", "transformers"}} & set(sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_another_model_computes_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = tmp_path / "models"
    shutil.copytree(ROOT / "assets/models/decoder", models / "decoder")
    monkeypatch.setenv("LAB_MODELS", str(models))
    assert lens.Query() in shipped.read_results(lens.EXHIBIT)
    told = models / "decoder" / "README.md"
    told.write_text("another card", encoding="utf-8")
    shipped._fingerprint.cache_clear()
    assert lens.Query() in shipped.read_results(lens.EXHIBIT)
    config = models / "decoder" / "config.json"
    config.write_text(config.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    shipped._fingerprint.cache_clear()
    assert not shipped.read_results(lens.EXHIBIT)
    assert explorer(lens.EXHIBIT, LIMITS["local"])({}).seconds is not None
    shipped._fingerprint.cache_clear()


@pytest.mark.parametrize(
    "written", ["", "[1]", '[{"query": {}, "models": {}}]', '{"a": 1}', '[{"query": {}, "models": {}, "result": {}}]']
)
def test_a_file_that_cannot_be_read_is_no_failure(
    written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    (tmp_path / "lens.json").write_text(written, encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        assert not shipped.read_results(lens.EXHIBIT)
