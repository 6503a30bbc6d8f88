"""1.1, 1.2 A tour: the tasks of language processing on one sentence, before anything is explained."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from core import query as queries
from core.i18n import Locale
from core.tasks import tour
from core.tasks.tour import Refusal, Sources, Texts, Tour, take_tour
from core.text.segmentation import segment
from tabs._kit.exhibit import Exhibit, Prediction, Step
from tabs._kit.room import Room
from tabs.tour.examples import CAFE, EXAMPLES, HOURS, IRONY, NAMES, NEWS, OPPOSITE, SUMO
from tabs.tour.panels import draw_panels, draw_steps
from tabs.tour.script import write_script

BOOK = "llm-book/bert-base-japanese-v3"
SUMMARIZED = ("1.1.5",) if tour.is_shipped("headline") else ()  # a section that only a download opens is not done
RELATIONS = ("entailment", "contradiction", "neutral")
LIKE = (0.3, 0.8)  # cosines
TITLE = "雪国"
SURE = 0.6  # less than this for either class, and the model has not decided


@dataclass(frozen=True)
class Query:
    """A sentence and what goes with it; which model answers each task."""

    text: str = queries.text(CAFE.text, limit=tour.LONGEST)
    hypotheses: str = queries.text(CAFE.hypotheses, limit=3 * tour.LONGEST)
    other: str = queries.text(CAFE.other, limit=tour.LONGEST)
    article: str = queries.text(CAFE.article, limit=tour.LONGEST_ARTICLE)
    sentiment: str = queries.one_of("sentiment", "sentiment", f"{BOOK}-marc_ja", f"{BOOK}-wrime-sentiment")
    inference: str = queries.one_of("inference", "inference", f"{BOOK}-jnli")
    similarity: str = queries.one_of("similarity", "similarity", f"{BOOK}-jsts")
    embedding: str = queries.one_of("simcse", "simcse", "simcse-supervised", f"{BOOK}-unsup-simcse-jawiki")
    names: str = queries.one_of("tagging", "tagging", f"{BOOK}-ner-wikipedia-dataset")
    headline: str = queries.one_of("headline", "headline", "llm-book/t5-base-long-livedoor-news-corpus")


def explore(query: Query) -> Tour:
    """An answer for each task: ``sentiment``, ``inference``, ``similarity``, ``embedding``, ``names``, ``headline``.

    Probabilities and confidences in [0, 1], ``similarity`` from 0 to 5, ``embedding`` a cosine, spans in characters;
    a task without an answer holds the ``key`` of the reason.
    """
    return take_tour(_texts(query), _sources(query))


def show(result: Tour, locale: Locale) -> tuple[str, ...]:
    """The panels; and one task step by step."""
    return draw_panels(result, locale), draw_steps(result, locale)


def snippet(query: Query) -> str:
    """All tasks that have an answer, with transformers alone."""
    texts, sources = _texts(query), _sources(query)
    return write_script(texts, sources, without=tour.find_refusals(texts, sources))


def evidence(result: Tour) -> dict[str, Any]:
    """What the panels show, of the tasks that have an answer."""
    found: dict[str, Any] = {}
    if not isinstance(result.sentiment, Refusal):
        found["sentiment"] = _by_label(result.sentiment.labels, result.sentiment.probabilities)
    if not isinstance(result.inference, Refusal):
        labels = result.inference.labels
        found["inference"] = [_by_label(labels, row) for row in result.inference.probabilities]
    for name, likeness in (("similarity", result.similarity), ("embedding", result.embedding)):
        if not isinstance(likeness, Refusal):
            found[name] = [round(likeness.pair, 4), round(likeness.unrelated, 4)]
    if not isinstance(result.names, Refusal):
        found["names"] = [
            ["".join(piece.removeprefix("##") for piece in name.pieces), name.label, round(name.confidence, 4)]
            for name in result.names.found
        ]
    if not isinstance(result.headline, Refusal):
        found["headline"] = result.headline.text
    return found


def build(room: Room) -> None:
    """Four texts in sight; the models below."""
    with room.inputs():
        room.presets(*map(asdict, EXAMPLES))
        room.widget("text")
        room.widget("hypotheses", lines=3)
        room.widget("other")
        room.widget("article", lines=3)
        with room.more():
            for task in tour.TASKS:
                room.widget(task)
    with room.results():
        room.view()
        room.view()


def _texts(query: Query) -> Texts:
    return Texts(query.text, tour.split_hypotheses(query.hypotheses), query.other, query.article)


def _sources(query: Query) -> Sources:
    return Sources(**{task: getattr(query, task) for task in tour.TASKS})


def _by_label(labels: tuple[str, ...], probabilities: tuple[float, ...]) -> dict[str, float]:
    return {label: round(probability, 4) for label, probability in zip(labels, probabilities, strict=True)}


def _answer(result: Tour) -> int:
    """Whether the ironic review counts as positive (0) or negative (1), or is not decided (2)."""
    if isinstance(result.sentiment, Refusal):
        return 2
    most = max(result.sentiment.probabilities)
    best = result.sentiment.labels[result.sentiment.probabilities.index(most)]
    return 2 if most < SURE else int(best != "positive")


def _answer_inference(result: Tour) -> int:
    """What the model says of the second hypothesis: it follows (0), it contradicts (1), or neither (2)."""
    if isinstance(result.inference, Refusal):
        return 2
    row = result.inference.probabilities[1]
    best = result.inference.labels[row.index(max(row))]
    return RELATIONS.index(best) if best in RELATIONS else 2


def _answer_likeness(result: Tour) -> int:
    """The cosine of two sentences that say the opposite: up to 0.3 (0), up to 0.8 (1), or more (2)."""
    if isinstance(result.embedding, Refusal):
        return 1
    return sum(result.embedding.pair > border for border in LIKE)


def _answer_names(result: Tour) -> int:
    """Whether the book's title is called a product (0), something else (1), or not found (2)."""
    if isinstance(result.names, Refusal):
        return 2
    start = result.texts.sentence.index(TITLE)
    found = [name for name in result.names.found if name.start < start + len(TITLE) and name.end > start]
    return 2 if not found else int(found[0].label != "製品名")


def _answer_headline(result: Tour) -> int:
    """Whether all words of the headline stand in the article (0) or not (1)."""
    if isinstance(result.headline, Refusal):
        return 1
    return int(any(word.surface not in result.texts.article for word in segment(result.headline.text)))


FURTHER = (
    Prediction(Query(**asdict(NEWS) | {"hypotheses": HOURS}), 3, _answer_inference, "inference"),
    Prediction(Query(other=OPPOSITE), 3, _answer_likeness, "likeness"),
    Prediction(Query(**asdict(NAMES)), 3, _answer_names, "names"),
    Prediction(Query(article=SUMO), 2, _answer_headline, "headline"),
)


EXHIBIT = Exhibit(
    slug="tour",
    sections=("1.1.1", "1.1.2", "1.1.3", "1.1.4", *SUMMARIZED, "1.2"),
    query=Query,
    explore=explore,
    show=show,
    snippet=snippet,
    evidence=evidence,
    build=build,
    prediction=Prediction(Query(**asdict(IRONY)), 3, _answer),
    further=FURTHER if SUMMARIZED else FURTHER[:-1],
    lane="model",
    steps=(
        Step({"text": IRONY.text}),
        Step({"text": NAMES.text}),
        Step({"text": NEWS.text}),
        Step({"embedding": "simcse-supervised"}),
    ),
)
