"""The book's table of contents: every section has its place in the app, done or planned."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from core.i18n import ASSETS, Locale

REPOSITORY = "https://github.com/ghmagazine/llm-book"  # of the book's authors, Apache-2.0


@dataclass(frozen=True)
class Section:
    """One heading of the book: its number (``3.6.1``), its title in each language, and the book's own notebooks for it.

    A notebook is named by its path in the book's repository, without ``.ipynb``.
    """

    number: str
    titles: Mapping[Locale, str]
    notebooks: tuple[str, ...] = ()

    @property
    def chapter(self) -> int:
        """The chapter it stands in."""
        return int(self.number.partition(".")[0])

    @property
    def depth(self) -> int:
        """1 for a chapter, 2 for 3.6, 3 for 3.6.1."""
        return self.number.count(".") + 1


@cache
def sections() -> tuple[Section, ...]:
    """All headings of chapters 1 to 9, in the book's order."""
    rows = json.loads((ASSETS / "sections.json").read_text(encoding="utf-8"))
    return tuple(
        Section(row["number"], {"ja": row["ja"], "en": row["en"]}, tuple(row.get("notebooks", ()))) for row in rows
    )


def find_notebooks(numbers: Iterable[str]) -> Mapping[str, str]:
    """The book's own notebooks for these sections: name to address, each once."""
    wanted = set(numbers)
    return {
        name: f"{REPOSITORY}/blob/main/{name}.ipynb"
        for section in sections()
        if section.number in wanted
        for name in section.notebooks
    }


def chapters() -> tuple[Section, ...]:
    """The nine chapters."""
    return tuple(section for section in sections() if section.depth == 1)


def leaves() -> tuple[Section, ...]:
    """The sections without subsections: what an exhibit belongs to."""
    everything = sections()
    parents = {section.number.rpartition(".")[0] for section in everything}
    return tuple(section for section in everything if section.number not in parents)
