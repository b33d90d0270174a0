"""How much of the buying centre is covered, and what that is worth: economic, technical and user."""

from typing import Final

from app.domain.figures import ROLES
from app.domain.messages import Message, message
from app.reports.grouped import CREATED, Grouped, Known, Tables, averaged, counted, shared
from app.reports.relations import DEALS, ENDED, WON
from app.reports.report import Chart, Report, Row
from app.reports.scope import Scope

_SAID: Final = {
    "economic": message("Economic buyer"),
    "technical": message("Technical buyer"),
    "user": message("User"),
}
_ROLES_OF_DEALS: Final = f"""
    SELECT came.*, role.name AS role, role.name = ANY(came.roles) AS covered
    FROM ({DEALS}) AS came CROSS JOIN unnest(ARRAY['economic', 'technical', 'user']) AS role (name)
    WHERE came.roles IS NOT NULL
"""  # noqa: S608 - constants


def _role(_scope: Scope, key: str) -> Message:
    return _SAID[key]


def _how_many(_scope: Scope, key: str) -> Message:
    return message("{covered} of {all}", covered=key, all=len(ROLES)) if key else message("not filled in")


def _most_covered(_scope: Scope, rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row.key, reverse=True)


def _in_order(_scope: Scope, rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: ROLES.index(row.key))


_FILLED: Final = Known(message("Buying centre"), "roles IS NOT NULL")

_TABLES: Final = Tables(
    (
        Grouped(
            name="covered",
            title=message("Deals by how many of the three are covered"),
            heading=message("Covered"),
            base=DEALS,
            key="cardinality(roles)",
            label=_how_many,
            measures=(
                counted("deals", message("Deals")),
                counted("won", message("Won"), WON),
                shared("win_rate", message("Win rate"), WON, ENDED),
                averaged("average", message("Average deal"), "amount", WON),
            ),
            period=CREATED,
            known=(_FILLED,),
            chart=Chart("bars", ("win_rate",)),
            finish=_most_covered,
        ),
        Grouped(
            name="roles",
            title=message("By role"),
            heading=message("Role"),
            base=_ROLES_OF_DEALS,
            key="role",
            label=_role,
            measures=(
                shared("covered", message("Covered"), "covered"),
                shared("won_with", message("Win rate with it"), WON, f"covered AND {ENDED}"),
                shared("won_without", message("Win rate without it"), WON, f"NOT covered AND {ENDED}"),
            ),
            period=CREATED,
            totals=False,
            finish=_in_order,
        ),
    )
)

REPORT: Final = Report(
    name="buying-centre",
    title=message("Buying centre: who is covered"),
    definition=message(
        "Deals made in the period, as their last run found them: how many of the economic buyer, the technical buyer "
        "and the user are covered. Where nobody filled it in it is not known, which is not the same as nobody."
    ),
    tell=_TABLES.tell,
    open=_TABLES.open,
)
