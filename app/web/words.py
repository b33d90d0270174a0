"""Short names that pages give to codes: outcomes, grades, states, truths, kinds of actions. English, as keys.

Templates translate them; `_` only marks them for extraction.
"""


def _(text: str) -> str:
    return text


OUTCOMES = {
    "deal": _("Fire"),
    "company": _("Nurture group"),
    "junk": _("Junk"),
    "review": _("For review"),
    "needs_data": _("Data needed"),
}
GRADES = {"AAA": "AAA", "BBB": "BBB", "CCC": "CCC", "none": _("No grade")}
STATES = {
    "open": _("in work"),
    "final": _("closed"),
    "deleted": _("deleted in the portal"),
    "parked": _("parked: needs a person"),
}
TYPES = {"lead": _("Lead"), "deal": _("Deal"), "contact": _("Contact"), "company": _("Company")}
TRUTHS = {"yes": _("yes"), "no": _("no"), "unknown": _("not known")}
RUN_STATES = {
    "open": _("under way"),
    "done": _("done"),
    "failed": _("failed"),
    "parked": _("parked"),
    "abandoned": _("broken off"),
}
ACTION_STATES = {
    "planned": _("planned"),
    "started": _("sent, outcome not known yet"),
    "done": _("done"),
    "skipped": _("not needed any more"),
    "failed": _("failed"),
}
ACTION_KINDS = {
    "create": _("Make a card"),
    "update": _("Write fields"),
    "move": _("Move to a stage"),
    "rows": _("Copy product rows"),
    "comment": _("Write a timeline entry"),
    "todo": _("Set a to-do"),
    "complete_todo": _("Close a to-do"),
}
SOURCES = {
    "webhook": _("webhook"),
    "robot": _("robot"),
    "sweep": _("sweep"),
    "timer": _("timer"),
    "replay": _("replay"),
    "rules": _("changed rules"),
}
MODES = {"live": _("live"), "shadow": _("shadow: nothing is written")}
COUNTED = {
    "webhook_refused": _("Deliveries with a wrong or missing token"),
    "webhook_malformed": _("Requests that were no delivery"),
}
# What the domain has no word of its own for; other criteria and facts are called as it calls them.
CRITERIA = {"client": _("Target client"), "request": _("Fitting request"), "minimum": _("Minimum")}
FACTS = {
    "rows": _("Product rows"),
    "lead_rows": _("Product rows of the lead"),
    "text": _("Text of the card"),
    "lead_text": _("Text of the lead"),
    "company_linked": _("A company is linked"),
    "won_deals": _("Won deals of the company"),
}
EXEMPTIONS = {
    "regular": _("a regular buyer who took little this once"),
    "trial": _("a trial delivery to a target client with prospects"),
}

# Why a delivery was rejected. These and the parser's own reasons stand in the journal in English.
UNKNOWN_EVENT = _("Unknown event: take it off the list of the outbound webhook.")
FOREIGN = _(
    "The token is right, but no portal with this member_id is served here: add the portal, "
    "or give each portal a token of its own."
)
PARSER_REASONS = (
    _("neither an event nor a robot call: no event name and no document"),
    _("the event name is too long"),
    _("the event name is of no known form"),
    _("the event does not say which type of card it is about"),
    _("the event does not say which object it is about"),
    _("the document of the robot call is of no known form"),
    _("the robot call does not say which card it is about"),
    _("a NUL character"),
    _("the id is not a positive number of a sensible size"),
    _("the entity type id is not a positive number of a sensible size"),
)

ALL: dict[str, dict[str, str]] = {
    "outcome": OUTCOMES,
    "grade": GRADES,
    "state": STATES,
    "type": TYPES,
    "truth": TRUTHS,
    "run": RUN_STATES,
    "action": ACTION_STATES,
    "kind": ACTION_KINDS,
    "source": SOURCES,
    "mode": MODES,
    "counted": COUNTED,
    "exemption": EXEMPTIONS,
}
