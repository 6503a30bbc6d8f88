"""A drawn query as a script and as a notebook."""

from __future__ import annotations

import json
from typing import Any

from core import query as queries
from core.downloads.plans import find_wanted
from core.i18n import Locale, translate
from core.sections import find_notebooks
from core.settings import ROOT
from tabs._kit.exhibit import Exhibit


def code(exhibit: Exhibit, query: queries.Query, locale: Locale) -> str:
    """The snippet, and above it at which commits the models of the Hub were used that it names."""
    wanted = (one for named in find_wanted(query).values() for one in named)
    used = [translate("kit.commit_used", locale, name=one.source, commit=one.pin) for one in wanted if one.pin]
    return "".join(f"# {line}\n" for line in used) + exhibit.snippet(query)


def script(exhibit: Exhibit, query: queries.Query, locale: Locale) -> str:
    """The snippet under a heading that names exhibit and section."""
    return f"# {_heading(exhibit, locale)}\n{code(exhibit, query, locale)}"


def notebook(exhibit: Exhibit, query: queries.Query, locale: Locale) -> dict[str, Any]:
    """The snippet as an nbformat 4.5 notebook: heading, the pinned packages, the code with its result."""
    pins = " ".join(_pins())
    told = [f"# {_heading(exhibit, locale)}", translate(f"{exhibit.slug}.look", locale)]
    if notebooks := find_notebooks(exhibit.sections):
        links = ", ".join(f"[{name}]({address})" for name, address in notebooks.items())
        told.append(f"{translate('kit.book_code', locale)} {links}")
    cells = [
        _markdown("heading", "\n\n".join(told)),
        _markdown("setup", translate("kit.notebook_setup", locale, command=f"pip install {pins}")),
        _code("code", code(exhibit, query, locale)),
        _code("result", "result"),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": cells}


def as_file(exhibit: Exhibit, query: queries.Query, locale: Locale, *, suffix: str) -> str:
    """The text of the download; `suffix` is ``py`` or ``ipynb``."""
    if suffix == "py":
        return script(exhibit, query, locale)
    return json.dumps(notebook(exhibit, query, locale), ensure_ascii=False, indent=1)


def _heading(exhibit: Exhibit, locale: Locale) -> str:
    return f"{', '.join(exhibit.sections)} {translate(f'{exhibit.slug}.title', locale)} — LLM入門ラボ"


def _pins() -> list[str]:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _markdown(identity: str, source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": identity, "metadata": {}, "source": source}


def _code(identity: str, source: str) -> dict[str, Any]:
    return {
        "cell_type": "code", "id": identity, "metadata": {}, "source": source, "outputs": [], "execution_count": None
    }  # fmt: skip
