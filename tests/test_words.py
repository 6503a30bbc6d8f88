"""Both languages say the same things, and every key is used."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from core import query as queries
from core.i18n import ASSETS, LOCALES, Locale, preferred_locale, translate, words
from core.sections import chapters, leaves, sections
from tabs import EXHIBITS

ROOT = Path(__file__).parent.parent
KANA = re.compile(r"[ぁ-んァ-ヶ]")


def placeholders(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


def test_both_languages_have_the_same_keys_and_placeholders() -> None:
    assert words("ja").keys() == words("en").keys()
    for key, sentence in words("ja").items():
        assert placeholders(sentence) == placeholders(words("en")[key]), key
        assert sentence.strip(), key


def test_english_is_english() -> None:
    # Quoted book terms and examples are the data; a sentence with kana in it is a sentence not translated.
    sentences = {key: text for key, text in words("en").items() if not key.startswith("merges.predict.")}
    mixed = [key for key, text in sentences.items() if len(KANA.findall(text)) > 0.3 * len(text)]
    assert not mixed


def test_every_key_is_used() -> None:
    """A key stands in the code as it is, or is built there: an exhibit's own words, or ``f"stem.{…}"``."""
    modules = [*ROOT.glob("core/**/*.py"), *ROOT.glob("tabs/**/*.py")]
    source = "\n".join(path.read_text(encoding="utf-8") for path in modules)
    slugs = {exhibit.slug: exhibit for exhibit in EXHIBITS}
    unused = []
    for key in words("ja"):
        first, _, rest = key.partition(".")
        part = rest.partition(".")[0]
        frame = {"tab", "title", "question", "look", "predict", "step", "preset"}
        of_exhibit = first in slugs and (part in frame or part in queries.names(slugs[first].query))
        stems = [".".join(key.split(".")[:n]) for n in range(1, key.count(".") + 1)]
        built = any(f'"{stem}.{end}' in source for stem in stems for end in ("{", '"')) or any(
            f'"{stem}"' in source for stem in stems
        )
        if not (key in source or of_exhibit or built):
            unused.append(key)
    assert not unused


def test_every_key_in_the_code_exists() -> None:
    for path in [*ROOT.glob("core/**/*.py"), *ROOT.glob("tabs/**/*.py")]:
        text = path.read_text(encoding="utf-8")
        for key in re.findall(r'\b(?:translate|both|t)\(\s*"([a-z0-9_.-]+)"', text) + re.findall(
            r'(?:InvalidInput|ModelUnavailable|Busy|NotAllowedHere|ServiceError)\(\s*"([a-z0-9_.-]+)"', text
        ):
            assert key in words("ja"), f"{path.relative_to(ROOT)}: {key}"


@pytest.mark.parametrize(
    ("header", "locale"),
    [
        ("", "ja"),
        ("en-US,en;q=0.9", "en"),
        ("fr,ja;q=0.5,en;q=0.4", "ja"),
        ("de", "ja"),
        ("ja;q=0.1,en;q=0.9", "en"),
        ("en;q=x", "en"),
    ],
)
def test_the_browser_names_the_language(header: str, locale: Locale) -> None:
    assert preferred_locale(header) == locale


def test_a_sentence_is_filled_in() -> None:
    assert "7" in translate("error.job.line_full", "ja", waiting=7)
    assert set(LOCALES) == {path.name for path in (ASSETS / "words").iterdir()}


def test_the_table_of_contents_is_whole() -> None:
    assert [chapter.number for chapter in chapters()] == [str(n) for n in range(1, 10)]
    numbers = [tuple(map(int, section.number.split("."))) for section in sections()]
    assert numbers == sorted(numbers)
    assert len(sections()) == 173
    for number in numbers:  # no gaps: 3.6.2 needs 3.6 and 3.6.1
        assert len(number) == 1 or number[:-1] in numbers
        assert number[-1] == 1 or (*number[:-1], number[-1] - 1) in numbers


def test_the_table_of_contents_is_the_books() -> None:
    source = ROOT.parent / "shared" / "spec" / "toc.md"
    if not source.exists():  # the outline this list was made from is not part of the project
        assert len(leaves()) == 132
        return
    headings = re.findall(r"^#+ (?:第(\d)章|([\d.]+)) (.+)$", source.read_text(encoding="utf-8"), re.MULTILINE)
    assert [(a or b, title.strip()) for a, b, title in headings] == [(s.number, s.titles["ja"]) for s in sections()]


def test_every_exhibit_stands_in_sections_that_exist() -> None:
    known = {section.number for section in sections()}
    for exhibit in EXHIBITS:
        assert set(exhibit.sections) <= known
    assert len({exhibit.slug for exhibit in EXHIBITS}) == len(EXHIBITS)
