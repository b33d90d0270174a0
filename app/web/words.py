"""Short names that pages give to codes: outcomes, grades, states, truths, kinds of actions. English, as keys.

Templates translate them; `_` only marks them for extraction.
"""

from app.domain.ruleset_words import KINDS_SAID, OPERATORS_SAID, OUTCOMES_SAID


def _(text: str) -> str:
    return text


OUTCOMES = {code: said.template for code, said in OUTCOMES_SAID.items()}
GRADES = {"AAA": "AAA", "BBB": "BBB", "CCC": "CCC", "none": _("No grade")}
SEGMENTS = {"new": _("New"), "regular": _("Regular"), "sleeping": _("Sleeping"), "nurture": _("Nurture group")}
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
    "assign": _("Give the card to its new owner"),
    "rows": _("Copy product rows"),
    "comment": _("Write a timeline entry"),
    "todo": _("Set a to-do"),
    "complete_todo": _("Close a to-do"),
    "notify": _("Notify a person"),
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
CHOSEN = {
    "turn": _("it was this person's turn"),
    "free_turn": _("by a turn given back earlier, at no cost"),
    "knows_client": _("knows the client, so it costs no turn"),
}
ASSIGNED_FOR = {"arrival": _("a new card"), "breach": _("nobody had reacted in time")}
BARRED = {
    "absent": _("away"),
    "full": _("has as many open cards as allowed"),
    "had_it": _("had the card already"),
}
GIVEN_BACK = {
    "junk": _("the card was junk"),
    "person": _("a person gave the card to somebody else"),
    "breach": _("the card passed on"),
}
COUNTED = {
    "webhook_refused": _("Deliveries with a wrong or missing token"),
    "webhook_malformed": _("Requests that were no delivery"),
}
TARGETS = {"hot": _("hot"), "warm": _("warm"), "other": _("other")}
REACTION_STATES = {
    "waiting": _("waits"),
    "met": _("answered in time"),
    "missed": _("not answered in time"),
    "closed": _("closed in time"),
    "not_seen": _("no answer is to be seen"),
}
CONTACTS = {
    "call_out": _("outgoing call"),
    "call_in": _("incoming call"),
    "letter": _("letter"),
    "meeting": _("meeting"),
    "chat": _("chat"),
}
NOT_COUNTED = {
    "no_call_out": _("nobody picked up, or the call is only planned"),
    "no_call_in": _("missed"),
    "no_letter": _("not sent yet"),
    "no_meeting": _("not held yet"),
    "no_chat": _("nobody of ours has answered in it"),
    "machine": _("made by Ogon, not by a person"),
    "before": _("before the card came"),
    "no_call_statistics": _("how long was talked is not known: call statistics were not read"),
    "completed_automatically": _("ticked off by the portal, so nobody knows whether it was held"),
    "chat_not_read": _("the messages of the chat were not read"),
    "unknown": _("the portal does not tell whether it reached the client"),
    "not_yet": _("just read, the clock is being worked out anew"),
}
UNREAD = {
    "activities": _("Calls, letters and meetings could not all be read: an answer may be among them."),
    "calls": _("Call statistics could not all be read: an answer may be among the calls."),
    "chats": _("Chats could not all be read: an answer may be among them."),
}
REPLAY_STATES = {
    "waiting": _("waits"),
    "running": _("under way"),
    "done": _("done"),
    "cancelled": _("cancelled"),
    "failed": _("failed"),
}
ENDED = {
    "won": _("won"),
    "lost": _("lost"),
    "junk": _("junk"),
    "junk_by_us": _("junk by Ogon"),
    "converted": _("converted"),
    "open": _("still open"),
    "gone": _("deleted"),
}
# What may be chosen in the form of the rules; outcomes, grades and types have their own words above.
RULE_OPTIONS = {code: said.template for code, said in {**OPERATORS_SAID, **KINDS_SAID}.items()}
# What the domain has no word of its own for; other criteria and facts are called as it calls them.
CRITERIA = {"client": _("Target client"), "request": _("Fitting request"), "minimum": _("Minimum")}
FACTS = {
    "rows": _("Product rows"),
    "lead_rows": _("Product rows of the lead"),
    "text": _("Text of the card"),
    "lead_text": _("Text of the lead"),
    "company_linked": _("A company is linked"),
    "won_deals": _("Won deals of the company"),
    "segment": _("Segment as it stood in the portal"),
    "last_contact": _("Last contact"),
}
EXEMPTIONS = {
    "regular": _("a regular buyer who took little this once"),
    "trial": _("a trial delivery to a target client with prospects"),
}

# The reason that the store writes for the first version; people write the others themselves.
FIRST_REASON = _("The default rules, as installed.")

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
    "segment": SEGMENTS,
    "state": STATES,
    "type": TYPES,
    "truth": TRUTHS,
    "run": RUN_STATES,
    "action": ACTION_STATES,
    "kind": ACTION_KINDS,
    "source": SOURCES,
    "mode": MODES,
    "target": TARGETS,
    "reaction": REACTION_STATES,
    "contact": CONTACTS,
    "not_counted": NOT_COUNTED,
    "unread": UNREAD,
    "replay": REPLAY_STATES,
    "ended": ENDED,
    "rule_option": RULE_OPTIONS,
    "counted": COUNTED,
    "exemption": EXEMPTIONS,
    "chosen": CHOSEN,
    "assigned_for": ASSIGNED_FOR,
    "barred": BARRED,
    "given_back": GIVEN_BACK,
}
