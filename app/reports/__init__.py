"""The read side: one file, one report. A report is asked with a session and answers with plain data.

Reports import the store, the domain and what they have in common (`report` their shape, `scope` the question, `grouped`
and `relations` how most of them count, `touched` what stands behind counted touches), never each other and never HTTP.
A new one is a file with a REPORT, and a line in REPORTS.
"""

from collections.abc import Mapping
from typing import Final

from app.reports import (
    activity,
    activity_rating,
    buying_centre,
    channels,
    checklist,
    exceptions,
    forecast,
    funnel,
    grades,
    kpi,
    losses,
    managers,
    money,
    past_deals,
    reaction,
    regular_clients,
    retention,
    shares,
    velocity,
)
from app.reports.report import Report

REPORTS: Final[Mapping[str, Report]] = {
    one.name: one
    for one in (
        funnel.REPORT,
        velocity.REPORT,
        reaction.REPORT,
        grades.REPORT,
        channels.REPORT,
        losses.REPORT,
        money.REPORT,
        forecast.REPORT,
        retention.REPORT,
        checklist.REPORT,
        buying_centre.REPORT,
        managers.REPORT,
        kpi.REPORT,
        activity.REPORT,
        activity_rating.REPORT,
        shares.REPORT,
        past_deals.REPORT,
        regular_clients.REPORT,
        exceptions.REPORT,
    )
}
"""Every report by its name, in the order in which they are listed."""
