"""From text to tokens that know their characters: normalise, cut into words, cut into pieces, number them."""

from __future__ import annotations

import functools
import json
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from core.text.input import refuse_surrogates
from core.text.normalization import Rule, blocks, compose, follow_rules, join, keep
from core.text.pieces import piece_bytes, readable_piece
from core.text.segmentation import Mecab, move
from core.text.tokenizers import SubwordTokenizer
from core.text.types import Normalization, Part, Span, Stage, Token, Tokenization, Word


@dataclass(frozen=True, slots=True)
class _Draft:
    """A token of one text before the special tokens are added around it."""

    id: int
    span: Span
    continues: bool
    word: int | None


@dataclass(frozen=True, slots=True)
class _Analysis:
    normalization: Normalization
    words: tuple[Word, ...]
    drafts: tuple[_Draft, ...]


def tokenize(text: str, tokenizer: SubwordTokenizer, *, pair: str | None = None) -> Tokenization:
    """Tokenize a text, or a pair of texts, exactly as the tokenizer itself does, and say what every token covers.

    Args:
        text: any text without lone surrogates.
        tokenizer: from `core.text.tokenizers.load_tokenizer`.
        pair: the second text; its tokens have segment id 1 where the tokenizer knows segments (BERT).

    Raises:
        InvalidInput: ``error.text.surrogate``.
    """
    texts = (text,) if pair is None else (text, pair)
    for one in texts:
        refuse_surrogates(one)
    if tokenizer.fast is None:
        return _tokenize_japanese(texts, tokenizer)
    return _tokenize_fast(texts, tokenizer)


def stages(tokenization: Tokenization, *, sequence: int = 0) -> tuple[Stage, ...]:
    """The way from text to ids as rows: original, normalised, MeCab words (where there are any), subwords, ids.

    A part is marked as changed where its stage makes a difference: normalised otherwise, split, or unknown.
    """
    normalization = tokenization.normalizations[sequence]
    originals: list[Part] = []
    normals: list[Part] = []
    for start, end, first, last in blocks(len(normalization.original), normalization.spans):
        before, after = normalization.original[start:end], normalization.text[first:last]
        changed = before != after
        if originals and originals[-1].changed == changed and not changed:
            begin, so_far = originals[-1].start, originals[-1].text
            originals[-1] = normals[-1] = Part(so_far + before, begin, end, False)
        else:
            originals.append(Part(before, start, end, changed))
            normals.append(Part(after, start, end, changed))
    tokens = tokenization.content(sequence)
    split = {token.word for token in tokens if token.continues}
    subwords = tuple(
        Part(token.surface, token.start, token.end, token.unknown or (token.word is not None and token.word in split))
        for token in tokens
    )
    words = tuple(Part(word.surface, word.start, word.end, False) for word in tokenization.words[sequence])
    return (
        Stage("original", tuple(originals)),
        Stage("normalized", tuple(normals)),
        *((Stage("words", words),) if tokenization.family.startswith("mecab") else ()),
        Stage("subwords", subwords),
        Stage("ids", tuple(Part(str(token.id), token.start, token.end, False) for token in tokens)),
    )


# --- MeCab first: BertJapaneseTokenizer cannot say where its tokens come from, so its steps are taken one by one.


def _tokenize_japanese(texts: Sequence[str], tokenizer: SubwordTokenizer) -> Tokenization:
    analyses = tuple(_analyse_japanese(text, tokenizer) for text in texts)
    model = tokenizer.model
    ids = [[draft.id for draft in analysis.drafts] for analysis in analyses]
    added = model.get_special_tokens_mask(*ids)
    # Asked for by name: called on a pair, this tokenizer gives no segment ids of its own accord (book.md P1).
    segments = model.create_token_type_ids_from_sequences(*ids)
    numbers = model.build_inputs_with_special_tokens(*ids)
    content = iter([(place, draft) for place, analysis in enumerate(analyses) for draft in analysis.drafts])
    places: list[tuple[int | None, _Draft]] = []
    for number, is_added in zip(numbers, added, strict=True):
        places.append((None, _Draft(number, (0, 0), False, None)) if is_added else next(content))
    return _finish(tokenizer, analyses, places, segments)


def _analyse_japanese(text: str, tokenizer: SubwordTokenizer) -> _Analysis:
    parts: list[Normalization] = []
    words: list[Word] = []
    drafts: list[_Draft] = []
    start = 0
    for part, verbatim in _split_added(text, tokenizer.model):
        if verbatim is not None:
            parts.append(keep(part))
            drafts.append(_Draft(verbatim, (start, start + len(part)), False, None))
        else:
            analysis = _analyse_segment(part, tokenizer)
            parts.append(analysis.normalization)
            drafts.extend(
                _Draft(
                    draft.id,
                    (draft.span[0] + start, draft.span[1] + start),
                    draft.continues,
                    None if draft.word is None else draft.word + len(words),
                )
                for draft in analysis.drafts
            )
            words.extend(move(word, start) for word in analysis.words)
        start += len(part)
    return _Analysis(join(parts), tuple(words), tuple(drafts))


def _split_added(text: str, model: Any) -> Iterator[tuple[str, int | None]]:
    """Cut out tokens such as ``[MASK]`` that are matched verbatim: parts of the text, with the id of a verbatim one."""
    ids = {token.content: number for number, token in model.added_tokens_decoder.items()}
    for part in model.tokens_trie.split(text):
        if part:
            yield part, ids.get(part)


def _analyse_segment(text: str, tokenizer: SubwordTokenizer) -> _Analysis:
    model, cutter = tokenizer.model, tokenizer.model.word_tokenizer
    normalization = follow_rules(text, [_NFKC] if cutter.normalize_text else [])
    words = Mecab(cutter.mecab, tokenizer.lock).words(normalization.text)
    untouched = {*cutter.never_split, *model.all_special_tokens}
    parts: list[Normalization] = []  # of the words in lower case and the white space between them
    drafts: list[_Draft] = []
    reached = shift = 0  # places in the text before and after lower-casing
    for number, word in enumerate(words):
        parts.append(keep(normalization.text[reached : word.start]))
        shift += word.start - reached
        lower = cutter.do_lower_case and word.surface not in untouched
        parts.append(follow_rules(word.surface, [_LOWER]) if lower else keep(word.surface))
        for piece, (start, end), continues in _cut_word(parts[-1].text, tokenizer):
            drafts.append(_Draft(model.convert_tokens_to_ids(piece), (start + shift, end + shift), continues, number))
        shift += len(parts[-1].text)
        reached = word.end
    parts.append(keep(normalization.text[reached:]))
    whole = compose(normalization, join(parts)) if cutter.do_lower_case else normalization
    return _Analysis(
        whole,
        tuple(_place(word, normalization) for word in words),
        tuple(_Draft(draft.id, whole.span(*draft.span), draft.continues, draft.word) for draft in drafts),
    )


_NFKC = Rule("nfkc", functools.partial(unicodedata.normalize, "NFKC"))
_LOWER = Rule("lower", str.lower)


def _place(word: Word, normalization: Normalization) -> Word:
    start, end = normalization.span(word.start, word.end)
    return Word(word.surface, start, end, word.pos, word.reading, word.base, word.known)


def _cut_word(word: str, tokenizer: SubwordTokenizer) -> Iterator[tuple[str, Span, bool]]:
    """Pieces of one word with their places in it, and whether they continue it."""
    cutter = tokenizer.model.subword_tokenizer
    if tokenizer.family == "mecab-character":
        pieces = cutter.tokenize(word)
        exact = len(pieces) == len(word)  # this tokenizer normalises once more
        for place, piece in enumerate(pieces):
            yield piece, ((place, place + 1) if exact else (0, len(word))), place > 0
        return
    start = 0
    for chunk in word.split():  # MeCab may leave white space of other scripts inside a word
        start = word.index(chunk, start)
        pieces = cutter.tokenize(chunk)
        if pieces == [cutter.unk_token]:
            yield pieces[0], (start, start + len(chunk)), False
            start += len(chunk)
            continue
        for rank, piece in enumerate(pieces):
            length = len(piece.removeprefix("##") if rank else piece)
            yield piece, (start, start + length), rank > 0
            start += length


# --- Everything else runs in Rust and tells offsets; they are mended where they do not say what a reader expects.


def _tokenize_fast(texts: Sequence[str], tokenizer: SubwordTokenizer) -> Tokenization:
    encoding = tokenizer.fast.encode(*texts)
    # Every look at one of these copies the whole list out of Rust.
    ids, offsets, word_ids, owners = encoding.ids, encoding.offsets, encoding.word_ids, encoding.sequence_ids
    analyses: list[_Analysis] = []
    for sequence, text in enumerate(texts):
        indices = [index for index, owner in enumerate(owners) if owner == sequence]
        numbers = [ids[index] for index in indices]
        spans = [offsets[index] for index in indices]
        words = [word_ids[index] for index in indices]
        normalization = _normalize_fast(text, tokenizer, numbers, spans)
        spans = _mend_spans(numbers, spans, normalization, tokenizer)
        drafts = tuple(
            _Draft(number, span, _continues(tokenizer, numbers, words, rank), word)
            for rank, (number, span, word) in enumerate(zip(numbers, spans, words, strict=True))
        )
        analyses.append(_Analysis(normalization, (), drafts))
    content = [iter(analysis.drafts) for analysis in analyses]
    places = [
        (owner, next(content[owner])) if owner is not None else (None, _Draft(number, (0, 0), False, None))
        for number, owner in zip(ids, owners, strict=True)
    ]
    return _finish(tokenizer, analyses, places, encoding.type_ids)


def _continues(tokenizer: SubwordTokenizer, numbers: Sequence[int], words: Sequence[int | None], rank: int) -> bool:
    return (
        rank > 0
        and words[rank] is not None
        and words[rank] == words[rank - 1]
        and numbers[rank] not in (tokenizer.special_ids)
    )


def _normalize_fast(
    text: str, tokenizer: SubwordTokenizer, numbers: Sequence[int], spans: Sequence[Span]
) -> Normalization:
    """Normalise the stretches between the tokens that are matched verbatim."""
    parts: list[Normalization] = []
    place = 0
    for number, (start, end) in zip(numbers, spans, strict=True):
        if start >= place and number in tokenizer.added and text[start:end].strip() == tokenizer.pieces[number].strip():
            parts.append(_normalize_stretch(text[place:start], tokenizer))
            parts.append(keep(text[start:end]))
            place = end
    parts.append(_normalize_stretch(text[place:], tokenizer))
    return join(parts)


def _normalize_stretch(text: str, tokenizer: SubwordTokenizer) -> Normalization:
    normalizer = tokenizer.configuration["normalizer"]
    if not text or normalizer is None:
        return keep(text)
    result = follow_rules(text, _rules(json.dumps(normalizer)))
    whole = tokenizer.fast.normalizer.normalize_str(text)
    return result if result.text == whole else follow_rules(text, [_rust_rule("normalizer", json.dumps(normalizer))])


@functools.lru_cache(maxsize=16)
def _rules(normalizer: str) -> tuple[Rule, ...]:
    """The single steps of a normaliser of the tokenizers library, given as JSON."""
    state = json.loads(normalizer)
    if state["type"] == "Sequence":
        return tuple(rule for child in state["normalizers"] for rule in _rules(json.dumps(child)))
    if state["type"] == "BertNormalizer":
        off = {"type": "BertNormalizer", "clean_text": False, "handle_chinese_chars": False, "lowercase": False,
               "strip_accents": False}  # fmt: skip
        accents = state["lowercase"] if state["strip_accents"] is None else state["strip_accents"]
        steps = (
            ("clean_text", state["clean_text"]),
            ("handle_chinese_chars", state["handle_chinese_chars"]),
            ("strip_accents", accents),
            ("lowercase", state["lowercase"]),
        )
        names = {"clean_text": "clean", "handle_chinese_chars": "split_kanji", "lowercase": "lower"}
        return tuple(
            _rust_rule(names.get(flag, flag), json.dumps({**off, flag: True})) for flag, wanted in steps if wanted
        )
    names = {"Lowercase": "lower", "StripAccents": "strip_accents", "Precompiled": "nmt_nfkc"}
    return (_rust_rule(names.get(state["type"], state["type"].lower()), normalizer),)


def _rust_rule(name: str, normalizer: str) -> Rule:
    """A normaliser of the tokenizers library as a rule; a tokenizer that cuts into single characters tells its map."""
    from tokenizers import Regex, Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Split

    probe = Tokenizer(WordLevel({"x": 0}, unk_token="x"))
    probe = Tokenizer.from_str(json.dumps(json.loads(probe.to_str()) | {"normalizer": json.loads(normalizer)}))
    probe.pre_tokenizer = Split(Regex(r"[\s\S]"), "isolated")
    return Rule(name, probe.normalizer.normalize_str, lambda text: tuple(probe.encode(text).offsets))


def _mend_spans(
    numbers: Sequence[int], spans: Sequence[Span], normalization: Normalization, tokenizer: SubwordTokenizer
) -> list[Span]:
    """Make the library's offsets say what each token covers: valid, in order, marks with their letters."""
    mended = list(spans)
    _split_fallback_runs(numbers, mended, normalization, tokenizer)
    for rank, (start, end) in enumerate(mended[:-1]):
        # The ▁ put before a word claims the word's first letter.
        if tokenizer.pieces[numbers[rank]] == "▁" and mended[rank + 1][0] < end:
            mended[rank] = (start, start)
    unit_ends = {place: end for start, end in normalization.spans if end - start > 1 for place in range(start, end)}
    reached = 0
    for rank, (start, end) in enumerate(mended):
        if end > start and unit_ends.get(end - 1, end) > end:
            # The library leaves out the marks that composition swallowed (か with a combining ゛).
            following = next(
                (mended[later][0] for later in range(rank + 1, len(mended)) if mended[later][0] >= end),
                len(normalization.original),
            )
            end = min(unit_ends[end - 1], following)
        reached = max(reached, start)
        mended[rank] = (reached, max(reached, end))
    return mended


def _split_fallback_runs(
    numbers: Sequence[int], spans: list[Span], normalization: Normalization, tokenizer: SubwordTokenizer
) -> None:
    """Unigram reports a run of unknown characters as one: share its bytes out to the characters they write."""
    rank = 0
    while rank < len(spans):
        last = rank + 1
        while last < len(spans) and spans[last] == spans[rank]:
            last += 1
        start, end = spans[rank]
        data = [piece_bytes(tokenizer.pieces[number], "unigram") for number in numbers[rank:last]]
        if tokenizer.family in ("unigram", "bpe") and end - start > 1 and all(data):
            text = bytes(byte for piece in data for byte in piece).decode(errors="replace")
            origins = [span for span in normalization.spans if start <= span[0] and span[1] <= end]
            if len(origins) == len(text):
                owners = [origin for character, origin in zip(text, origins, strict=True) for _ in character.encode()]
                if len(owners) == last - rank:
                    spans[rank:last] = owners
        rank = last


# --- Common end


def _finish(
    tokenizer: SubwordTokenizer,
    analyses: Sequence[_Analysis],
    places: Sequence[tuple[int | None, _Draft]],
    segments: Sequence[int],
) -> Tokenization:
    """Number the groups of tokens that share characters, and make every piece readable."""
    tokens: list[Token] = []
    group, covered, owner = -1, 0, None
    for (sequence, draft), segment in zip(places, segments, strict=True):
        if sequence is None:  # stands after the text before it
            start = end = 0 if owner is None else len(analyses[owner].normalization.original)
        else:
            start, end = draft.span
        shares = sequence is not None and sequence == owner and start < covered and end > start
        if not shares:
            group += 1
            covered = end if end > start else 0
        covered = max(covered, end)
        owner = owner if sequence is None else sequence
        piece = tokenizer.pieces[draft.id]
        special = sequence is None or draft.id in tokenizer.special_ids
        unknown = not special and draft.id == tokenizer.unknown_id
        marked = special or unknown
        tokens.append(
            Token(
                id=draft.id,
                piece=piece,
                surface=piece if marked else readable_piece(piece, tokenizer.family, continues=draft.continues),
                start=start,
                end=end,
                special=special,
                unknown=unknown,
                continues=draft.continues,
                word=draft.word,
                sequence=sequence,
                segment=segment,
                group=group,
                bytes=() if marked else piece_bytes(piece, tokenizer.family),
            )
        )
    return Tokenization(
        tokenizer.source,
        tokenizer.family,
        tuple(analysis.normalization for analysis in analyses),
        tuple(analysis.words for analysis in analyses),
        tuple(tokens),
    )
