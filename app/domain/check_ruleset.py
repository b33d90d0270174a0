"""Everything that cannot be meant in a ruleset, all at once: a newcomer's mistakes, told with the path of each value.

Called before publishing and by dry runs. Pure; what the portal has comes as its dictionary, which may be missing.
"""

from app.domain.messages import message
from app.domain.ruleset import Ruleset
from app.domain.ruleset_checks.figures import check_figures
from app.domain.ruleset_checks.gates import check_gates
from app.domain.ruleset_checks.portal import check_portal
from app.domain.ruleset_checks.readable import check_facts
from app.domain.ruleset_checks.remark import Remark, warning
from app.domain.ruleset_checks.routes import check_routes
from app.domain.snapshot import PortalDictionary

WHOLE = ""
"""The path of a remark on the document as such."""


def check_ruleset(ruleset: Ruleset, portal: PortalDictionary | None) -> list[Remark]:
    """Remarks in the order of the document, what is wrong before what is only odd; each path and text once."""
    remarks = [*check_facts(ruleset), *check_gates(ruleset), *check_routes(ruleset), *check_figures(ruleset)]
    if portal is None:
        said = message(
            "The portal was not read yet, so stages, fields and codes were not checked against it. "
            "Start `ogon serve` or `ogon worker`: it reads the portal."
        )
        remarks.append(warning(WHOLE, said))
    else:
        # A value that is no such thing at all need not be told to be missing in the portal, too.
        wrong = {remark.path for remark in remarks if remark.wrong}
        remarks += [remark for remark in check_portal(ruleset, portal) if remark.path not in wrong]
    return in_order(remarks)


def in_order(remarks: list[Remark]) -> list[Remark]:
    """What is wrong first; each once."""
    return sorted(dict.fromkeys(remarks), key=lambda remark: not remark.wrong)
