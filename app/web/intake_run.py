"""The intake with all its parts, and what must run beside it while the web process lives. Called by `app/main.py`."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from app.errors import OgonError
from app.store.journal_flush import JournalFlush
from app.web.admission import REFRESH_SECONDS, Admission
from app.web.gap_mark import GapMark
from app.web.group_commit import GroupCommit
from app.web.intake import Intake
from app.web.intake_store import IntakeStore
from app.web.measures import Measures
from app.web.periodic import every
from app.web.tally import Tally

_TALLY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class IntakeRun:
    """One intake and its connection."""

    intake: Intake
    flush: JournalFlush

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Keep the intake's memory fresh; at the end take nothing more and commit what waits."""
        beside = [
            asyncio.create_task(every(REFRESH_SECONDS, self.intake.admission.refresh), name="refresh-portals"),
            asyncio.create_task(every(_TALLY_SECONDS, self.intake.tally.flush), name="flush-tally"),
        ]
        try:
            yield
        finally:
            await self._stop(beside)

    async def _stop(self, beside: "list[asyncio.Task[Any]]") -> None:
        for task in beside:
            task.cancel()
        await asyncio.wait(beside)
        await self.intake.admission.close()
        await self.intake.journal.close()
        await self.intake.gap.close()
        await self.flush.close()
        with contextlib.suppress(OgonError):
            await self.intake.tally.flush()


def build_intake(store: IntakeStore, measures: Measures) -> IntakeRun:
    """Put the parts together; nothing is opened before the first delivery or `running`."""
    flush = JournalFlush(store.database.conninfo.get_secret_value())
    intake = Intake(
        admission=Admission(store.gates, clock=time.monotonic),
        journal=GroupCommit(flush.write, on_flush=measures.flushed),
        tally=Tally(store.count),
        gap=GapMark(store.note_gap, clock=store.clock),
        adopt=store.adopt,
        on_answer=measures.answered,
    )
    return IntakeRun(intake, flush)
