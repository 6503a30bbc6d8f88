"""Why a run failed and what helps: every error as a cause, a cure, and the settings that the cure would change."""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.errors import AppError, ModelUnavailable
from core.tasks.task import Hyperparameters
from core.training.events import Failed

_DISK_FULL = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})
# What libraries written in other languages say instead of raising an OSError.
_DISK_WORDS = re.compile(
    r"no space left|disk quota|os error (28|27|122)\b|file too large|PytorchStreamWriter failed"
    r"|unexpected pos \d+ vs \d+|iostream error",  # this is how torch.save says it
    re.IGNORECASE,
)
_MEMORY_WORDS = re.compile(
    r"out of memory|can't allocate memory|not enough memory|CUBLAS_STATUS_ALLOC_FAILED", re.IGNORECASE
)
# What torch says where the other end of an exchange between processes is gone.
_PEER_WORDS = re.compile(r"connection (closed|reset) by peer|broken pipe|remote process has terminated", re.IGNORECASE)


class DivergedError(Exception):
    """The loss is no number any more, after so many steps."""

    def __init__(self, step: int) -> None:
        super().__init__(f"the loss is not finite after step {step}")
        self.step = step


@dataclass(frozen=True, slots=True)
class Cure:
    """What helps, as a key of the word catalogue, and the hyperparameters it would change."""

    key: str
    changes: Mapping[str, Any] = field(default_factory=dict)


def explain(error: BaseException, settings: Hyperparameters, *, step: int = 0) -> Failed:
    """The event that tells of `error`; an error that nobody foresaw is told as a defect, its trace is in the log."""
    params: Mapping[str, Any] = {}
    if isinstance(error, AppError):
        cause, params, cure = error.key, error.params, _cure_of(error, settings)
    elif isinstance(error, DivergedError):
        cause, params, cure = "training.cause.diverged", {"step": error.step}, _lower_rate(settings)
    elif is_memory(error):
        cause, cure = "training.cause.memory", _less_memory(settings)
    elif is_peer_gone(error):
        return killed(step=step)
    elif is_disk(error):
        cause, cure = "training.cause.disk", Cure("training.cure.disk")
    else:
        cause, params, cure = "training.cause.defect", {"kind": type(error).__name__}, Cure("training.cure.log")
    behind = error.__cause__ if isinstance(error, AppError) and isinstance(error.__cause__, AppError) else None
    return Failed(
        cause=cause,
        cure=cure.key,
        params=dict(params),
        changes=dict(cure.changes),
        because=behind.key if behind else "",
        because_params=dict(behind.params) if behind else {},
        step=step,
    )


def killed(*, step: int = 0) -> Failed:
    """The event of a process that is gone and could not say why: killed, out of memory, or the machine went off."""
    return Failed(cause="training.cause.killed", cure="training.cure.resume", step=step)


def is_disk(error: BaseException) -> bool:
    """Whether a file could not be written for want of room."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _DISK_FULL
    inner = error.__cause__ or error.__context__
    return bool(_DISK_WORDS.search(str(error))) or (inner is not None and is_disk(inner))


def is_peer_gone(error: BaseException) -> bool:
    """Whether another process of the run went away in the middle of an exchange, without a word of its own."""
    return isinstance(error, RuntimeError) and bool(_PEER_WORDS.search(str(error)))


def is_memory(error: BaseException) -> bool:
    """Whether memory ran out, that of a GPU or the machine's."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and bool(_MEMORY_WORDS.search(str(error)))
    )


def _cure_of(error: AppError, settings: Hyperparameters) -> Cure:
    room = error.key.split(".")[1]
    if error.key in ("error.training.fp16_t5", "error.training.fp16_device"):
        return Cure("training.cure.precision", {"precision": "bf16" if error.key.endswith("t5") else "fp32"})
    if room == "model" or isinstance(error, ModelUnavailable):
        return Cure("training.cure.model")
    if room in ("data", "tagging", "search") or error.key == "error.training.empty_part":
        return Cure("training.cure.data")
    return Cure("training.cure.settings")


def _lower_rate(settings: Hyperparameters) -> Cure:
    if settings.precision == "fp16":
        return Cure("training.cure.fp32_and_rate", {"precision": "fp32", "learning_rate": settings.learning_rate / 10})
    return Cure("training.cure.rate", {"learning_rate": settings.learning_rate / 10})


def _less_memory(settings: Hyperparameters) -> Cure:
    """Half the batch and twice the accumulation train the same way; then checkpointing, then shorter texts."""
    if settings.batch_size > 1:
        half = settings.batch_size // 2
        return Cure("training.cure.batch", {"batch_size": half, "accumulation": settings.accumulation * 2})
    if not settings.gradient_checkpointing:
        return Cure("training.cure.checkpointing", {"gradient_checkpointing": True})
    return Cure("training.cure.length", {"max_length": max(4, settings.max_length // 2)})
