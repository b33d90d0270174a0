"""Figures of the flow for Prometheus: the sweep, completeness, the queue, the portals' budgets, event to grade.

Part of `measures.py`, on its registry. All are read from the database when asked, so every web process tells the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import CollectorRegistry, Gauge

from app.store import completeness, counters, flow_figures, rejudging
from app.store.completeness import Completeness
from app.store.database import ReadSession
from app.store.flow_figures import NOTICES, QUANTILES, Budget, EventToGrade, Lag, Queue

_REFUSALS = {"portal_503": "503", "portal_429": "429"}
_DAY = ("changed", "heard", "judged", "only_by_sweep", "parked", "deleted", "waiting")


@dataclass(frozen=True, slots=True)
class FlowFigures:
    """One reading of them all. `days`: today of each portal. `refused` by portal and status,
    `notices` by portal and result.

    `to_rejudge`: open cards by portal that the newest rules have not judged yet.
    """

    queue: Queue
    budgets: list[Budget]
    lags: list[Lag]
    event_to_grade: EventToGrade
    days: list[Completeness]
    refused: Mapping[tuple[int, str], int]
    to_rejudge: Mapping[int, int]
    notices: Mapping[tuple[int, str], int]


async def read_flow(session: ReadSession, *, now: datetime) -> FlowFigures:
    """Of all enabled portals."""
    lags = await flow_figures.sweep_lags(session)
    portals = [lag.portal_id for lag in lags]
    days = {portal: await completeness.today(session, portal, now=now) for portal in portals}
    counted = {(one.portal_id, one.name): one.value for one in await counters.since(session, now.date())}
    sent = await flow_figures.notices(session, now=now)
    return FlowFigures(
        queue=await flow_figures.queue(session),
        budgets=await flow_figures.budgets(session),
        lags=lags,
        event_to_grade=await flow_figures.event_to_grade(session, now=now),
        days=[await completeness.of_day(session, portal, day, limit=0) for portal, day in days.items()],
        refused={
            (portal, status): counted.get((portal, name), 0) for portal in portals for name, status in _REFUSALS.items()
        },
        to_rejudge=await rejudging.still_to_judge(session),
        notices={(portal, one): sent.get((portal, one), 0) for portal in portals for one in NOTICES},
    )


class FlowMeasures:
    """The gauges of one web process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, meaning: str, *labels: str) -> Gauge:
            return Gauge(name, meaning, labels, registry=registry)

        self._waiting = gauge("ogon_queue_waiting", "Cards that wait on the queue")
        self._running = gauge("ogon_queue_running", "Cards that are being judged")
        self._queue_age = gauge("ogon_queue_oldest_seconds", "How long the longest-waiting card has been on the queue")
        self._budget = gauge(
            "ogon_request_budget_used", "Share of the portal's request bucket that is full: 1 is a refusal", "portal"
        )
        self._refused = gauge(
            "ogon_portal_refused_today",
            "Requests the portal refused for its limits, the day in UTC",
            "portal",
            "status",
        )
        self._grade = gauge(
            "ogon_event_to_grade_seconds", "From a webhook's arrival to the end of its run, last hour", "quantile"
        )
        self._graded = gauge("ogon_event_to_grade_events", "Webhooks that these quantiles are of")
        self._lag = gauge("ogon_sweep_lag_seconds", "Since the last complete sweep of the portal began", "portal")
        self._failures = gauge("ogon_sweep_failures", "Sweeps that failed in a row", "portal")
        self._difference = gauge(
            "ogon_completeness_difference", "Cards changed in the portal today and not judged; must be 0", "portal"
        )
        self._day = gauge("ogon_completeness_cards", "Leads and deals of the portal's today", "portal", "figure")
        self._to_rejudge = gauge(
            "ogon_rejudging_left", "Open cards that the newest rules have yet to judge again", "portal"
        )

        self._notices = gauge(
            "ogon_notices_day",
            "Notices of the last 24 hours: warned, breached, passed_on, held, digest, or refused by the portal",
            "portal",
            "result",
        )

    def show(self, told: FlowFigures, *, now: datetime) -> None:
        """Set the gauges. What there is no figure for, such as the lag before the first sweep, is left out."""
        self._waiting.set(told.queue.waiting)
        self._running.set(told.queue.running)
        self._queue_age.set((now - told.queue.oldest).total_seconds() if told.queue.oldest else 0)
        of_portals = (self._budget, self._refused, self._lag, self._failures, self._difference, self._day)
        for labelled in (*of_portals, self._to_rejudge, self._notices, self._grade):
            labelled.clear()
        for budget in told.budgets:
            self._budget.labels(str(budget.portal_id)).set(budget.used)
        for (portal, status), value in told.refused.items():
            self._refused.labels(str(portal), status).set(value)
        for quantile, seconds in zip(QUANTILES, told.event_to_grade.seconds, strict=False):
            self._grade.labels(str(quantile)).set(seconds)
        self._graded.set(told.event_to_grade.count)
        for lag in told.lags:
            self._failures.labels(str(lag.portal_id)).set(lag.failures)
            if lag.complete_at is not None:
                self._lag.labels(str(lag.portal_id)).set((now - lag.complete_at).total_seconds())
        for day in told.days:
            self._difference.labels(str(day.portal_id)).set(day.difference)
            for figure in _DAY:
                self._day.labels(str(day.portal_id), figure).set(getattr(day, figure))
        for portal, left in told.to_rejudge.items():
            self._to_rejudge.labels(str(portal)).set(left)
        for (portal, result), count in told.notices.items():
            self._notices.labels(str(portal), result).set(count)
