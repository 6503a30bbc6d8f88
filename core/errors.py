"""What can go wrong, named by what the visitor can do about it.

    AppError             a key of the word catalogue and its parameters; never a sentence
      InvalidInput       the visitor can fix it: the words say what and how
      ModelUnavailable   not bundled, not cached, offline, not loadable safely, too large for memory
      Busy               one job each, or the line is full
      NotAllowedHere     switched off in this mode, and where to run it instead
      ServiceError       a Hub, Label Studio or LLM server: bad key, rate limited, unreachable, timed out

One boundary (`tabs._kit.events`) turns an `AppError` into words in the visitor's language. Anything else is a defect:
it is logged under an incident number, and the visitor sees only that number; in local mode the traceback too, folded.
"""

from __future__ import annotations

import traceback


class AppError(Exception):
    """An expected failure, told by a key such as ``error.text.empty`` and the values its sentence needs."""

    def __init__(self, key: str, **params: str | int | float) -> None:
        super().__init__(key, params)
        self.key = key
        self.params = params

    def __str__(self) -> str:
        return f"{self.key} {self.params}" if self.params else self.key


class InvalidInput(AppError):  # noqa: N818 - named by what the visitor can do
    """The visitor's input cannot be used as it is."""


class ModelUnavailable(AppError):  # noqa: N818
    """A model or tokenizer is not at hand, or may not be loaded."""


class Busy(AppError):  # noqa: N818
    """Another job of this visitor is unfinished, or the line is full."""


class NotAllowedHere(AppError):  # noqa: N818
    """The running mode forbids it."""


class ServiceError(AppError):
    """Another server failed to do its part."""


def write_trace(error: BaseException) -> str:
    """The traceback of a defect, or of what lies behind an expected failure; empty for one that says everything."""
    told = error.__cause__ if isinstance(error, AppError) else error
    return "".join(traceback.format_exception(told)) if told else ""
