"""3.5, 3.6.3 Several tokenizers over the same characters, and what Japanese and English cost in each."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from core import query as queries
from core.errors import InvalidInput
from core.i18n import Locale, translate
from core.text.alignment import align
from core.text.input import visible
from core.text.statistics import Efficiency, compare_languages
from core.text.tokenization import tokenize
from core.text.types import Alignment, Cell, Tokenization
from tabs._kit import pictures
from tabs._kit.exhibit import Exhibit, Prediction, Step
from tabs._kit.room import Room
from tabs.tokens import pieces, sources

DEFAULT = ("wordpiece", "bpe", "unigram")
ENGLISH = "Today I read a new book at the library."
# One sentence in several languages.
EXAMPLES = (
    "今日は図書館で新しい本を読みました。",
    ENGLISH,
    "今天我在图书馆读了一本新书。",
    "오늘 도서관에서 새 책을 읽었습니다.",
    "Heute habe ich in der Bibliothek ein neues Buch gelesen.",
    "自然言語処理にディープラーニングを使う",
)
LINE = 24  # characters side by side
LINES = 12
EVEN = 0.05  # languages whose counts differ by less cost the same


@dataclass(frozen=True)
class Query:
    """A text and up to four tokenizers."""

    text: str = queries.text(EXAMPLES[0])
    tokenizers: tuple[str, ...] = queries.some_of(DEFAULT, *sources.OFFERED, most=4, free=True)


@dataclass(frozen=True)
class Comparison:
    """One tokenization for each tokenizer, aligned; and the bundled sentence pairs counted by each."""

    rows: tuple[Tokenization, ...]
    alignment: Alignment
    languages: tuple[Efficiency, ...]


def explore(query: Query) -> Comparison:
    """Tokenizations of one text under each other: ``alignment.rows`` holds cells over common character columns."""
    if not query.text:
        raise InvalidInput("error.text.empty")
    loaded = [sources.open_tokenizer(name) for name in query.tokenizers]
    rows = tuple(
        replace(tokenize(query.text, tokenizer), source=name)
        for name, tokenizer in zip(query.tokenizers, loaded, strict=True)
    )
    languages = tuple(
        replace(compare_languages(tokenizer), source=name)
        for name, tokenizer in zip(query.tokenizers, loaded, strict=True)
    )
    return Comparison(rows, align(rows), languages)


def show(result: Comparison, locale: Locale) -> tuple[str, ...]:
    """The counts, the aligned rows, and the two languages."""
    return _counts(result, locale) + _aligned(result, locale), _languages(result, locale)


def _counts(result: Comparison, locale: Locale) -> str:
    entries = []
    for row in result.rows:
        count = len(row.content())
        told = translate("tokenizers.bar", locale, tokens=count, rate=f"{row.characters_per_token:.2f}")
        note = translate("tokenizers.unknown", locale, count=row.unknown_count) if row.unknown_count else ""
        entries.append(pictures.Bar(sources.label(row.source, locale), count, told, note=note))
    return pictures.bars(entries, title=translate("tokenizers.counts", locale, characters=len(result.alignment.text)))


def _aligned(result: Comparison, locale: Locale) -> str:
    lines = list(_lines(result.alignment))
    drawn = "".join(_table(result, first, last, locale) for first, last in lines[:LINES])
    title = pictures.heading(translate("tokenizers.aligned", locale))
    return title + drawn + pieces.left_out(LINES, len(lines), locale)


def _lines(alignment: Alignment) -> Iterator[tuple[int, int]]:
    """Ranges of columns of about `LINE` characters that no cell crosses."""
    shared = [{cell.last for cell in row} for row in alignment.rows]
    first = reached = 0
    for last in sorted(set.intersection(*shared) if shared else ()):
        if last - first > 1 and alignment.columns[last - 1][1] - alignment.columns[first][0] > LINE and reached > first:
            yield first, reached
            first = reached
        reached = last
    if reached > first:
        yield first, reached


def _table(result: Comparison, first: int, last: int, locale: Locale) -> str:
    alignment = result.alignment
    head = "".join(
        f'<td data-link="c{column}">{html.escape(visible(alignment.text[slice(*alignment.columns[column])]))}</td>'
        for column in range(first, last)
    )
    rows = [f"<tr><th>{html.escape(translate('tokenizers.text', locale))}</th>{head}</tr>"]
    for number, (row, cells) in enumerate(zip(result.rows, alignment.rows, strict=True)):
        name = sources.label(row.source, locale)
        drawn = "".join(_cell(row, cell, number) for cell in cells if first <= cell.first and cell.last <= last)
        rows.append(f'<tr><th scope="row">{html.escape(name)}</th>{drawn}</tr>')
    return f'<div class="lab-align-scroll" tabindex="0"><table class="lab-align">{"".join(rows)}</table></div>'


def _cell(row: Tokenization, cell: Cell, number: int) -> str:
    tokens = [row.tokens[place] for place in cell.tokens]
    link = " ".join(f"c{column}" for column in range(cell.first, cell.last))
    inner = "".join(pieces.piece(token.surface, link=link, hint=f"{token.piece}  id {token.id}") for token in tokens)
    color = f' class="lab-category-{number}"' if tokens else ""
    return f'<td colspan="{cell.last - cell.first}"{color}>{inner}</td>'


def _languages(result: Comparison, locale: Locale) -> str:
    names = [translate(f"tokenizers.column.{name}", locale) for name in ("tokenizer", "japanese", "english", "ratio")]
    rows = [
        (
            sources.label(one.source, locale),
            f"{one.japanese_characters_per_token:.2f}",
            f"{one.english_characters_per_token:.2f}",
            f"{one.token_ratio:.2f}",
        )
        for one in result.languages
    ]
    caption = translate("tokenizers.languages", locale, sentences=result.languages[0].sentences)
    return (
        pictures.heading(translate("tokenizers.efficiency", locale))
        + pictures.table(names, rows, caption=caption, numeric=(1, 2, 3))
        + pictures.note(translate("tokenizers.ratio", locale))
    )


def snippet(query: Query) -> str:
    """The same with transformers, and the bundled sentence pairs."""
    paths = [sources.path_in_script(name) for name in query.tokenizers]
    return f"""import json
from pathlib import Path

from transformers import AutoTokenizer

text = {query.text!r}
pairs = json.loads(Path("assets/samples/parallel.json").read_text(encoding="utf-8"))["pairs"]
result = []
for path in {paths!r}:
    tokenizer = AutoTokenizer.from_pretrained(path)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    count = {{
        language: sum(len(tokenizer(pair[language], add_special_tokens=False)["input_ids"]) for pair in pairs)
        for language in ("ja", "en")
    }}
    result.append({{"tokens": tokenizer.convert_ids_to_tokens(ids), "pairs": count}})
print(result)
"""


def evidence(result: Comparison) -> list[dict[str, Any]]:
    """For each tokenizer the pieces of the text and the tokens of the sentence pairs."""
    return [
        {
            "tokens": [token.piece for token in row.content()],
            "pairs": {"ja": one.japanese_tokens, "en": one.english_tokens},
        }
        for row, one in zip(result.rows, result.languages, strict=True)
    ]


def build(room: Room) -> None:
    """The text with examples in several languages, and the tokenizers."""
    with room.inputs():
        room.examples("text", *EXAMPLES)
        room.widget("text", lines=2)
        room.widget("tokenizers", max_choices=4)
    with room.results():
        room.view()
        room.view()


def _answer(result: Comparison) -> int:
    """Whether Japanese (0) or English (1) takes more tokens of the first tokenizer for the same meaning, or neither."""
    ratio = result.languages[0].token_ratio
    return 0 if ratio > 1 + EVEN else 1 if ratio < 1 - EVEN else 2


EXHIBIT = Exhibit(
    slug="tokenizers",
    sections=("3.6.3", "3.5"),
    query=Query,
    explore=explore,
    show=show,
    snippet=snippet,
    evidence=evidence,
    build=build,
    prediction=Prediction(Query(text=ENGLISH), 3, _answer),
    steps=tuple(Step({"text": text}) for text in EXAMPLES[1:4]),
)
