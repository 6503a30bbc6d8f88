"""The family's numbers: measured on held-out data, beside a trivial baseline and what the book's BERT-base reached.

``metrics.json`` in a model's folder keeps what was measured of it last; the table of the README and of the cards is
made of these files.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.bundled.files import read_json, write_json
from core.bundled.foundation_cards import draw_rows, write_encoder_card
from core.bundled.measures import MEASURES, Measure, Measured, Numbers, Scores, load_shipped, measure_sample
from core.bundled.task_cards import write_card

log = logging.getLogger(__name__)

METRICS = "metrics.json"
CARD = "README.md"
MODELS = Path("models")  # under the assets
START, END = "<!-- scores -->", "<!-- /scores -->"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table: our metric, the trivial ones beside it, and the book's with the section it stands in."""

    task: str
    metric: str
    data: str
    trivial: tuple[str, ...] = ()  # metrics of the same task, or task.metric
    book: float | None = None
    section: str = ""
    examples: str = "examples"
    lower: bool = False  # is better

    @property
    def name(self) -> str:
        """Task and metric."""
        return f"{self.task}.{self.metric}"


_BOOK_NER = "6.3"
_PARTS = ("chabsa_", "all_", "reviews_", "unseen_", "own_")  # of the data, before the name of a metric
LINES = (
    Line("encoder", "mlm_loss", "running text", ("unigram",), lower=True),
    Line("encoder", "mlm_accuracy", "running text", ("unigram_accuracy",)),
    Line("decoder", "perplexity", "running text", ("unigram", "trigram"), lower=True),
    Line("seq2seq", "loss", "running text", ("unigram", "trigram"), lower=True),
    Line("sentiment", "accuracy", "Economy Watchers", ("majority", "naive_bayes"), 0.9415, "5.2.8, WRIME"),
    Line("sentiment", "chabsa_accuracy", "chABSA", ("chabsa_majority", "chabsa_naive_bayes"),
         examples="chabsa_examples"),
    Line("sentiment", "all_accuracy", "both", ("all_majority", "all_naive_bayes"), examples="all_examples"),
    Line("sentiment", "reviews_accuracy", "own reviews", ("reviews_majority", "reviews_naive_bayes"),
         examples="reviews_examples"),
    Line("jnli", "accuracy", "JNLI", ("majority",), 0.9088, "5.4.1"),
    Line("jnli", "accuracy_unseen", "JNLI, pairs not in JSTS", ("unseen_majority",), examples="unseen_examples"),
    Line("jnli", "own_accuracy", "own pairs", ("own_majority",), examples="own_examples"),
    Line("jsts", "spearman", "JSTS", ("bigram_overlap",), 0.8777, "5.4.2"),
    Line("jsts", "pearson", "JSTS", ("bigram_overlap_pearson",), 0.9151, "5.4.2"),
    Line("jsts", "own_spearman", "own pairs", ("own_bigram_overlap",), examples="own_examples"),
    Line("jcommonsenseqa", "accuracy", "JCommonsenseQA", ("chance", "majority", "bigram_overlap"), 0.8400, "5.4.3"),
    Line("ner", "argmax_f1", "Stockmark NER", ("dictionary",), 0.87, _BOOK_NER),
    Line("ner", "viterbi_f1", "Stockmark NER", ("dictionary",), 0.88, _BOOK_NER),
    Line("ner", "crf_f1", "Stockmark NER", ("dictionary",), 0.90, _BOOK_NER),
    Line("headline", "rouge1", "Wikinews", ("lead.rouge1",), 0.352, "7.4.2, livedoor"),
    Line("headline", "rouge_l", "Wikinews", ("lead.rouge_l",), 0.306, "7.4.2, livedoor"),
    Line("headline", "bertscore", "Wikinews, by our encoder", ("lead.bertscore",)),
    Line("simcse_unsup", "spearman", "JSTS", ("mean_pooling.spearman", "jsts.bigram_overlap"), 0.8034, "8.3.1"),
    Line("simcse_sup", "spearman", "JSTS", ("mean_pooling.spearman", "jsts.bigram_overlap"), 0.8158, "8.3.2"),
    Line("retrieval", "bpr_recall@1", "JaQuAD", ("bm25_recall@1",)),
    Line("retrieval", "bpr_recall@10", "JaQuAD", ("bm25_recall@10",)),
    Line("retrieval", "hybrid_recall@1", "JaQuAD", ("bm25_recall@1",)),
    Line("retrieval", "hybrid_recall@10", "JaQuAD", ("bm25_recall@10",)),
    Line("reader", "exact_match", "JaQuAD", ("silence",)),
    Line("reader", "f1", "JaQuAD", ("silence",)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one measure: its numbers, those that only a card tells, and what was not there.

    `sample` holds a few numbers on a bundled sample, for a test.
    """

    measure: Measure
    scores: Scores
    details: Numbers
    report: Mapping[str, Any]
    sample: Numbers
    shipped: bool
    data: bool
    seconds: float


def measure_family(data: Path, assets: Path, *, only: Sequence[str] = ()) -> list[Outcome]:
    """Measure every model that is shipped; of those that are not, only the baselines.

    Args:
        data: folder with held-out data, and for the baselines that learn with training data.
        assets: folder with ``models``.
        only: folders of models; all when empty.

    Raises:
        ValueError: a name that no measure has.
    """
    names = [measure.folder for measure in MEASURES]
    if unknown := [name for name in only if name not in names]:
        raise ValueError(f"{', '.join(unknown)}: not among {', '.join(names)}")
    outcomes = []
    for measure in MEASURES:
        if only and measure.folder not in only:
            continue
        outcomes.append(_run(measure, data.resolve(), (assets / MODELS / measure.folder).resolve()))
    return outcomes


def _run(measure: Measure, data: Path, folder: Path) -> Outcome:
    start = time.monotonic()
    scores = measure.compare(data)
    shipped = is_shipped(folder)
    judged, sample = Measured({}), Numbers()
    if scores and shipped:
        model = load_shipped(folder, measure)
        judged, sample = measure.judge(model, data), measure_sample(model, measure)
        scores = merge_scores([scores, judged.scores])
    seconds = time.monotonic() - start
    state = ("" if shipped else ", not shipped") + ("" if scores else ", no data")
    log.info("%s: %.0f s%s", measure.folder, seconds, state)
    return Outcome(measure, scores, judged.details, judged.report, sample, shipped, bool(scores), seconds)


def is_shipped(folder: Path) -> bool:
    """Whether a folder holds a model."""
    return (folder / "config.json").is_file() and any(folder.glob("*.safetensors"))


def merge_scores(parts: Iterable[Mapping[str, Mapping[str, float]]]) -> Scores:
    """The numbers of several measures by task and metric."""
    merged: Scores = {}
    for part in parts:
        for task, numbers in part.items():
            merged.setdefault(task, {}).update(numbers)
    return merged


def round_scores(scores: Scores) -> Scores:
    """Four places; numbers of examples are whole."""
    return {
        task: {name: int(value) if _counts(name) else round(float(value), 4) for name, value in numbers.items()}
        for task, numbers in scores.items()
    }


def _counts(name: str) -> bool:
    return name.endswith(("examples", "passages"))


def describe_gaps(outcomes: Sequence[Outcome]) -> list[str]:
    """Lines on what could not be measured."""
    gaps = [f"not shipped: {outcome.measure.folder}" for outcome in outcomes if not outcome.shipped]
    return gaps + [f"no held-out data: {outcome.measure.folder}" for outcome in outcomes if not outcome.data]


def scores_table(scores: Scores | None = None, *, assets: Path | None = None) -> str:
    """The table in Markdown: of given numbers, else of what the ``metrics.json`` of the shipped models say."""
    found = read_scores(assets or Path(__file__).parents[2] / "assets") if scores is None else scores
    return draw_scores(found, LINES)


def read_scores(assets: Path) -> Scores:
    """What was measured last of each shipped model."""
    files = [assets / MODELS / measure.folder / METRICS for measure in MEASURES]
    return merge_scores(read_json(path).get("measured", {}) for path in files if path.is_file())


def draw_scores(scores: Scores, lines: Iterable[Line]) -> str:
    """The lines of the table for which there is a number of ours."""
    rows = [
        (
            f"`{line.task}` {line.metric.replace('_', ' ')}{' ↓' if line.lower else ''}",
            line.data,
            f"**{_form(ours)}**" if (ours := scores[line.task].get(line.metric)) is not None else "–",
            ", ".join(_name_trivial(scores, line)) or "–",
            "–" if line.book is None else f"{_form(line.book)} ({line.section})",
            f"{int(scores[line.task].get(line.examples, 0)):,}",
        )
        for line in lines
        if line.task in scores and (line.metric in scores[line.task] or _name_trivial(scores, line))
    ]
    head = ("task and metric", "held-out data", "ours", "trivial", "BERT-base in the book", "examples")
    return "\n".join(("| " + " | ".join(head) + " |", "|---|---|--:|---|---|--:|", draw_rows(rows)))


def find_shortfalls(scores: Scores, lines: Iterable[Line]) -> list[str]:
    """A sentence for each baseline that a model does not beat."""
    found = []
    for line in lines:
        ours = scores[line.task][line.metric]
        for name, value in _find_trivial(scores, line):
            if (ours >= value) if line.lower else (ours <= value):
                what = f"{line.task} {line.metric.replace('_', ' ')} on {line.data}"
                found.append(f"It does not beat {name}: {what} {_form(ours)} against {_form(value)}.")
    return found


def _name_trivial(scores: Scores, line: Line) -> list[str]:
    return [f"{name} {_form(value)}" for name, value in _find_trivial(scores, line)]


def _find_trivial(scores: Scores, line: Line) -> list[tuple[str, float]]:
    """The names of the baselines of a line, as people call them, and their numbers."""
    found = []
    for name in line.trivial:
        task, _, metric = name.rpartition(".")
        value = scores.get(task or line.task, {}).get(metric)
        if value is not None:
            label = metric if task in ("", "jsts") else task
            for part in (*_PARTS, "_accuracy", "_pearson", "_recall@1", "_recall@10"):
                label = label.removeprefix(part) if part.endswith("_") else label.removesuffix(part)
            found.append((label.replace("_", " "), value))
    return found


def _form(value: float) -> str:
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def write_outcomes(outcomes: Sequence[Outcome], *, assets: Path, readme: Path | None = None) -> None:
    """Write the numbers of each measured model into its folder, then all cards and the table of the README anew.

    ``metrics.json`` keeps what others wrote there.
    """
    for outcome in outcomes:
        folder = assets / MODELS / outcome.measure.folder
        if not (outcome.shipped and outcome.data):
            continue
        metrics = read_json(folder / METRICS) if (folder / METRICS).is_file() else {}
        metrics |= {
            **outcome.report,
            "measured": round_scores(outcome.scores),
            "details": round_scores({"": outcome.details})[""],
            "sample": outcome.sample,
        }
        write_json(folder / METRICS, metrics)
    measured = {outcome.measure.folder for outcome in outcomes if outcome.shipped and outcome.data}
    for measure in MEASURES:  # after all numbers, and more than were measured: a card tells those of other models too
        folder = assets / MODELS / measure.folder
        if measure.folder in measured or (is_shipped(folder) and (folder / CARD).is_file()):
            write_folder_card(folder, assets)
    if readme is not None:
        text = readme.read_text(encoding="utf-8")
        readme.write_text(replace_table(text, scores_table(assets=assets)), encoding="utf-8")


def write_folder_card(folder: Path, assets: Path) -> None:
    """Write the card of a model from what lies in its folder."""
    (folder / CARD).write_text(render_card(folder, assets), encoding="utf-8")


def render_card(folder: Path, assets: Path) -> str:
    """The card of a model: everything in it comes from files, so that a test can compare."""
    metrics, config = read_json(folder / METRICS), read_json(folder / "config.json")
    if folder.name == "encoder":
        return write_encoder_card(metrics, config)
    own: Scores = metrics.get("measured", {})
    lines = [line for line in LINES if line.metric in own.get(line.task, {})]
    # Another model's numbers, where one of ours is compared with them.
    known = merge_scores([read_scores(assets), own])
    table, shortfalls = draw_scores(known, lines), find_shortfalls(known, lines)
    return write_card(folder, metrics, config, table=table, shortfalls=shortfalls)


def replace_table(text: str, table: str) -> str:
    """A README with the table between its two comments made anew; unchanged where it has none."""
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    return f"{before}{START}\n{table}\n{END}{after}" if start and end else text
