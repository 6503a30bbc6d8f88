"""The answers: those of the tasks themselves, drawn in words, given again by the script; and what can be missing."""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from core import query as queries
from core.data.examples import Article, LabelledPair, LabelledText, ScoredPair, TaggedText
from core.errors import InvalidInput, ModelUnavailable
from core.i18n import ASSETS, LOCALES, translate
from core.presets import HEADS
from core.settings import LIMITS
from core.tasks.loaded import load_task_model, predict
from core.tasks.tour import (
    TASKS,
    UNRELATED,
    Inference,
    Names,
    Refusal,
    Sentiment,
    Sources,
    is_shipped,
    split_hypotheses,
)
from core.values import as_json
from tabs._kit.events import admit
from tabs.tour import visit
from tabs.tour.examples import CAFE, EXAMPLES, IRONY, NAMES, NEWS, Example
from tabs.tour.panels import share
from tabs.tour.visit import EXHIBIT, SURE, Query, evidence, explore, show, snippet
from tests.exhibits.test_exhibits import alike

PLAIN = Query(text="佐藤さんは京都の喫茶店で働いている。", hypotheses="佐藤さんは働いている。\n佐藤さんは寝ている。")


def draw(query: Query) -> str:
    result = explore(query)
    json.dumps(as_json(result))
    return "".join(view for locale in LOCALES for view in show(result, locale))


@pytest.fixture
def gradients() -> Iterator[None]:
    """Scripts switch them off for the whole process."""
    yield
    torch.set_grad_enabled(True)


def run(query: Query) -> Any:
    space: dict[str, Any] = {}
    exec(compile(snippet(query), "snippet", "exec"), space)
    return space["result"]


def test_answers_are_those_of_the_tasks(models: Path) -> None:
    found = explore(PLAIN)
    text, (first, second) = PLAIN.text, split_hypotheses(PLAIN.hypotheses)

    (judged,) = predict(load_task_model("sentiment"), [LabelledText(text, "positive")])
    assert isinstance(found.sentiment, Sentiment)
    shown = dict(zip(found.sentiment.labels, found.sentiment.probabilities, strict=True))
    assert shown == pytest.approx(dict(judged.scores))

    pairs = [LabelledPair(text, one, "neutral") for one in (first, second)]
    assert isinstance(found.inference, Inference)
    for row, answer in zip(found.inference.probabilities, predict(load_task_model("inference"), pairs), strict=True):
        assert dict(zip(found.inference.labels, row, strict=True)) == pytest.approx(dict(answer.scores))

    compared = [ScoredPair(text, other, 0.0) for other in (PLAIN.other, UNRELATED)]
    for task, source in (("similarity", "similarity"), ("embedding", "simcse")):
        told = [one.predicted for one in predict(load_task_model(source), compared)]
        likeness = getattr(found, task)
        assert [likeness.pair, likeness.unrelated] == pytest.approx(told)

    (tagged,) = predict(load_task_model("tagging"), [TaggedText(text, ())])
    assert isinstance(found.names, Names)
    assert [[name.start, name.end, name.label] for name in found.names.found] == tagged.predicted
    assert tagged.predicted

    (written,) = predict(load_task_model("headline"), [Article(PLAIN.article, "")])
    assert not isinstance(found.headline, Refusal)
    assert found.headline.text == written.predicted


def test_the_steps_add_up(models: Path) -> None:
    found = explore(PLAIN).sentiment
    assert isinstance(found, Sentiment)
    assert (found.pieces[0], found.pieces[-1]) == ("[CLS]", "[SEP]")
    assert "".join(piece.removeprefix("##") for piece in found.pieces[1:-1]) == PLAIN.text
    whole = sum(map(math.exp, found.logits))
    assert [math.exp(logit) / whole for logit in found.logits] == pytest.approx(found.probabilities)


@pytest.mark.parametrize(
    "query",
    [
        PLAIN,
        replace(PLAIN, embedding="simcse-supervised", text="猫" * 60),
        replace(PLAIN, text="😀 絵文字🍣の<b>ある</b>文は、[UNK]と読まれる。ＡＢＣ", hypotheses="猫が好き。"),
        replace(PLAIN, other="", hypotheses=""),
    ],
    ids=["plain", "supervised", "odd", "empty"],
)
@pytest.mark.usefixtures("models", "gradients")
def test_the_script_gives_what_is_shown(query: Query) -> None:
    shown = json.loads(json.dumps(as_json(evidence(explore(query)))))
    assert shown
    assert alike(json.loads(json.dumps(run(query))), shown)


@pytest.mark.usefixtures("gradients")
def test_a_missing_model_says_so_and_the_others_go_on(few: Path) -> None:
    found = explore(PLAIN)
    missing = {task for task in TASKS if isinstance(getattr(found, task), Refusal)}
    assert missing == {"headline", "names", "inference"}
    for locale in LOCALES:
        panels, _ = show(found, locale)
        assert html.escape(translate("tour.summary", locale, tasks=5, answered=2, models=3)) in panels
        for model in ("headline", "tagging", "inference"):
            name = translate(f"tour.model.{model}", locale)
            assert html.escape(translate("error.model.not_shipped", locale, source=name)) in panels
    told = run(PLAIN)
    assert told.keys() == evidence(found).keys() == set(TASKS) - missing
    assert "AutoModelForSeq2SeqLM" not in snippet(PLAIN)


def test_the_page_counts_the_models_that_answered(models: Path) -> None:
    for locale in LOCALES:
        panels, _ = show(explore(PLAIN), locale)
        assert html.escape(translate("tour.summary", locale, tasks=5, answered=5, models=6)) in panels


def test_a_task_without_its_text_asks_for_it(models: Path) -> None:
    found = explore(replace(PLAIN, other=" ", hypotheses="\n\n", article="あ\ud800"))
    told = {task: getattr(found, task) for task in TASKS}
    refused = {task: answer.key for task, answer in told.items() if isinstance(answer, Refusal)}
    assert refused == {
        "inference": "error.tour.hypotheses", "similarity": "error.text.empty", "embedding": "error.text.empty",
        "headline": "error.text.surrogate",
    }  # fmt: skip
    four = explore(replace(PLAIN, hypotheses="一\n二\n\n三\n四")).inference
    assert isinstance(four, Refusal)
    assert (four.key, four.params["count"]) == ("error.tour.hypotheses", 4)
    assert all(translate(four.key, locale, **four.params) for locale in LOCALES)


@pytest.mark.parametrize(
    ("text", "key"), [("", "error.text.empty"), (" \n　", "error.text.empty"), ("猫\ud800", "error.text.surrogate")]
)
def test_sentences_that_are_none(text: str, key: str, models: Path) -> None:
    with pytest.raises(InvalidInput) as refusal:
        explore(replace(PLAIN, text=text))
    assert refusal.value.key == key


@pytest.mark.parametrize("field", ["text", "other", "hypotheses", "article"])
@pytest.mark.parametrize("mode", LIMITS)
def test_eight_thousand_characters_are_refused(field: str, mode: Any) -> None:
    with pytest.raises(InvalidInput, match=r"error\.text\.too_long"):
        admit(queries.make(Query, {field: "あ" * 8_000}), LIMITS[mode])


@pytest.mark.parametrize("mode", LIMITS)
def test_every_example_may_be_tried_everywhere(mode: Any) -> None:
    for example in EXAMPLES:
        admit(queries.make(Query, asdict(example)), LIMITS[mode])
        assert len(split_hypotheses(example.hypotheses)) == 3


@pytest.mark.parametrize(
    ("example", "names"),
    [
        (CAFE, "高橋健一 人名, 京都 地名, 鴨川 地名"),
        (NEWS, "神奈川県 地名, 横浜市 地名, 桜木町駅 施設名"),
        (NAMES, "川端康成 人名, 大阪市 地名, 東京帝国大学 法人名, 雪国 製品名"),
        (IRONY, ""),
    ],
    ids=["cafe", "news", "names", "irony"],
)
def test_the_bundled_models_read_the_examples_rightly(example: Example, names: str) -> None:
    """All but the irony: whether the sentiment model sees through it is what the prediction asks."""
    found = explore(Query(**asdict(example)))
    assert isinstance(found.inference, Inference)
    labels, rows = found.inference.labels, found.inference.probabilities
    assert [labels[row.index(max(row))] for row in rows] == ["entailment", "contradiction", "neutral"]
    for likeness, margin in ((found.similarity, 1.0), (found.embedding, 0.2)):
        assert not isinstance(likeness, Refusal)
        assert likeness.pair > likeness.unrelated + margin
    assert isinstance(found.names, Names)
    assert ", ".join(f"{example.text[name.start : name.end]} {name.label}" for name in found.names.found) == names
    if example is CAFE:
        assert isinstance(found.sentiment, Sentiment)
        assert dict(zip(found.sentiment.labels, found.sentiment.probabilities, strict=True))["positive"] > SURE


@pytest.mark.parametrize(
    "text",
    [
        "👩‍👩‍👧🍣😀",
        "猫\x00は\x1b[31m魚\u200bを\u202e食べた",
        "<script>alert(1)</script>猫",
        '"><img src=x onerror=alert(1)>',
        "[CLS][SEP][PAD][UNK][MASK]",
        "a" * 200,
        "か\u3099 𠮷 ﷽",
        "﷽" * 100,
        "\u200b",
    ],
    ids=range(9),
)
def test_odd_texts_are_drawn_as_text(text: str, models: Path) -> None:
    drawn = draw(Query(text=text, hypotheses=text, other=text, article=text))
    assert "<script" not in drawn
    assert "<img" not in drawn
    assert "\ufffd" not in drawn


def test_highlighted_names_and_what_stands_between_them_are_the_sentence(models: Path) -> None:
    found = explore(PLAIN)
    assert isinstance(found.names, Names)
    assert found.names.found
    panels, _ = show(found, "ja")
    shown = next(part for part in re.findall(r"<p>(.*?)</p>", panels) if "lab-piece" in part)
    assert shown.count("lab-piece") == len(found.names.found)
    bare = re.sub(r" <small.*?</small>|<[^>]*>", "", shown)
    assert html.unescape(bare) == PLAIN.text


def test_a_text_longer_than_the_model_reads_is_not_cut_in_silence(models: Path) -> None:
    found = explore(replace(PLAIN, text="竜" * 150))
    assert set(found.cut) == {"sentiment", "inference", "similarity", "headline"}
    assert isinstance(found.names, Refusal)
    assert found.names.key == "error.tour.too_many_tokens"
    assert translate("tour.cut", "ja") in show(found, "ja")[0]


def test_the_answer_to_the_question_is_read_off_the_result(models: Path) -> None:
    assert EXHIBIT.prediction.query == Query(**asdict(IRONY))
    found = explore(PLAIN)
    assert isinstance(found.sentiment, Sentiment)
    answers = [
        EXHIBIT.prediction.answer(replace(found, sentiment=replace(found.sentiment, probabilities=probabilities)))
        for probabilities in ((0.9, 0.1), (0.2, 0.8), (0.55, 0.45))
    ]
    assert answers == [0, 1, 2]
    assert EXHIBIT.prediction.answer(replace(found, sentiment=Refusal("error.model.not_shipped", {}))) == 2


def test_nothing_uncertain_is_called_certain() -> None:
    assert [share(0.999999), share(0.5), share(0.0)] == ["99.9%", "50.0%", "0.0%"]


def test_every_model_on_offer_stands_in_the_catalogue_under_its_task() -> None:
    tasks = {preset.id: preset.task for preset in HEADS}
    expected = {
        "sentiment": {"classification"}, "inference": {"pair-classification"}, "similarity": {"similarity"},
        "embedding": {"simcse", "simcse-supervised"}, "names": {"tagging"}, "headline": {"headline"},
    }  # fmt: skip
    assert {name: {tasks[o] for o in queries.bounds(Query, name).options} for name in TASKS} == expected
    assert asdict(Sources()) == {name: queries.default(Query, name) for name in TASKS}


def test_a_model_of_the_hub_that_is_not_here_is_an_error_nobody_remembers(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelUnavailable, match="offline"):
        explore(replace(PLAIN, sentiment=f"{visit.BOOK}-marc_ja"))


def test_the_default_is_the_first_example() -> None:
    assert asdict(CAFE).items() <= asdict(Query()).items()


def test_the_catalogue_tells_the_size_of_what_is_shipped() -> None:
    for preset in HEADS:
        if preset.bundled and is_shipped(preset.id):
            size = sum(path.stat().st_size for path in (ASSETS / "models" / preset.id).iterdir()) / 1e6
            assert preset.megabytes == pytest.approx(size, rel=0.1), preset.id


def test_a_section_is_done_only_where_its_model_is_shipped() -> None:
    assert ("1.1.5" in EXHIBIT.sections) == is_shipped("headline")
