"""The text a vocabulary is learned from: a table of words and counts, or any text, counted."""

from __future__ import annotations

from collections.abc import Sequence

from core import query as queries
from core.i18n import Locale, translate
from core.text.input import refuse_surrogates, visible
from core.text.subword_training import MOST_CHARACTERS, TOY_CORPUS, Words, count_words, parse_words
from tabs._kit import pictures
from tabs._kit.room import Room
from tabs.tokens import pieces

TABLE = "\n".join(f"{word} {count}" for word, count in TOY_CORPUS)
STORY = (
    "春の朝、公園を歩いた。公園には桜の花が咲き、花の下で子どもたちが歌を歌っていた。"
    "歌い終わると、子どもたちは笑い、花びらを集めて走り出した。春の公園は、いつも楽しい。"
)
ENGLISH = "low 5\nlower 2\nnewest 6\nwidest 3\nnew 4"
FORMS = ("table", "mecab", "spaces")
WORDS_SHOWN, PIECES_SHOWN = 40, 200
MERGES = 100


def text() -> str:
    """The query field that holds the text, by default the book's four words."""
    return queries.text(TABLE, limit=MOST_CHARACTERS)


def form() -> str:
    """The query field that says how the text is read."""
    return queries.one_of("table", *FORMS)


def read_words(corpus: str, form: str) -> Words:
    """Words and counts.

    Raises:
        InvalidInput: the text is empty, too long, holds half characters, or has a line that is no word and count.
    """
    refuse_surrogates(corpus)
    if form == "table":
        return parse_words(corpus)
    return count_words(corpus, by="mecab" if form == "mecab" else "spaces")


def lines_to_read(corpus: str, form: str) -> str:
    """The lines of a script that set ``words``, a dict from word to count."""
    if form == "table":
        return f"words = {dict(read_words(corpus, form))!r}"
    counted = f"count_words({corpus!r}, by={form!r})"
    return f"from core.text.subword_training import count_words\n\nwords = dict({counted})"


def place_widgets(room: Room) -> None:
    """Examples, the text and how it is read."""
    room.presets(
        {"corpus": TABLE, "form": "table"}, {"corpus": STORY, "form": "mecab"}, {"corpus": ENGLISH, "form": "table"}
    )
    room.widget("corpus", lines=4)
    room.widget("form")


def words_cut(words: Words, cut: Sequence[Sequence[str]], locale: Locale, *, new: str = "") -> str:
    """Every word with its count and its pieces at this step, the most frequent first."""
    rows = sorted(
        ((word, count, tuple(parts)) for (word, count), parts in zip(words, cut, strict=True)),
        key=lambda row: -row[1],
    )
    told = pictures.heading(translate("tokens.training.cut", locale))
    return told + pieces.cuts(rows[:WORDS_SHOWN], new=new) + pieces.left_out(WORDS_SHOWN, len(rows), locale)


def vocabulary_row(vocabulary: Sequence[str], locale: Locale, *, new: str = "") -> str:
    """All pieces so far, newest last."""
    told = pictures.heading(translate("tokens.training.vocabulary", locale, size=len(vocabulary)))
    shown = vocabulary[-PIECES_SHOWN:]
    return told + pieces.row_of(shown, new=new) + pieces.left_out(len(shown), len(vocabulary), locale)


def word_row(word: str, parts: Sequence[tuple[str, bool]], locale: Locale) -> str:
    """A new word cut with what was learned; pieces outside the vocabulary are marked."""
    if not word:
        return ""
    boxes = [
        pictures.Box(visible(text), state="" if known else "unknown", word_start=n == 0)
        for n, (text, known) in enumerate(parts)
    ]
    told = pictures.token_boxes(boxes, title=translate("tokens.training.applied", locale, word=visible(word)))
    missing = [text for text, known in parts if not known]
    return told + (pictures.note(translate("tokens.training.unknown", locale), kind="caution") if missing else "")
