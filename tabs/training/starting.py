"""What a button starts: a run, a run that goes on, and the few steps by which time and memory are measured."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from core.errors import AppError, InvalidInput
from core.i18n import Locale, translate
from core.jobs import Progress
from core.training import following
from core.training.config import RunConfig, read_config
from core.training.estimate import Estimate, estimate_apart
from core.training.own import find_run, key_of, open_store
from core.training.planning import plan_run
from core.training.records import write_job
from core.training.runs import RunStore
from tabs._kit import foot, pictures
from tabs._kit.context import Context
from tabs._kit.exhibit import JobKind, Submitted
from tabs._kit.words import both
from tabs.training.report import AGAIN, RESUME, draw_live, tell_problem, write_seconds
from tabs.training.settings import Query, change_config, make_config, name_source

ESTIMATE = "estimate"
COPIES = 4  # of a model's weights that a run leaves on the disk: a checkpoint with its optimizer, and the model
SPARE = 0.8  # of the machine's memory that a run may take


def start_run(query: Query, context: Context, identity: str) -> Submitted:
    """Make a run of what was chosen and put it into the line; the exhibit draws it from now on.

    Raises:
        InvalidInput: a setting or the data cannot be used, or the workspace is full.
        ModelUnavailable: the model is not here.
        Busy: this visitor has an unfinished job, or the line is full.
        NotAllowedHere: the run is larger than this mode allows.
    """
    return _create(make_config(query), context, identity)


def resume_run(query: Query, context: Context, identity: str) -> Submitted:
    """Go on with the run that is looked at.

    Raises:
        InvalidInput: there is none, or it is another visitor's.
        Busy: as `start_run`.
    """
    folder = find_run(query.run)
    store = open_store(context.workspaces.open(identity))
    store.view(folder.path.name)  # another visitor's is not there
    return _submit(store, folder.path.name, context, identity)


def start_again(query: Query, context: Context, identity: str) -> Submitted:
    """Train on the same data as the run that is looked at, with what the form says; a visitor's own run only.

    Raises:
        AppError: as `start_run`.
    """
    folder = find_run(query.run)
    open_store(context.workspaces.open(identity)).view(folder.path.name)  # another visitor's is not there
    return _create(change_config(read_config(folder.config), query), context, identity)


def start_estimate(query: Query, context: Context, identity: str) -> Submitted:
    """Measure a few steps of what was chosen.

    Raises:
        AppError: as `start_run`.
    """
    config = make_config(query)
    check(config, context, identity)
    return Submitted(context.jobs.submit(identity, kind=ESTIMATE, work=partial(_estimate, config)))


def check(config: RunConfig, context: Context, identity: str) -> None:
    """Refuse at once what would fail later, or what this visitor has no room for.

    Raises:
        InvalidInput, ModelUnavailable: as `start_run`.
    """
    from core.tasks.loaded import find_model_folder

    plan = plan_run(config)
    for problem in plan.problems:
        if problem.fatal:
            params = dict(problem.params)
            if "field" in params:  # as programs call it too; the plan below the button has the form's words
                params["field"] = str(params["field"]).rpartition(".")[2]
            raise InvalidInput(problem.key, **params)
    folder = Path(find_model_folder(config.model, allow_download=False))
    size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    context.workspaces.require_room(identity, COPIES * size)


def is_offered(context: Context) -> bool:
    """Whether this app trains at all: a public one does not."""
    return context.limits.training


def _create(config: RunConfig, context: Context, identity: str) -> Submitted:
    check(config, context, identity)
    store = open_store(context.workspaces.open(identity))
    run = store.create(config)
    try:
        return _submit(store, run.id, context, identity)
    except AppError:
        store.delete(run.id)
        raise


def _submit(store: RunStore, run: str, context: Context, identity: str) -> Submitted:
    begun = following.begin(context.workspaces.open(identity), run)
    job = context.jobs.submit(identity, kind=following.JOB, work=begun.work, handle=begun.handle)
    write_job(store.view(run).folder, job)
    source = name_source(read_config(store.view(run).folder.config))  # the form shows the data that it is trained on
    return Submitted(job, {"run": key_of(run)} | ({"source": source} if source else {}))


def _estimate(config: RunConfig) -> Generator[Progress, None, dict[str, Any]]:
    found: Estimate = yield from estimate_apart(config)
    return asdict(found) | {"machine_megabytes": psutil.virtual_memory().total / 1e6}


def _draw_estimate(found: Mapping[str, Any], locale: Locale) -> str:
    """Time and memory, large; and what the data say before training."""
    figures = [
        (translate("training.estimate.seconds", locale), write_seconds(found["seconds"], locale)),
        (translate("training.estimate.memory", locale), f"{found['megabytes'] / 1000:.1f} GB"),
        (
            translate("training.estimate.trainable", locale),
            f"{found['trainable']:,} ({found['trainable'] / found['parameters']:.1%})",
        ),
    ]
    told = [
        translate(
            "training.estimate.pace",
            locale,
            steps=f"{found['steps']:,}",
            step=f"{found['seconds_per_step']:.2f}",
            evaluations=found["evaluations"],
            evaluation=f"{found['seconds_per_evaluation']:.1f}",
        ),
        translate(
            "training.estimate.lengths",
            locale,
            median=f"{found['median_length']:.0f}",
            longest=found["longest"],
            truncated=f"{found['truncated']:.1%}",
        ),
    ]
    problems = ""
    if found["megabytes"] > SPARE * found["machine_megabytes"]:
        params = {"machine": f"{found['machine_megabytes'] / 1000:.1f}", "needed": f"{found['megabytes'] / 1000:.1f}"}
        problems += tell_problem("training.estimate.too_large", params, locale)
    if found["leaked"] or found["nearly_leaked"]:
        params = {"leaked": found["leaked"], "nearly": found["nearly_leaked"], "validation": found["validation"]}
        problems += tell_problem("training.estimate.leaks", params, locale, kind="lab-caution")
    return pictures.numbers(figures) + problems + "".join(map(pictures.note, told))


KINDS = (
    JobKind(following.JOB, draw_live, submit=start_run, offered=is_offered),
    JobKind(AGAIN, draw_live, submit=start_again, offered=is_offered),
    JobKind(RESUME, draw_live, submit=resume_run, offered=is_offered),
    JobKind(ESTIMATE, _draw_estimate, submit=start_estimate, offered=is_offered),
)


def start_panel(offered: bool) -> str:
    """The buttons that start; where nobody may train, why, and where one can."""
    if not offered:
        return f'<p class="lab-caution">{both("training.not_here")}</p>'
    alone = foot.attribute({"beside": ""})
    buttons = "".join(
        f'<button type="button" class="lab-chip {style}" data-start="{name}" data-params="{alone}">'
        f"{both(f'training.{name}.start')}</button>"
        for name, style in ((following.JOB, "lab-primary"), (ESTIMATE, ""))
    )
    return f'<div class="lab-chips">{buttons}</div>'
