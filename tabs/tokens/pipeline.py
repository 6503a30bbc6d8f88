"""3.6.3 Tokens: what happens to a text on its way to ids, stage by stage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from core import query as queries
from core.errors import InvalidInput
from core.i18n import Locale, translate
from core.text.chat import chat_template, example_template
from core.text.input import visible
from core.text.tokenization import stages, tokenize
from core.text.types import ChatPreview, Part, Stage, Token, Tokenization, Word
from tabs._kit import pictures
from tabs._kit.exhibit import Exhibit, Prediction, Step
from tabs._kit.room import Room
from tabs.tokens import opened, pieces, sources

BOOK = "自然言語処理にディープラーニングを使う"
EXAMPLES = (
    BOOK,
    "㍿ＡＢＣの𠮷野さんは、ﾊﾟｿｺﾝを１０台買った。",
    "👩\u200d👩\u200d👧が、か\u3099と書いた。",
    "まず1行目。\n\t次に　２行目\u200b。",
)
SHOWN = 300  # tokens drawn; a pasted page must not freeze the browser


@dataclass(frozen=True)
class Query:
    """A text or two, the tokenizer, whether its special tokens are shown, and the token opened (from 1; 0: any)."""

    text: str = queries.text("第３回ｾﾐﾅｰで、𠮷田さんが自然言語処理の話をします。")
    tokenizer: str = queries.one_of(sources.DEFAULT, *sources.OFFERED, free=True)
    pair: str = queries.text("")
    special: bool = queries.flag(True)
    focus: int = queries.within(0, 0, 20_000)


@dataclass(frozen=True)
class Pipeline:
    """A tokenization, its stages for each text, the token opened, and the chat template where there is one."""

    tokenization: Tokenization
    stages: tuple[tuple[Stage, ...], ...]
    special: bool
    focus: int
    chat: ChatPreview | None


def explore(query: Query) -> Pipeline:
    """Normalisation, MeCab words, subwords and ids: ``tokenization.tokens`` with offsets into the text as typed."""
    if not query.text:
        raise InvalidInput("error.text.empty")
    tokenizer = sources.open_tokenizer(query.tokenizer)
    found = replace(tokenize(query.text, tokenizer, pair=query.pair or None), source=query.tokenizer)
    rows = tuple(stages(found, sequence=number) for number in range(len(found.normalizations)))
    return Pipeline(found, rows, query.special, _focus(found, query.focus - 1), _preview(query, tokenizer))


def _focus(found: Tokenization, wanted: int) -> int:
    """The token asked for, else the first of a split character, the first unknown, the first of the text; -1: none."""
    if 0 <= wanted < len(found.tokens):
        return wanted
    split = [group.first for group in found.groups if group.last - group.first > 1]
    unknown = [place for place, token in enumerate(found.tokens) if token.unknown]
    content = [place for place, token in enumerate(found.tokens) if token.sequence == 0]
    return next(iter(split + unknown + content), -1)


def _preview(query: Query, tokenizer: Any) -> ChatPreview | None:
    try:
        turns = [("user", query.text)]
        return chat_template(tokenizer, turns) or example_template(tokenizer, turns)
    except InvalidInput:  # a template that wants other roles is no reason to show no tokens
        return None


def show(result: Pipeline, locale: Locale) -> tuple[str, ...]:
    """The stages with the token opened, then every change that normalisation made."""
    found = result.tokenization
    content = [token for token in found.tokens if token.sequence is not None]
    characters = sum(len(one.original) for one in found.normalizations)
    figures = [
        (translate("tokens.count", locale), f"{len(content)}"),
        (translate("tokens.characters", locale), f"{characters}"),
        (translate("tokens.rate", locale), f"{characters / max(len(content), 1):.2f}"),
    ]
    if found.unknown_count:
        figures.append((translate("tokens.unknown", locale), f"{found.unknown_count}"))
    places = [place for place, token in enumerate(found.tokens) if result.special or token.sequence is not None]
    rows = "".join(_text_rows(result, number, locale) for number in range(len(result.stages)))
    return (
        pictures.numbers(figures)
        + rows
        + _token_rows(result, places[:SHOWN], locale)
        + pieces.left_out(SHOWN, len(places), locale)
        + opened.card(found, result.focus, locale),
        opened.changes(found, locale) + opened.template(result.chat, locale),
    )


def _text_rows(result: Pipeline, number: int, locale: Locale) -> str:
    """Original, normalised and words of one text."""
    found, rows = result.tokenization, {stage.name: stage.parts for stage in result.stages[number]}
    drawn = [place for place, token in enumerate(found.tokens) if token.sequence == number][:SHOWN]
    reach = max((found.tokens[place].end for place in drawn), default=0)
    which = f" {number + 1}" if len(result.stages) > 1 else ""
    told = ""
    for name in ("original", "normalized"):
        title = translate(f"tokens.stage.{name}", locale) + which
        told += pieces.text_row(_cut(rows[name], found, number, reach), title=title)
    if "words" in rows:
        told += pictures.token_boxes(
            (
                pictures.Box(
                    visible(word.surface),
                    _word_class(word, locale),
                    group=place,
                    hint=" ".join(filter(None, (_word_class(word, locale), *word.pos[1:], word.reading, word.base))),
                    link=" ".join(f"t{n}" for n in drawn if found.tokens[n].word == place),
                )
                for place, word in enumerate(found.words[number])
                if word.start < reach
            ),
            title=translate("tokens.stage.words", locale) + which,
        )
    return told


def _word_class(word: Word, locale: Locale) -> str:
    """The dictionary's name of the word's class, without its subclasses."""
    return pieces.word_or("tokens.pos", word.pos[0], locale) if word.pos else ""


def _cut(parts: Sequence[Part], found: Tokenization, number: int, reach: int) -> Iterator[tuple[str, bool, str]]:
    """Parts of a stage, the unchanged ones cut where tokens begin and end, each with the tokens it lights up."""
    tokens = [(place, token) for place, token in enumerate(found.tokens) if token.sequence == number]
    borders = {border for _, token in tokens for border in (token.start, token.end)}
    for part in parts:
        if part.start >= reach:
            return
        inner = [] if part.changed else sorted(border for border in borders if part.start < border < part.end)
        edges = [part.start, *inner, part.end]
        for start, end in pairwise(edges):
            text = part.text if part.changed else part.text[start - part.start : end - part.start]
            link = " ".join(f"t{place}" for place, token in tokens if token.start < end and start < token.end)
            yield text, part.changed, link


def _token_rows(result: Pipeline, places: Sequence[int], locale: Locale) -> str:
    """Subwords, and their ids with segment ids for a pair."""
    found, subwords, numbers = result.tokenization, [], []
    chosen = found.tokens[result.focus].group if result.focus >= 0 else None
    sizes = {found.tokens[group.first].group: group.last - group.first for group in found.groups}
    for place in places:
        token = found.tokens[place]
        split = token.sequence is not None and sizes[token.group] > 1
        marks = {"special": token.special, "unknown": token.unknown, "part": split, "chosen": token.group == chosen}
        color = None if token.sequence is None else token.group if token.word is None or split else token.word
        state = " ".join(mark for mark, wanted in marks.items() if wanted)
        hint = opened.describe(found, token, locale)
        below = found.original(token) if token.unknown else "" if token.bytes else token.piece
        shared: dict[str, Any] = {
            "group": color,
            "state": state,
            "hint": hint,
            "link": f"t{place}",
            "pick": {"focus": place + 1},
        }
        start = _begins(found.tokens, place)
        below = "" if below == token.surface else visible(below)
        subwords.append(pictures.Box(token.surface, below, word_start=start, **shared))
        segment = translate("tokens.segment", locale, segment=token.segment) if len(result.stages) > 1 else ""
        numbers.append(pictures.Box(str(token.id), segment, **shared))
    titles = [translate(f"tokens.stage.{name}", locale) for name in ("subwords", "ids")]
    return pictures.token_boxes(subwords, title=titles[0]) + pictures.token_boxes(numbers, title=titles[1])


def _begins(tokens: Sequence[Token], place: int) -> bool:
    """Whether a new word or character begins here, so that what belongs together stands together."""
    return place == 0 or not (tokens[place].continues or tokens[place].group == tokens[place - 1].group)


def snippet(query: Query) -> str:
    """The same with transformers alone."""
    texts = f"{query.text!r}, {query.pair!r}" if query.pair else repr(query.text)
    return f"""from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained({sources.path_in_script(query.tokenizer)!r})
# Segment ids are asked for by name: left alone, a pair could reach a BERT as one segment.
encoded = tokenizer({texts}, return_token_type_ids=True)
tokens = tokenizer.convert_ids_to_tokens(encoded["input_ids"])
result = {{"tokens": tokens, "ids": encoded["input_ids"], "segments": encoded["token_type_ids"]}}
print(result)
"""


def evidence(result: Pipeline) -> dict[str, Any]:
    """Pieces, ids and segment ids, special tokens included."""
    found = result.tokenization
    pieces_, ids, segments = [token.piece for token in found.tokens], list(found.ids), list(found.segment_ids)
    return {"tokens": pieces_, "ids": ids, "segments": segments}


def build(room: Room) -> None:
    """The text with its examples, the tokenizer, and behind a fold the second text and the special tokens."""
    with room.inputs():
        room.examples("text", *EXAMPLES)
        room.widget("text", lines=3)
        room.widget("tokenizer")
        with room.more():
            room.widget("pair")
            room.widget("special")
        room.picked("focus")
    with room.results():
        room.view()
        room.view()


def _answer(result: Pipeline) -> int:
    """Up to 6 tokens, 7 to 10, or more."""
    count = len(result.tokenization.content())
    return 0 if count <= 6 else 1 if count <= 10 else 2


EXHIBIT = Exhibit(
    slug="tokens",
    sections=("3.6.3",),
    query=Query,
    explore=explore,
    show=show,
    snippet=snippet,
    evidence=evidence,
    build=build,
    prediction=Prediction(Query(text=BOOK), 3, _answer),
    steps=(Step({"text": BOOK}), Step({"tokenizer": "bpe"}), Step({"tokenizer": "unigram"})),
)
