"""The self-check list: the seven items on every deal, in the order of the method.

Called by `stages/deal_grade.py`. An item is done only when it is known and true.
"""

from app.domain.facts import Facts, Truth
from app.domain.messages import message
from app.domain.verdict import CheckItem

ROLES = frozenset({"economic", "technical", "user"})
_SCOPES = {"whole": Truth.YES, "part": Truth.NO}


def checklist(
    facts: Facts, *, above_minimum: Truth, client: Truth, request: Truth, budget: Truth, date_known: Truth
) -> tuple[CheckItem, ...]:
    """The seven items; the truths that the stage has found already are handed in."""
    return (
        CheckItem("minimum", above_minimum, message("Amount over the limit")),
        CheckItem("client", client, message("Target client")),
        CheckItem("nomenclature", request, message("Within our nomenclature")),
        CheckItem("roles", _roles(facts), message("Buying centre covered: economic, technical, user")),
        CheckItem("need_scope", _whole(facts), message("The whole need, not a part")),
        CheckItem("budget", budget, message("Budget allocated")),
        CheckItem("needed_by", date_known, message("Delivery date known")),
    )


def _roles(facts: Facts) -> Truth:
    covered = facts.codes("roles")
    return Truth.UNKNOWN if covered is None else Truth.of({role.casefold() for role in covered} >= ROLES)


def _whole(facts: Facts) -> Truth:
    return _SCOPES.get((facts.code("need_scope") or "").casefold(), Truth.UNKNOWN)
