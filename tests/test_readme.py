from __future__ import annotations

import re
from pathlib import Path

from tabs import EXHIBITS
from tests.readme import README, TABLES, rendered

ROOT = README.parent


def test_its_tables_match_the_code() -> None:
    text = README.read_text(encoding="utf-8")
    assert all(f"<!-- {name} -->" in text for name in TABLES)
    assert text == rendered(text), "run: python -m tests.readme"


def test_what_it_names_exists() -> None:
    text = README.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        if not link.startswith("http"):
            assert (ROOT / link).exists(), link
    tree = re.search(r"```text\n(.*?)```", text, re.DOTALL)
    assert tree
    for line in tree.group(1).splitlines():
        name = line.split()[0] if line.strip() else ""
        if (name and "/" in name) or name.endswith((".py", ".txt", ".md")):
            assert (ROOT / name).exists(), name


def test_every_exhibit_has_a_screenshot() -> None:
    folder: Path = ROOT / "assets" / "screenshots"
    assert {f"{exhibit.slug}.png" for exhibit in EXHIBITS} <= {path.name for path in folder.iterdir()}


def test_the_front_matter_suits_a_space() -> None:
    front = README.read_text(encoding="utf-8").split("---")[1]
    assert "sdk: gradio" in front
    assert "app_file: app.py" in front
    version = re.search(r"sdk_version: (\S+)", front)
    assert version
    assert f"gradio=={version.group(1)}" in (ROOT / "requirements.txt").read_text(encoding="utf-8")
