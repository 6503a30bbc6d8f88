"""What one running app is: its settings, its limits, and the services its handlers use."""

from __future__ import annotations

from dataclasses import dataclass

from core.data import fetching
from core.downloads.work import JOB
from core.jobs import JobRegistry
from core.rates import RateLimiter
from core.settings import LIMITS, Limits, Settings
from core.training import following
from core.workspaces import Workspaces


@dataclass(frozen=True)
class Context:
    """Passed down while the page is built; handlers close over it, so no module holds it."""

    settings: Settings
    workspaces: Workspaces
    jobs: JobRegistry
    rates: RateLimiter

    @property
    def limits(self) -> Limits:
        """What the running mode allows."""
        return LIMITS[self.settings.mode]

    def sweep(self) -> int:
        """Remove the folders of visitors who have long been gone, but none that a job still needs; how many went."""
        return self.workspaces.sweep(keep=self.jobs.busy_workspaces())


def open_context(settings: Settings) -> Context:
    """Start the services of one app; close `Context.jobs` when it ends."""
    limits = LIMITS[settings.mode]
    settings.workspace.mkdir(parents=True, exist_ok=True)
    workspaces = Workspaces(settings.workspace, limits.workspace_seconds, limits.workspace_bytes)
    workspaces.sweep()
    jobs = JobRegistry(
        workspaces,
        waiting_limit=limits.jobs_waiting,
        apart=(JOB, fetching.JOB),
        traces=limits.tracebacks,
        revive={following.JOB: following.revive},
    )
    return Context(settings, workspaces, jobs, RateLimiter())
