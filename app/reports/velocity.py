"""How long cards stand in each stage, and which deals stand longer than three of four did before them."""

from typing import Final

from app.domain.messages import Message, message
from app.reports.grouped import CARDS, Grouped, Measure, Tables, counted, quantile, shared, summed
from app.reports.relations import DEAL_FILTERS, DEALS, LEAD_FILTERS, LEADS, by_stage, stage_label
from app.reports.report import Chart, Column, Report

_LEAD, _DEAL = 1, 2
_LEAST: Final = 10
"""Stays of a stage before anything is called longer than usual."""
_HISTORY_DAYS: Final = 365


def _stays(entity_type_id: int, cards: str) -> str:
    return f"""
        SELECT came.entity_type_id, came.card_id, came.responsible, came.amount, stay.left_at AS at, stay.pipeline,
            stay.stage_id, extract(epoch FROM stay.left_at - stay.entered_at)::float8 AS seconds
        FROM stage_stays AS stay JOIN ({cards}) AS came USING (card_id)
        WHERE stay.portal_id = :portal AND stay.entity_type_id = {entity_type_id} AND stay.semantics = 'process'
          AND stay.left_at >= :starts AND stay.left_at < :ends
    """  # noqa: S608 - constants


# What is usual is the stage's own history, whoever asks about whom: filters narrow the deals, not the measure.
_STANDING: Final = f"""
    WITH usual AS MATERIALIZED (
        SELECT pipeline, stage_id, percentile_cont(0.75) WITHIN GROUP (
            ORDER BY extract(epoch FROM left_at - entered_at)::float8) AS seconds
        FROM stage_stays
        WHERE portal_id = :portal AND entity_type_id = {_DEAL} AND semantics = 'process'
          AND left_at >= CAST(:now AS timestamptz) - interval '{_HISTORY_DAYS} days' AND left_at < :now
        GROUP BY pipeline, stage_id HAVING count(*) >= {_LEAST}
    )
    SELECT came.entity_type_id, came.card_id, came.responsible, came.amount, stay.entered_at AS at, stay.pipeline,
        stay.stage_id, extract(epoch FROM :now - stay.entered_at)::float8 AS seconds, usual.seconds AS usual
    FROM ({DEALS}) AS came JOIN stage_stays AS stay ON stay.portal_id = :portal AND stay.entity_type_id = {_DEAL}
        AND stay.card_id = came.card_id AND stay.left_at IS NULL AND stay.semantics = 'process'
    LEFT JOIN usual ON usual.pipeline = stay.pipeline AND usual.stage_id = stay.stage_id
"""  # noqa: S608 - constants


def _passed(entity_type_id: int, name: str, title: Message, cards: str, filters: tuple[str, ...]) -> Grouped:
    return Grouped(
        name=name,
        title=title,
        heading=message("Stage"),
        base=_stays(entity_type_id, cards),
        key="pipeline || ':' || stage_id",
        label=stage_label(entity_type_id),
        measures=(
            counted("left", message("Left"), each=CARDS),
            quantile("median", message("Half within"), "seconds", 0.5),
            quantile("three_quarters", message("Three of four within"), "seconds", 0.75),
            quantile("nine_tenths", message("Nine of ten within"), "seconds", 0.9),
        ),
        filters=filters,
        totals=False,
        chart=Chart("bars", ("median", "nine_tenths")),
        finish=by_stage(entity_type_id),
    )


_USUAL: Final = Measure(Column("usual", message("Three of four left within"), "seconds"), "max(usual)")
_STUCK: Final = "seconds > usual"

_TABLES: Final = Tables(
    (
        _passed(_DEAL, "deals", message("Deals: how long they stand in each stage"), DEALS, DEAL_FILTERS),
        Grouped(
            name="stuck",
            title=message("Deals at work that stand longer than usual"),
            heading=message("Stage"),
            base=_STANDING,
            key="pipeline || ':' || stage_id",
            label=stage_label(_DEAL),
            measures=(
                counted("standing", message("At work here")),
                _USUAL,
                counted("stuck", message("Stand longer"), _STUCK),
                shared("stuck_share", message("Share"), _STUCK, "usual IS NOT NULL"),
                summed("money", message("Money that stands"), "amount", _STUCK),
            ),
            period="one.ending = 'open'",
            totals=False,
            finish=by_stage(_DEAL),
        ),
        _passed(_LEAD, "leads", message("Leads: how long they stand in each stage"), LEADS, LEAD_FILTERS),
    )
)

REPORT: Final = Report(
    name="velocity",
    title=message("Speed of the stages and stuck deals"),
    definition=message(
        "Each time a card stood in a working stage and left it in the period, from coming in to leaving, nights and "
        "weekends counted; a card that came back counts again. Stuck: deals at work today that stand in their stage "
        "longer than three of four deals did that left it in the last {days} days; of a stage that fewer than {least} "
        "left, nothing is called stuck.",
        days=_HISTORY_DAYS,
        least=_LEAST,
    ),
    tell=_TABLES.tell,
    open=_TABLES.open,
    days=30,
)
