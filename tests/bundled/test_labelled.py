"""Rows that the heads learn from, gathered from sets of our own sentences in the forms of the real ones."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from core.bundled import labelled
from core.bundled.heads import HEADS
from core.bundled.made_pairs import SOURCES
from core.data.examples import TaggedText
from core.i18n import ASSETS
from core.tasks.loaded import load_task_model, predict
from core.tasks.registry import TASKS, find_task
from tests.bundled.family import write_rows

CAPITAL = "フランスの首都パリでは、エマニュエル・マクロン大統領が演説した。"
PAIRS = [("猫が寝ている", "動物が寝ている"), ("犬が走る", "犬が止まる"), ("空が青い", "海が広い")] * 4


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("labelled")
    comments = [{"text": f"客足は{n}割だ", "label": n % 5} for n in range(20)]
    write_rows(folder / "economy_watchers/train.jsonl.gz", comments)
    write_rows(folder / "economy_watchers/dev.jsonl.gz", comments[:5])
    polarities = ("positive", "none", "mixed", "negative")
    write_rows(folder / "chabsa/train.jsonl.gz", [{"sentence": p, "sentence_polarity": p} for p in polarities])
    labels = ("entailment", "contradiction", "neutral")
    pairs = [
        {
            "id": str(n),
            "sentence1": f"{n}で{one}",
            "sentence2": f"{n}で{other}",
            "label": labels[n % 3],
            "score": 1 + n % 5,
        }
        for n, (one, other) in enumerate(PAIRS)
    ]
    write_rows(folder / "jsick/train.jsonl.gz", pairs)
    write_rows(folder / "jamp/train.jsonl.gz", pairs)
    write_rows(folder / "janli/train.jsonl.gz", [*pairs[:1], pairs[1] | {"label": "non-entailment"}])
    write_rows(
        folder / "jglue/jnli/valid.jsonl", [pair | {"yjcaptions_id": f"{n}-1-2"} for n, pair in enumerate(pairs)]
    )
    scored = [pair | {"sentence1": f"{pair['sentence1']}よ", "label": 2.5} for pair in pairs]
    scored[0] = pairs[0] | {"label": 2.5}  # one that has a label of inference too
    write_rows(folder / "jglue/jsts/train.jsonl.gz", scored)
    write_rows(folder / "jglue/jsts/valid.jsonl", [pair | {"label": 1.5} for pair in pairs])
    names = [
        {"text": "京都の人", "entities": [{"name": "京都", "span": [0, 2], "type": kind}]} for kind in ("A", "OPTIONAL")
    ]
    write_rows(folder / "wikipedia_annotated_corpus/train.jsonl.gz", names)
    write_rows(folder / "wikipedia_annotated_corpus/dev.jsonl", names)
    write_rows(folder / "stockmark_ner/train.jsonl.gz", names[:1])
    write_rows(folder / "stockmark_ner/dev.jsonl", names[:1])
    write_rows(folder / "pretrain/jawiki_country.jsonl.gz", [{"text": f"{CAPITAL}とても良い。"}])
    text = "今日は公園へ行きました。短い。とても良い天気でしたね。"
    for name in SOURCES.keys() - {"jawiki_country"}:
        write_rows(folder / f"pretrain/{name}.jsonl.gz", [{"text": f"A:{text}"}])
    return folder


def test_neutral_comments_are_left_out_and_reviews_come_four_times(data: Path) -> None:
    gathered = labelled.gather_sentiment(data, comments=10, seed=1)
    counts = {one.folder: count for one, count in gathered.counts}
    assert counts == {"economy_watchers": 10, "chabsa": 2, "samples": 400}
    assert len(gathered.train) == 10 + 2 + 4 * 400
    assert {row["label"] for row in (*gathered.train, *gathered.validation)} == {"positive", "negative"}
    assert len(gathered.validation) == 4
    held_back = {row["text"] for row in labelled.read_samples("reviews") if row["split"] == "test"}
    assert not held_back & {row["text"] for row in gathered.train}


def test_relatedness_is_stretched_to_the_scale_of_likeness(data: Path) -> None:
    gathered = labelled.gather_similarity(data)
    assert [row["score"] for row in gathered.train[12:17]] == [0.0, 1.25, 2.5, 3.75, 5.0]
    assert {row["score"] for row in gathered.validation} == {1.5}


def test_no_kept_pair_is_trained_on(data: Path) -> None:
    gathered = labelled.gather_inference(data, templates=4, made=3, seed=1)
    kept = {frozenset((row["sentence1"], row["sentence2"])) for row in gathered.validation}
    jnli = gathered.counts[0][1]
    trained = {frozenset((row["sentence1"], row["sentence2"])) for row in gathered.train[: 3 * jnli]}
    assert kept
    assert not kept & trained
    assert jnli + len(gathered.validation) == len(PAIRS)
    assert "non-entailment" not in {row["label"] for row in gathered.train}


def test_names_that_nobody_could_decide_are_left_out(data: Path) -> None:
    gathered = labelled.gather_other_names(data)
    assert [row["entities"][0]["type"] if row["entities"] else None for row in gathered.train] == ["A", None]


def test_a_tagger_is_taught_with_the_names_that_its_base_finds(data: Path) -> None:
    teacher = load_task_model("tagging-crf")
    gathered = labelled.gather_taught_names(data, teacher=ASSETS / "models/tagging-crf", sentences=9, seed=1)
    (prediction,) = predict(teacher, [TaggedText(CAPITAL, ())])
    assert [(one.folder, count) for one, count in gathered.counts] == [("stockmark_ner", 1), ("pretrain", 1)]
    assert gathered.train[1]["text"] == CAPITAL
    assert [(*one["span"], one["type"]) for one in gathered.train[1]["entities"]] == list(
        map(tuple, prediction.predicted)
    )


def test_sentences_lose_speakers_and_short_ones_are_dropped(data: Path) -> None:
    gathered = labelled.gather_sentences(data, sentences=40, seed=1)
    captions = {
        row[name] for row in labelled.read_rows(data, labelled.JSTS, "train") for name in ("sentence1", "sentence2")
    }
    assert {row["text"] for row in gathered.train} == {"今日は公園へ行きました", "とても良い天気でしたね"} | captions


def test_sentence_encoders_are_chosen_by_pairs_that_are_not_reported(data: Path) -> None:
    for gathered in (labelled.gather_sentences(data, sentences=4, seed=1), labelled.gather_triples(data, seed=1)):
        assert {row["score"] for row in gathered.validation} == {2.5}  # JSTS's training part; the other has 1.5


def test_cropped_passages_hold_their_answers() -> None:
    sentences = [f"{n}番目の文にはいろいろなことが書いてあります。" + "\n" * (n % 3 == 0) for n in range(12)]
    context = "".join(sentences)
    rng = random.Random(1)
    lengths = set()
    for _ in range(100):
        place = rng.randrange(len(context) - 30)
        row = {"context": context, "answers": [{"text": context[place : place + 5], "answer_start": place}]}
        cropped = labelled.crop_context(row, characters=90, rng=rng)
        (answer,) = cropped["answers"]
        assert cropped["context"][answer["answer_start"] :].startswith(answer["text"])
        assert cropped["context"] in context
        lengths.add(len(cropped["context"]))
    assert max(lengths) <= 90
    assert len(lengths) > 3


def test_triples_have_what_follows_and_what_does_not(data: Path) -> None:
    triples = labelled.gather_triples(data, seed=1).train
    pairs = {(f"{n}で{one}", f"{n}で{other}"): n % 3 for n, (one, other) in enumerate(PAIRS)}
    pairs |= {(other, one): label for (one, other), label in pairs.items()}
    assert triples
    assert all(pairs[row["anchor"], row["positive"]] == 0 for row in triples)  # entailment
    assert all(pairs[row["anchor"], row["negative"]] != 0 for row in triples if row["negative"])


def test_no_pair_is_trained_on_that_likeness_is_judged_by(data: Path) -> None:
    gathered = labelled.gather_triples(data, seed=1)
    reported = {frozenset((row["sentence1"], row["sentence2"])) for row in labelled.gather_similarity(data).validation}
    assert len(reported) == len(PAIRS)  # all of JNLI's here: what is left are JSICK's
    assert [count for one, count in gathered.counts if one is labelled.JNLI] == [0]


def test_every_head_learns_a_known_task_with_options_it_has() -> None:
    for head in HEADS:
        assert head.task in TASKS
        assert set(head.options) <= {option.name for option in find_task(head.task).options}
        assert head.base in {"encoder", "decoder", "seq2seq", *(other.name for other in HEADS)}


def test_hard_negatives_share_words_and_hold_no_answer() -> None:
    rows = [
        {"title": title, "context": context, "question": question, "answers": [{"text": answer}]}
        for title, context, question, answer in (
            ("山", "富士山の高さは三七七六メートルである。", "富士山の高さは？", "三七七六"),
            ("山", "富士山の麓には五つの湖がある。", "富士山の麓の湖の数は？", "五"),
            ("測量", "富士山の高さは三七七六メートルと測られた。", "何が測られた？", "高さ"),
            ("海", "くじらは歌う。", "何が歌う？", "くじら"),
        )
    ]
    found = labelled.find_hard_negatives(rows)
    assert found[0] == [{"title": "山", "text": "富士山の麓には五つの湖がある。"}]  # the third holds the answer too
    assert found[1][0]["text"] == rows[0]["context"]
    assert all(row["context"] not in [one["text"] for one in others] for row, others in zip(rows, found, strict=True))
    assert len(labelled.find_hard_negatives(rows, count=1)[1]) == 1
