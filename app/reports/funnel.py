"""The funnel of leads and of deals, twice each: cards made in the period and how far they came, whenever that was
(cohort), and what went through the stages in the period, whenever the cards were made (slice). The two answer different
questions and are never added up.
"""

from collections.abc import Mapping
from typing import Any, Final

from app.domain import interval
from app.domain.messages import Message, message
from app.reports.grouped import CREATED, Grouped, Known, Tables, counted, shared
from app.reports.relations import (
    DEAL_FILTERS,
    DEALS,
    LEAD_FILTERS,
    LEADS,
    LOST,
    STAGES,
    SUCCESS_RANK,
    stage_label,
    stage_order,
    stages,
)
from app.reports.report import Chart, Column, Report, Row
from app.reports.scope import Scope

_LEAD, _DEAL = 1, 2


def _cohort_base(entity_type_id: int, cards: str) -> str:
    """A row for each card and each stage that it reached: those up to the furthest it ever stood in.

    Of a card that is lost and whose moves are not known, no more is known than that it came. What stood before the
    period is not looked at: the cards were not made yet.
    """
    return f"""
        WITH stage AS MATERIALIZED ({STAGES}), first AS MATERIALIZED (
            SELECT pipeline, min(rank) AS rank FROM stage GROUP BY pipeline
        ), reached AS MATERIALIZED (
            SELECT came.*, far.card_id IS NOT NULL AS moves_known, first.rank AS first_rank, greatest(
                CASE WHEN came.ending = 'won' THEN {SUCCESS_RANK} END, far.rank, now_at.rank, first.rank
            ) AS furthest
            FROM ({cards}) AS came JOIN first USING (pipeline)
            LEFT JOIN stage AS now_at ON now_at.pipeline = came.pipeline AND now_at.stage_id = came.stage_id
            LEFT JOIN (
                SELECT stay.card_id, stay.pipeline, max(stage.rank) AS rank FROM stage_stays AS stay
                LEFT JOIN stage ON stage.pipeline = stay.pipeline AND stage.stage_id = stay.stage_id
                WHERE stay.portal_id = :portal AND stay.entity_type_id = {entity_type_id}
                  AND stay.entered_at >= CAST(:starts AS timestamptz) - interval '1 day'
                GROUP BY stay.card_id, stay.pipeline
            ) AS far ON far.card_id = came.card_id AND far.pipeline = came.pipeline
        )
        SELECT reached.entity_type_id, reached.card_id, reached.responsible, reached.amount, reached.at,
            reached.ending, reached.pipeline, reached.moves_known, reached.furthest, stage.rank,
            stage.stage_id AS reached_stage, stage.rank = reached.first_rank AS is_first
        FROM reached JOIN stage ON stage.pipeline = reached.pipeline AND stage.rank <= reached.furthest
    """  # noqa: S608 - constants


# A stay counts in the period by when the card came and by when it went, whatever happened before and after. One row
# for each card and stage.
def _slice_base(entity_type_id: int, cards: str) -> str:
    came_in = "stay.entered_at >= :starts AND stay.entered_at < :ends"
    went = "stay.left_at >= :starts AND stay.left_at < :ends"
    ahead = "(stay.how_left = 'won' OR stay.how_left = 'moved' AND following.rank > stage.rank)"
    return f"""
        SELECT {entity_type_id} AS entity_type_id, stay.card_id, stay.pipeline, stay.stage_id,
            min(came.responsible) AS responsible, min(came.amount) AS amount, min(stay.entered_at) AS at,
            bool_or({came_in}) AS entered,
            coalesce(bool_or({went}), false) AS went,
            coalesce(bool_or({went} AND {ahead}), false) AS ahead,
            coalesce(bool_or({went} AND stay.how_left = 'moved' AND following.rank <= stage.rank), false) AS back,
            coalesce(bool_or({went} AND stay.how_left = 'lost'), false) AS lost
        FROM stage_stays AS stay JOIN ({cards}) AS came ON came.card_id = stay.card_id
        LEFT JOIN ({STAGES}) AS stage ON stage.pipeline = stay.pipeline AND stage.stage_id = stay.stage_id
        LEFT JOIN ({STAGES}) AS following ON following.pipeline = stay.pipeline AND following.stage_id = stay.next_stage
        WHERE stay.portal_id = :portal AND stay.entity_type_id = {entity_type_id} AND ({came_in} OR {went})
        GROUP BY stay.card_id, stay.pipeline, stay.stage_id
    """  # noqa: S608 - constants


_STEP: Final = Column(
    "step",
    message("Of the stage before"),
    "share",
    message("Which share of the cards that reached the stage before came on to this one."),
)


def _cohort(entity_type_id: int, name: str, title: Message, cards: str, filters: tuple[str, ...]) -> Grouped:
    def finish(scope: Scope, rows: list[Row]) -> list[Row]:
        ordered = _in_order(scope, rows, entity_type_id)
        told: list[Row] = []
        for before, row in zip([None, *ordered], ordered, strict=False):
            step = None
            if before is not None and _pipeline(before) == _pipeline(row):
                step = interval.share(_count(row), _count(before))
            told.append(Row(row.key, row.label, {**row.cells, "step": step}))
        return told

    return Grouped(
        name=name,
        title=title,
        heading=message("Stage"),
        base=_cohort_base(entity_type_id, cards),
        key="pipeline || ':' || reached_stage",
        label=stage_label(entity_type_id),
        measures=(
            counted("reached", message("Reached"), note=message("Cards that stood here or further on.")),
            counted("here", message("Stand here"), "ending = 'open' AND furthest = rank"),
            counted("lost", message("Lost from here"), f"{LOST} AND furthest = rank"),
        ),
        period=CREATED,
        filters=filters,
        known=(Known(message("Stage history"), "moves_known", "is_first"),),
        totals=False,
        chart=Chart("funnel", ("reached",)),
        finish=finish,
        more=(_STEP,),
        binds=_stages_of(entity_type_id),
    )


def _slice(entity_type_id: int, name: str, title: Message, cards: str, filters: tuple[str, ...]) -> Grouped:
    return Grouped(
        name=name,
        title=title,
        heading=message("Stage"),
        base=_slice_base(entity_type_id, cards),
        key="pipeline || ':' || stage_id",
        label=stage_label(entity_type_id),
        measures=(
            counted("entered", message("Came in"), "entered"),
            counted("left", message("Left"), "went"),
            counted("ahead", message("Went on"), "ahead"),
            counted("back", message("Went back"), "back"),
            counted("lost", message("Lost"), "lost"),
            shared(
                "conversion",
                message("Went on, of those that left"),
                "ahead",
                "went",
                note=message("A card that went on and came back counts as gone on."),
            ),
        ),
        filters=filters,
        totals=False,
        chart=Chart("bars", ("entered",)),
        finish=lambda scope, rows: _in_order(scope, rows, entity_type_id),
        binds=_stages_of(entity_type_id),
    )


def _stages_of(entity_type_id: int) -> Any:
    def binds(scope: Scope) -> Mapping[str, Any]:
        return stages(scope, entity_type_id)

    return binds


def _in_order(scope: Scope, rows: list[Row], entity_type_id: int) -> list[Row]:
    places = {key: place for place, key in enumerate(stage_order(scope.words, entity_type_id))}
    return sorted(rows, key=lambda row: (_pipeline(row), places.get(row.key, len(places)), row.key))


def _pipeline(row: Row) -> int:
    return int(row.key.partition(":")[0])


def _count(row: Row) -> int:
    count = row.cells["reached"]
    return count if isinstance(count, int) else 0


_TABLES: Final = Tables(
    (
        _cohort(_LEAD, "leads_made", message("Leads made in the period: how far they came"), LEADS, LEAD_FILTERS),
        _slice(_LEAD, "leads_moved", message("Leads: what moved in the period"), LEADS, LEAD_FILTERS),
        _cohort(_DEAL, "deals_made", message("Deals made in the period: how far they came"), DEALS, DEAL_FILTERS),
        _slice(_DEAL, "deals_moved", message("Deals: what moved in the period"), DEALS, DEAL_FILTERS),
    )
)

REPORT: Final = Report(
    name="funnel",
    title=message("Funnel: leads and deals by stage"),
    definition=message(
        "Cohort: cards made in the period, by the furthest stage that each has reached until today; back moves and "
        "reopening take nothing away. Slice: cards that came into or left a stage in the period, whenever they were "
        "made; a card counts once for a stage. A deal is in the funnel of the pipeline where it is now; deleted and "
        "merged cards are in none. Shares come with the interval in which the true one lies in 95 cases of 100."
    ),
    tell=_TABLES.tell,
    open=_TABLES.open,
    days=30,
)
