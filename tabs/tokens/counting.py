"""3.6.3 Tokens counted over a text: at once over a short one, as a job over an uploaded file."""

from __future__ import annotations

import secrets
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from core import query as queries
from core.errors import AppError, InvalidInput
from core.i18n import Locale
from core.jobs import Progress, Work, finish
from core.text.statistics import TextStatistics, measure_text
from core.values import as_json
from tabs._kit import fetching, pictures
from tabs._kit.context import Context
from tabs._kit.events import admit, admit_visitor, connect, workspace_of
from tabs._kit.exhibit import Exhibit, JobKind, Prediction, Step
from tabs._kit.room import Room
from tabs._kit.words import locale_of, t
from tabs.tokens import counted, sources

SLUG = "statistics"
SAMPLE = (
    "けさは早く目が覚めたので、川沿いの道を歩いた。\n"
    "橋の上では、釣りをする人が静かに糸を垂らしている。\n"
    "AIの話題は毎日のニュースに出てくるが、川の水は昔と同じように流れていく。\n"
    "家に帰ると、パンを焼き、コーヒーを入れ、ラジオをつけた。\n"
    "「今日の最高気温は25度でしょう」と、いつもの声が言う。\n"
)
CONVERSATION = "明日ひま？\nひまだよ〜\nじゃあ映画いこ\nやった！！何時？\n10時に駅で🙋\nりょ"
ENGLISH = "I woke up early this morning and walked along the river.\nOn the bridge, people were fishing in silence.\n"


@dataclass(frozen=True)
class Query:
    """A short text and up to three tokenizers; a longer text is uploaded."""

    text: str = queries.text(SAMPLE, limit=2_000)
    tokenizers: tuple[str, ...] = queries.some_of(("wordpiece", "bpe", "unigram"), *sources.OFFERED, most=3, free=True)


def explore(query: Query) -> TextStatistics:
    """Token statistics of a text: one row of ``tokenizers`` for each, special tokens left out."""
    return finish(_measure(query.text, query.tokenizers))


def _measure(text: str, names: tuple[str, ...]) -> Generator[Progress, None, TextStatistics]:
    loaded = [sources.open_tokenizer(name) for name in names]
    found = yield from measure_text(text, loaded)
    rows = tuple(replace(row, source=name) for row, name in zip(found.tokenizers, names, strict=True))
    return replace(found, tokenizers=rows)


def count_upload(path: Path, names: tuple[str, ...]) -> Work:
    """The job: statistics of a UTF-8 file, which is deleted however the job ends.

    It is started up to its first event, so that closing it in the line already runs its clean-up.
    """

    def work() -> Work:
        try:
            yield Progress(0, 0)
            return (yield from _measure(path.read_text("utf-8-sig"), names))
        finally:
            path.unlink(missing_ok=True)

    begun = work()
    next(begun)
    return begun


def keep_upload(uploaded: Path, context: Context, identity: str) -> Path:
    """A copy of the uploaded file in the visitor's workspace.

    Raises:
        InvalidInput: the file is too large for this mode, is no UTF-8 text, or the workspace is full.
    """
    data = uploaded.read_bytes()
    if len(data) > (limit := context.limits.upload_bytes):
        raise InvalidInput("error.statistics.too_large", megabytes=limit // 1_000_000)
    try:
        data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput("error.statistics.encoding", position=error.start + 1) from None
    if b"\0" in data:
        raise InvalidInput("error.statistics.binary")
    context.workspaces.require_room(identity, len(data))
    folder = context.workspaces.open(identity) / "uploads"
    folder.mkdir(exist_ok=True)
    kept = folder / f"{secrets.token_hex(8)}.txt"
    kept.write_bytes(data)
    return kept


def submit(values: Mapping[str, Any], context: Context, identity: str) -> str:
    """Start the job on ``values["file"]``; returns its id.

    Raises:
        AppError: no file, a file that cannot be used, a tokenizer not allowed here, or no room in the line.
    """
    query = queries.make(Query, {"tokenizers": values["tokenizers"]})
    admit(query, context.limits)
    for name in query.tokenizers:
        sources.open_tokenizer(name)  # one that is not here is told of now, not by the job
    if not values["file"]:
        raise InvalidInput("error.statistics.no_file")
    path = keep_upload(Path(values["file"]), context, identity)
    try:
        work = partial(count_upload, path, query.tokenizers)
        return context.jobs.submit(identity, kind=SLUG, work=work)
    except AppError:
        path.unlink(missing_ok=True)
        raise


def show(result: TextStatistics, locale: Locale) -> tuple[str, ...]:
    """What a finished job shows too."""
    return (counted.draw(as_json(result), locale),)


def snippet(query: Query) -> str:
    """The counts with transformers alone."""
    paths = [sources.path_in_script(name) for name in query.tokenizers]
    return f"""from collections import Counter

from transformers import AutoTokenizer

text = {query.text!r}
lines = [line for line in text.splitlines() if line.strip()]
result = []
for path in {paths!r}:
    tokenizer = AutoTokenizer.from_pretrained(path)
    ids = [tokenizer(line, add_special_tokens=False)["input_ids"] for line in lines]
    counts = Counter(number for line in ids for number in line)
    rate = sum(map(len, lines)) / counts.total()
    result.append({{"tokens": counts.total(), "distinct": len(counts), "characters_per_token": round(rate, 4)}})
print(result)
"""


def evidence(result: TextStatistics) -> list[dict[str, Any]]:
    """For each tokenizer: tokens, distinct tokens, characters per token."""
    return [
        {"tokens": row.tokens, "distinct": row.distinct, "characters_per_token": round(row.characters_per_token, 4)}
        for row in result.tokenizers
    ]


def build(room: Room) -> None:
    """The text, the tokenizers, and the upload with its job."""
    with room.inputs():
        room.presets({"text": SAMPLE}, {"text": CONVERSATION}, {"text": ENGLISH})
        widgets = {"text": room.widget("text", lines=5)}
        widgets |= {"tokenizers": room.widget("tokenizers", max_choices=3)}
        file = gr.File(label=t("statistics.file"), file_types=[".txt"], type="filepath", height=180)
        button = gr.Button(t("statistics.start"), variant="primary", elem_id="statistics-start")
        refusal = gr.HTML(elem_classes="lab-relay", js_on_load=None, apply_default_css=False)
    with room.results():
        card = gr.HTML(pictures.job_slot(SLUG), elem_classes="lab-job-place", js_on_load=None, apply_default_css=False)
        room.view()

    def start(values: Mapping[str, Any], _: gr.EventData, request: gr.Request) -> list[Any]:
        """Why there is no job, told under the button, or the card of the job."""
        locale = locale_of(request)
        try:
            admit_visitor(request, room.context)
            job = submit(values, room.context, workspace_of(request))
            return ["", pictures.job_card(job, slug=SLUG, locale=locale)]
        except Exception as error:  # noqa: BLE001 - a boundary like the frame's: told in words, logged when a defect
            return [fetching.explain(error, room.exhibit, values, room.context, locale), gr.skip()]

    connect(button.click, start, inputs={"file": file} | widgets, outputs=[refusal, card], lane="light")


def _answer(result: TextStatistics) -> int:
    """Which of the three tokenizers takes the fewest tokens."""
    counts = [row.tokens for row in result.tokenizers]
    return counts.index(min(counts))


EXHIBIT = Exhibit(
    slug=SLUG,
    sections=("3.6.3",),
    query=Query,
    explore=explore,
    show=show,
    snippet=snippet,
    evidence=evidence,
    build=build,
    prediction=Prediction(Query(text=CONVERSATION), 3, _answer),
    steps=(Step({"text": CONVERSATION}), Step({"text": ENGLISH})),
    jobs=(JobKind(SLUG, counted.draw),),
)
