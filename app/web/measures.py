"""Figures for Prometheus: what this process counts itself, and what it reads from the database when asked.

Each app has its own registry, so several apps in one process (tests, the demo) don't add up.
"""

from collections.abc import Iterable
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from app.store import cards, counters, journal, portals
from app.store.database import Database
from app.web.flow_measures import FlowMeasures, read_flow

_FLUSH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_OUTCOMES = ("deal", "company", "junk", "review", "needs_data")
_GRADES = ("AAA", "BBB", "CCC", "none")


class Measures:
    """The registry of one web process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._deliveries = Counter(
            "ogon_deliveries",
            "Webhook deliveries by the status they were answered with",
            ["status"],
            registry=self.registry,
        )
        self._flushes = Histogram(
            "ogon_flush_rows", "Deliveries that shared one commit", buckets=_FLUSH_SIZES, registry=self.registry
        )
        self._by_status = {
            status: self._deliveries.labels(str(status)) for status in (200, 400, 403, 404, 405, 408, 413, 503)
        }
        self._undispatched = self._gauge("ogon_journal_undispatched", "Journal rows that wait for dispatch")
        self._oldest = self._gauge("ogon_journal_oldest_seconds", "Age of the oldest journal row that waits")
        self._cards = self._gauge(
            "ogon_cards", "Cards by portal and what the last run made of them", "portal", "result"
        )
        self._parked = self._gauge("ogon_cards_parked", "Cards that wait for a person to replay them", "portal")
        self._counted = self._gauge("ogon_counted_today", "Counters of the day (UTC)", "name", "portal")
        self._flow = FlowMeasures(self.registry)

    def answered(self, status: int) -> None:
        """One webhook delivery was answered."""
        self._by_status[status].inc()

    def flushed(self, rows: int) -> None:
        """One commit of so many deliveries is on its way."""
        self._flushes.observe(rows)

    async def exposition(self, database: Database, *, now: datetime) -> bytes:
        """The text format of Prometheus, the database's figures read now. Raises DatabaseAway."""
        async with database.reading() as session:
            backlog = await journal.backlog(session)
            known = await portals.list_portals(session)
            counted = {str(portal.id): await cards.counts(session, portal_id=portal.id) for portal in known}
            today = await counters.since(session, now.date())
            flow = await read_flow(session, now=now)
        self._undispatched.set(backlog.waiting)
        self._oldest.set((now - backlog.oldest).total_seconds() if backlog.oldest else 0)
        for portal, numbers in counted.items():
            for outcome in _OUTCOMES:
                self._cards.labels(portal, outcome).set(numbers.outcomes.get(outcome, 0))
            for grade in _GRADES:
                self._cards.labels(portal, f"grade_{grade}").set(numbers.grades.get(grade, 0))
            self._parked.labels(portal).set(numbers.states.get("parked", 0))
        self._show_counters(today)
        self._flow.show(flow, now=now)
        return generate_latest(self.registry)

    def _show_counters(self, today: Iterable[counters.Count]) -> None:
        self._counted.clear()
        for count in today:
            self._counted.labels(count.name, str(count.portal_id)).set(count.value)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(name, meaning, labels, registry=self.registry)
