"""3.6.3 What is in a vocabulary: search it, see its scripts, ask whether a word is one token."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any, get_args

from core import query as queries
from core.i18n import Locale, translate
from core.text.input import refuse_surrogates, visible
from core.text.vocabulary import Found, Membership, Script, count_scripts, find_exact, search
from tabs._kit import pictures
from tabs._kit.exhibit import Exhibit, Prediction, Step
from tabs._kit.room import Room
from tabs.tokens import pieces, sources

SCRIPTS = ("all", *get_args(Script))
EXAMPLES = ("量子", "大学", "学", "コンピュータ", "ありがとう", "the")
SHOWN = 100


@dataclass(frozen=True)
class Query:
    """What is looked for, in which tokenizer, and which pieces count."""

    text: str = queries.text("学", limit=60)
    tokenizer: str = queries.one_of(sources.DEFAULT, *sources.OFFERED, free=True)
    match: str = queries.one_of("prefix", "prefix", "substring", "exact")
    script: str = queries.one_of("all", *SCRIPTS)
    place: str = queries.one_of("all", "all", "start", "inside")


@dataclass(frozen=True)
class Search:
    """Whether the text is one token, the pieces found, the pieces of each script, and the size of the vocabulary."""

    membership: Membership | None
    found: Found
    scripts: tuple[tuple[Script, int], ...]
    size: int
    script: str


def explore(query: Query) -> Search:
    """Vocabulary search: ``membership.id`` where the text is a single token; ``found`` the pieces that match."""
    refuse_surrogates(query.text)
    tokenizer = sources.open_tokenizer(query.tokenizer)
    scripts = count_scripts(tokenizer)
    return Search(
        membership=find_exact(tokenizer, query.text) if query.text.strip() else None,
        found=search(
            tokenizer,
            query.text.strip(),
            match=query.match,  # type: ignore[arg-type]
            script=None if query.script == "all" else query.script,  # type: ignore[arg-type]
            continues=None if query.place == "all" else query.place == "inside",
            limit=SHOWN,
        ),
        scripts=scripts,
        size=sum(count for _, count in scripts),
        script=query.script,
    )


def show(result: Search, locale: Locale) -> tuple[str, ...]:
    """The answer, the pieces found, and the scripts of the whole vocabulary."""
    return _membership(result.membership, locale) + _found(result, locale), _scripts(result, locale)


def _membership(membership: Membership | None, locale: Locale) -> str:
    if membership is None:
        return ""
    text = visible(membership.text)
    if membership.id is not None:
        told = translate("vocabulary.one", locale, text=text, id=membership.id)
    elif membership.unknown:
        told = translate("vocabulary.unknown", locale, text=text)
    else:
        told = translate("vocabulary.several", locale, text=text, count=len(membership.pieces))
    kind = "lab-verdict" if membership.id is not None else "lab-look"
    drawn = f'<div class="{kind}" role="status"><strong>{html.escape(told)}</strong></div>'
    return drawn + pieces.row_of(membership.pieces)


def _found(result: Search, locale: Locale) -> str:
    names = [translate(f"vocabulary.column.{name}", locale) for name in ("id", "piece", "text", "script")]
    rows = [
        (entry.id, visible(entry.piece), entry.surface, translate(f"vocabulary.script.{entry.script}", locale))
        for entry in result.found.entries
    ]
    figures = [
        (translate("vocabulary.hits", locale), f"{result.found.total:,}"),
        (translate("vocabulary.size", locale), f"{result.size:,}"),
    ]
    told = pictures.numbers(figures)
    if not rows:
        return told + pictures.note(translate("vocabulary.nothing", locale))
    caption = translate("vocabulary.pieces", locale)
    return (
        told
        + pictures.table(names, rows, caption=caption, numeric=(0,))
        + pieces.left_out(len(rows), result.found.total, locale)
    )


def _scripts(result: Search, locale: Locale) -> str:
    entries = [
        pictures.Bar(
            translate(f"vocabulary.script.{script}", locale),
            count,
            f"{count:,} ({count / max(result.size, 1):.1%})",
            pick={"script": "all" if script == result.script else script},
        )
        for script, count in sorted(result.scripts, key=lambda row: -row[1])
        if count
    ]
    told = translate("vocabulary.scripts", locale)
    return pictures.heading(told) + pictures.bars(entries, title=translate("vocabulary.by_script", locale))


def snippet(query: Query) -> str:
    """The same search with the project's own functions."""
    script = None if query.script == "all" else query.script
    continues = None if query.place == "all" else query.place == "inside"
    return f"""from core.text.tokenizers import load_tokenizer
from core.text.vocabulary import find_exact, search

tokenizer = load_tokenizer({sources.path_in_script(query.tokenizer)!r}, allow_download=True)
text = {query.text!r}
found = search(
    tokenizer, text.strip(), match={query.match!r}, script={script!r}, continues={continues!r}, limit={SHOWN}
)
result = {{
    "pieces": list(find_exact(tokenizer, text).pieces) if text.strip() else [],
    "total": found.total,
    "found": [[entry.id, entry.piece] for entry in found.entries],
}}
print(result)
"""


def evidence(result: Search) -> dict[str, Any]:
    """The pieces of the text, and what was found."""
    return {
        "pieces": list(result.membership.pieces) if result.membership else [],
        "total": result.found.total,
        "found": [[entry.id, entry.piece] for entry in result.found.entries],
    }


def build(room: Room) -> None:
    """The word with examples, the tokenizer, and the filters."""
    with room.inputs():
        room.examples("text", *EXAMPLES)
        room.widget("text", lines=1)
        room.widget("tokenizer")
        room.widget("match")
        room.widget("script")
        with room.more():
            room.widget("place")
    with room.results():
        room.view()
        room.view()


def _answer(result: Search) -> int:
    """Whether the word is one token (0) or not (1)."""
    return 0 if result.membership and result.membership.id is not None else 1


EXHIBIT = Exhibit(
    slug="vocabulary",
    sections=("3.6.3",),
    query=Query,
    explore=explore,
    show=show,
    snippet=snippet,
    evidence=evidence,
    build=build,
    prediction=Prediction(Query(text="コンピュータ"), 2, _answer),
    steps=(Step({"text": "量子"}), Step({"match": "substring"}), Step({"script": "katakana"})),
)
