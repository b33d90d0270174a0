"""How soon cards are answered: within the target or not, on both clocks, by person, by heat and by hour of the day."""

from typing import Any, Final

from app.domain.messages import Message, message
from app.reports.grouped import Grouped, Known, Measure, Tables, counted, quantile, shared
from app.reports.report import Chart, Report, Row
from app.reports.scope import Scope

# One row for each round: a card that was reopened is answered anew. Where a deal goes on with its lead's round, the
# deal's row counts.
_ROUNDS: Final = """
    SELECT one.*, one.arrived_at AS at, NULL::numeric AS amount,
        extract(hour FROM one.arrived_at AT TIME ZONE 'UTC' + CAST(:ahead AS interval))::int AS hour
    FROM (
        SELECT round.entity_type_id, round.card_id, round.arrived_at, round.target, round.met, round.state,
            round.system_seconds::float8 AS system_seconds, round.person_seconds::float8 AS person_seconds,
            round.working_seconds::float8 AS working_seconds, round.responded_at,
            coalesce(round.responded_by, round.holder) AS responsible,
            coalesce(lead.source, deal.source) AS source, coalesce(lead.company_id, deal.company_id) AS company_id
        FROM reactions AS round
        LEFT JOIN lead_figures AS lead ON round.entity_type_id = 1 AND lead.portal_id = round.portal_id
            AND lead.card_id = round.card_id
        LEFT JOIN deal_figures AS deal ON round.entity_type_id = 2 AND deal.portal_id = round.portal_id
            AND deal.card_id = round.card_id
        WHERE round.portal_id = :portal AND round.arrived_at >= :starts AND round.arrived_at < :ends
          AND round.deal_id IS NULL AND NOT coalesce(lead.deleted, deal.deleted, false)
    ) AS one WHERE {where}
"""
_EACH: Final = "DISTINCT card_id * 8 + entity_type_id"
_DECIDED: Final = "met IN ('yes', 'no')"
_ANSWERED: Final = "responded_at IS NOT NULL"

_MEASURES: Final[tuple[Measure, ...]] = (
    counted("cards", message("Cards"), each=_EACH),
    counted("answered", message("Answered"), _ANSWERED, each=_EACH),
    shared("within", message("Within the target"), "met = 'yes'", _DECIDED, each=_EACH),
    counted("unseen", message("Not to be seen"), "met = 'unknown' AND state = 'not_seen'", each=_EACH),
    quantile("median", message("Half within"), "working_seconds", 0.5, _ANSWERED),
    quantile("ninth", message("Nine of ten within"), "working_seconds", 0.9, _ANSWERED),
    quantile("system", message("Half assigned within"), "system_seconds", 0.5, _ANSWERED),
    quantile("person", message("Half by the person within"), "person_seconds", 0.5, _ANSWERED),
)
_TARGETS: Final = {"hot": message("Hot"), "warm": message("Warm"), "other": message("Others")}


def _target(_scope: Scope, key: str) -> Message:
    return _TARGETS[key]


def _person(scope: Scope, key: str) -> str | Message:
    return scope.words.person(key)


def _hour(_scope: Scope, key: str) -> str:
    return f"{int(key):02}:00"


def _hottest_first(_scope: Scope, rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: list(_TARGETS).index(row.key))


def _by_hour(_scope: Scope, rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: int(row.key))


def _table(name: str, title: Message, heading: Message, key: str, **more: Any) -> Grouped:
    return Grouped(
        name=name,
        title=title,
        heading=heading,
        base=_ROUNDS,
        key=key,
        measures=_MEASURES,
        filters=("managers", "source", "segment"),
        known=(Known(message("Whether the target was met"), _DECIDED, "state <> 'waiting'"),),
        **more,
    )


_TABLES: Final = Tables(
    (
        _table("targets", message("By target"), message("Target"), "target", label=_target, finish=_hottest_first),
        _table("people", message("By person"), message("Person"), "responsible", label=_person),
        _table(
            "hours",
            message("By the hour of arrival"),
            message("Hour"),
            "hour",
            label=_hour,
            finish=_by_hour,
            chart=Chart("bars", ("cards",)),
        ),
    )
)

REPORT: Final = Report(
    name="reaction",
    title=message("Reaction: how soon cards are answered"),
    definition=message(
        "Cards that arrived or were reopened in the period, from then to the first real contact by a person: a talk, a "
        "letter, a meeting, a message in a chat. Times are working time: the system's clock until somebody had the "
        "card, the person's after that, and both together against the target of the rules. A round whose contacts "
        "could not be read is not counted as no reaction. The hour is of the portal's clock."
    ),
    tell=_TABLES.tell,
    open=_TABLES.open,
    filters=frozenset({"period", "manager", "department", "pool", "source", "segment"}),
    days=30,
)
