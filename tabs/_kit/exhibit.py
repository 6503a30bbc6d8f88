"""What an exhibit is: data, declared once, read by the page, the links, the exports, the README and the tests."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from core import query as queries
from core.i18n import Locale
from core.jobs import Work

if TYPE_CHECKING:
    from fastapi import APIRouter

    from tabs._kit.context import Context
    from tabs._kit.room import Room

Lane = Literal["light", "model"]


@dataclass(frozen=True)
class Prediction:
    """A question asked before its answer is drawn.

    Choosing an option runs the exhibit with `query`, and `answer` reads the right option (0, 1, …) off the result: no
    answer is written down anywhere. Words: ``<slug>.predict``, ``<slug>.predict.0`` …, ``<slug>.predict.because``; with
    a `name`, ``<slug>.predict.<name>`` and so on.
    """

    query: queries.Query
    options: int
    answer: Callable[[Any], int]
    name: str = ""

    @property
    def stem(self) -> str:
        """What its words are called, after the exhibit's slug."""
        return f"predict.{self.name}" if self.name else "predict"


@dataclass(frozen=True)
class Step:
    """One "do this" of a guided tour, ticked off when the query has these values (words ``<slug>.step.<n>``)."""

    done: Mapping[str, Any]


@dataclass(frozen=True)
class Submitted:
    """A job that was put into the line; with `draw`, fields that the exhibit is drawn with at once, where it shows."""

    job: str
    draw: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class JobKind:
    """Long work an exhibit starts: `render` turns the stored result (plain JSON values) into HTML.

    With `work`, which makes a job of a query, or `submit`, which puts one into the line for a visitor's workspace, a
    button in a view starts it (`foot.start_button`); without, the exhibit submits it itself. Where it is not `offered`,
    no button does. `amount` writes how many steps are done, and how many there are. `cures` is the key of an error
    whose notice offers the job (its button is called ``<name>.start``); when it is done, the exhibit draws again.
    """

    name: str
    render: Callable[[Any, Locale], str]
    work: Callable[[Any], Work] | None = None
    amount: Callable[[int], str] = "{:,}".format
    cures: str = ""
    submit: Callable[[Any, Context, str], Submitted] | None = None
    offered: Callable[[Context], bool] = lambda context: True


@dataclass(frozen=True)
class Exhibit:
    """One panel of the app; its words are ``<slug>.title``, ``.question``, ``.look`` and one per field of its query.

    `explore` is pure: a query in, a typed result out, `AppError` for what cannot be done. `show` turns the result into
    the HTML of each view. `snippet` is a script that sets ``result`` to what `evidence` reads off the same exploration.
    `version` changes when the same query would have another result (a run that goes on); `routes` are addresses of its
    own, below ``/lab/<slug>``.
    """

    slug: str
    sections: tuple[str, ...]
    query: type[queries.Query]
    explore: Callable[[Any], Any]
    show: Callable[[Any, Locale], tuple[str, ...]]
    snippet: Callable[[Any], str]
    evidence: Callable[[Any], Any]
    build: Callable[[Room], None]
    prediction: Prediction
    lane: Lane = "light"
    steps: tuple[Step, ...] = ()
    jobs: tuple[JobKind, ...] = field(default=())
    version: Callable[[Any], Hashable] = lambda query: None
    routes: Callable[[Context], APIRouter] | None = None
    further: tuple[Prediction, ...] = ()  # asked after the first one, each with a name

    @property
    def predictions(self) -> tuple[Prediction, ...]:
        """All its questions, in the order in which they are asked."""
        return (self.prediction, *self.further)

    @property
    def chapter(self) -> int:
        """The chapter whose tab holds it: that of its first section."""
        return int(self.sections[0].partition(".")[0])
