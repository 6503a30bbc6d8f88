"""The layers hold, nothing is shared between visitors, and the page is cheap to build."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted([*ROOT.glob("core/**/*.py"), *ROOT.glob("tabs/**/*.py"), ROOT / "app.py"])
HEAVY = ("torch", "transformers", "datasets", "peft", "faiss", "openai", "label_studio_sdk")
MUTABLE = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)


def imports(tree: ast.AST, *, everywhere: bool) -> Iterator[str]:
    """Names of imported modules; without `everywhere` only those imported when the module is."""
    nodes = ast.walk(tree) if everywhere else _at_import(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _at_import(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from _at_import(node)


def room(path: Path) -> str:
    """The tab a module belongs to: ``tabs/tokens/…`` and ``tabs/positions.py`` are rooms of their own."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:2])


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_downwards(path: Path) -> None:
    here = path.relative_to(ROOT).parts
    found = set(imports(ast.parse(path.read_text(encoding="utf-8")), everywhere=True))
    roots = {name.partition(".")[0] for name in found}
    if here[0] == "core":
        assert not roots & {"gradio", "tabs", "app"}
    if here[0] == "tabs":
        assert not roots & {"torch", "transformers", "app"}
        others = {".".join(name.split(".")[:2]) for name in found if name.startswith("tabs.")}
        if path != ROOT / "tabs" / "__init__.py":
            assert others <= {"tabs._kit", room(path)}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_hold_no_mutable_state_and_print_nothing(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body:
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        annotated = ast.unparse(node.annotation) if isinstance(node, ast.AnnAssign) else ""
        if isinstance(value, MUTABLE) and not annotated.startswith("Mapping"):
            raise AssertionError(f"{ast.unparse(node)[:60]}: any visitor could change it")
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert "print" not in called


def test_the_page_is_built_without_the_heavy_libraries(tmp_path: Path) -> None:
    script = f"""
import sys
from pathlib import Path
from core.settings import read_settings
from tabs import EXHIBITS
from tabs._kit.context import open_context
from tabs._kit.server import create_app
create_app(EXHIBITS, open_context(read_settings(["--workspace", {str(tmp_path)!r}], {{}})))
print(*(name for name in {HEAVY!r} if name in sys.modules))
"""
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == []
