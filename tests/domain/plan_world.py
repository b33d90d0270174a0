"""A portal small enough to hold in the hand: raw cards, memory and links, and what they become when a plan is applied.

For the planning tests only. `World.after(plan)` does what the portal and the pipeline would do, without either.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from app.domain.actions import (
    Action,
    AddComment,
    AddTodo,
    CompleteTodo,
    CreateItem,
    MoveItem,
    Plan,
    SetRows,
    UpdateItem,
    resolve,
)
from app.domain.facts import Fact, Facts, Kind, Truth
from app.domain.messages import in_english, message
from app.domain.plan import plan
from app.domain.ruleset import DEFAULT, Ruleset
from app.domain.second_look import is_second_look
from app.domain.snapshot import (
    NO_LINKS,
    NOTHING_REMEMBERED,
    DealSnapshot,
    Entity,
    Found,
    LeadSnapshot,
    Links,
    Memory,
    OpenTodo,
    PortalDictionary,
    Stage,
)
from app.domain.verdict import (
    CheckItem,
    DealVerdict,
    Exemption,
    Finding,
    Flip,
    Grade,
    LeadVerdict,
    Outcome,
    Question,
    Verdict,
)

US, MANAGER, HEAD = 7, 12, 3
ZONE = timezone(timedelta(hours=3))
NOW = datetime(2026, 8, 21, 9, 0, tzinfo=UTC)

LEAD_STAGES = (
    Stage(Entity.LEAD, 0, "NEW", "New", 10, "process"),
    Stage(Entity.LEAD, 0, "IN_PROCESS", "In work", 20, "process"),
    Stage(Entity.LEAD, 0, "CONVERTED", "Converted", 30, "success"),
    Stage(Entity.LEAD, 0, "UC_DOUBLE", "Duplicate", 40, "failure"),
    Stage(Entity.LEAD, 0, "JUNK", "Junk", 50, "failure"),
)
DEAL_STAGES = (
    Stage(Entity.DEAL, 0, "NEW", "New", 10, "process"),
    Stage(Entity.DEAL, 0, "EXECUTING", "Delivery", 20, "process"),
    Stage(Entity.DEAL, 0, "WON", "Won", 30, "success"),
    Stage(Entity.DEAL, 0, "APOLOGY", "Analysis", 40, "failure", apology=True),
    Stage(Entity.DEAL, 0, "LOSE", "Lost", 50, "failure"),
    Stage(Entity.DEAL, 4, "C4:UC_1", "Contract", 20, "process"),
    Stage(Entity.DEAL, 4, "C4:NEW", "Start", 10, "process"),
    Stage(Entity.DEAL, 4, "C4:LOSE", "Lost", 30, "failure"),
)
VERDICT_IDS = {"51": "deal", "52": "company", "53": "junk", "54": "review", "55": "needs_data"}
GRADE_IDS = {"61": "AAA", "62": "BBB", "63": "CCC", "64": "none"}
SEGMENT_IDS = {"71": "new", "72": "regular", "73": "sleeping", "74": "nurture"}
DICTIONARY = PortalDictionary(
    integration_user_id=US,
    zone=ZONE,
    stages=LEAD_STAGES + DEAL_STAGES,
    enumerations={
        (Entity.LEAD, "UF_CRM_OGON_VERDICT"): VERDICT_IDS,
        (Entity.DEAL, "UF_CRM_OGON_GRADE"): GRADE_IDS,
        (Entity.COMPANY, "UF_CRM_OGON_SEGMENT"): SEGMENT_IDS,
    },
    fields=frozenset(
        {
            (Entity.LEAD, "UF_CRM_OGON_VERDICT"),
            (Entity.LEAD, "UF_CRM_OGON_WHY"),
            (Entity.DEAL, "UF_CRM_OGON_GRADE"),
            (Entity.DEAL, "UF_CRM_OGON_CHECKLIST"),
            (Entity.DEAL, "UF_CRM_OGON_WHY"),
            (Entity.COMPANY, "UF_CRM_OGON_SEGMENT"),
            (Entity.COMPANY, "UF_CRM_OGON_STEAM_TPH"),
        }
    ),
    rates={"RUB": Decimal(1), "USD": Decimal(80)},
    heads={MANAGER: HEAD},
)
FACTS = Facts(
    [
        Fact("steam_tph", Kind.NUMBER, Decimal("4.5"), "lead.UF_CRM_OGON_STEAM_TPH"),
        Fact("turnover", Kind.NUMBER, Decimal(2_000_000_000), "lead.UF_CRM_OGON_TURNOVER"),
        Fact("industry", Kind.CODE, "MANUFACTURING", "lead.UF_CRM_OGON_INDUSTRY"),
    ]
)
NEW_FACTS = FACTS.with_(Fact("steam_tph", Kind.NUMBER, Decimal(1), "lead.UF_CRM_OGON_STEAM_TPH"))
ROW = {
    "id": 900, "ownerId": 5, "ownerType": "L", "productId": 77, "productName": "Boiler", "price": 1200,
    "priceExclusive": 1000, "quantity": 2, "taxRate": 20, "taxIncluded": "Y", "measureCode": 796, "sort": 10,
}  # fmt: skip


def lead_card(**fields: Any) -> dict[str, Any]:
    """A lead as crm.item.get prints it: a person and a company by name, nothing linked."""
    return {
        "id": 5, "title": "Boiler house for a plant", "stageId": "NEW", "stageSemanticId": "P", "movedBy": MANAGER,
        "assignedById": MANAGER, "companyTitle": "Plant [B]One[/B]", "companyId": 0, "contactId": None,
        "contactIds": [], "name": "Ann", "lastName": "Lee", "opportunity": 2400, "currencyId": "RUB",
        "isManualOpportunity": "N", "sourceId": "WEB", "sourceDescription": "", "utmSource": "ads",
        "comments": "Call after ten", "UF_CRM_OGON_VERDICT": None, "UF_CRM_OGON_WHY": "",
        "fm": [
            {"id": 1, "typeId": "PHONE", "valueType": "WORK", "value": "+7 999 000-11-22"},
            {"id": 2, "typeId": "EMAIL", "valueType": "HOME", "value": "ann@plant.example"},
        ],
        **fields,
    }  # fmt: skip


def deal_card(**fields: Any) -> dict[str, Any]:
    """A deal as crm.item.get prints it."""
    return {
        "id": 90, "title": "Boiler", "categoryId": 0, "stageId": "NEW", "movedBy": MANAGER, "assignedById": MANAGER,
        "UF_CRM_OGON_GRADE": None, "UF_CRM_OGON_CHECKLIST": None, "UF_CRM_OGON_WHY": None, **fields,
    }  # fmt: skip


def lead_verdict(outcome: Outcome, **changes: Any) -> LeadVerdict:
    """A verdict of stage one with one finding, and questions where data is needed."""
    steam = Finding(
        "steam_tph",
        Truth.YES,
        message("Steam {value} t/h", value=Decimal("4.5")),
        Flip("steam_tph", Kind.NUMBER, "3", message("steam 3 t/h or less")),
    )
    asked = (
        Question("industry", message("Which industry is it?")),
        Question("request_answer", message("Do we sell that?")),
    )
    verdict = LeadVerdict(
        outcome,
        Truth.YES,
        Truth.YES,
        (steam,),
        message("Outcome {outcome} because of steam", outcome=outcome.value),
        asked if outcome is Outcome.NEEDS_DATA else (),
    )
    return replace(verdict, **changes)


def deal_verdict(grade: Grade = Grade.BBB, *, declined: bool = False, exemption: Exemption | None = None):
    """A verdict of stage two with one check item done of two."""
    return DealVerdict(
        grade,
        (),
        Truth.NO if declined else Truth.YES,
        exemption,
        declined,
        Truth.YES,
        Truth.YES,
        (CheckItem("amount", Truth.YES, message("Over the limit")), CheckItem("roles", Truth.NO, message("All roles"))),
        (),
        message("Need and budget are there"),
    )


@dataclass(frozen=True)
class World:
    """One card with what surrounds it; `made` counts what was created by kind."""

    snapshot: LeadSnapshot | DealSnapshot = field(default_factory=lambda: LeadSnapshot(lead_card()))
    memory: Memory = NOTHING_REMEMBERED
    links: Links = NO_LINKS
    facts: Facts = field(default_factory=lambda: FACTS)
    dictionary: PortalDictionary = DICTIONARY
    ruleset: Ruleset = DEFAULT
    made: tuple[str, ...] = ()
    ids: dict[str, int] = field(default_factory=dict)
    log: tuple[Action, ...] = ()

    @property
    def card(self) -> dict[str, Any]:
        raw = self.snapshot.lead if isinstance(self.snapshot, LeadSnapshot) else self.snapshot.deal
        return dict(raw)

    def plan(self, verdict: Verdict) -> Plan:
        """The plan for a verdict in this world."""
        return plan(
            verdict,
            self.snapshot,
            self.memory,
            self.links,
            facts=self.facts,
            ruleset=self.ruleset,
            dictionary=self.dictionary,
            now=NOW,
            say=in_english,
        )

    def after(self, verdict: Verdict, actions: Iterable[Action] | None = None) -> "World":
        """The world once the plan, or only some of its first actions, was carried out."""
        planned = self.plan(verdict).actions
        world = replace(self, ids={}).setting_out(planned)
        for action in planned if actions is None else actions:
            world = world._with(action, verdict)
        return world

    def setting_out(self, planned: tuple[Action, ...]) -> "World":
        stages = tuple(a.stage for a in planned if isinstance(a, MoveItem))
        return replace(self, memory=replace(self.memory, our_stages=self.memory.our_stages + stages))

    def changing(self, **fields: Any) -> "World":
        """The world with other values on the card."""
        card = {**self.card, **fields}
        snapshot = self.snapshot
        if isinstance(snapshot, LeadSnapshot):
            return replace(self, snapshot=replace(snapshot, lead=card))
        return replace(self, snapshot=replace(snapshot, deal=card))

    def moved_by_person(self, stage: str, verdict: Verdict) -> "World":
        """A person moves the card after a run that gave `verdict`."""
        memory = replace(
            self.memory, seen_before_move=self.facts.digest(), outcome_before_move=verdict.decision, recent_moves=0
        )
        return replace(self.changing(stageId=stage, movedBy=MANAGER), memory=memory)

    def _with(self, action: Action, verdict: Verdict) -> "World":
        world = replace(self, log=(*self.log, action))
        match action:
            case CreateItem():
                return world._created(action)
            case UpdateItem(_, Entity.COMPANY, item_id, fields):
                assert isinstance(item_id, int)
                return world._company_updated(item_id, dict(fields))
            case UpdateItem(_, _, item_id, fields):
                assert item_id == self.card["id"]
                return world.changing(**resolve(fields, self.ids))
            case MoveItem():
                return world._moved(action, verdict)
            case SetRows():
                return replace(world, links=replace(self.links, deal_has_rows=True))
            case AddComment(key):
                return replace(world, memory=replace(self.memory, comment_digest=key.rsplit(":", 1)[1]))
            case AddTodo(key) if is_second_look(key):
                assert self.memory.second_look is not None
                assert self.memory.second_look.activity_id is None
                look = replace(self.memory.second_look, activity_id=990)
                return replace(world, memory=replace(self.memory, second_look=look))
            case AddTodo():
                return replace(world, memory=replace(self.memory, todo=OpenTodo(880, action.digest)))
            case CompleteTodo(_, 990):
                assert self.memory.second_look is not None
                return replace(
                    world, memory=replace(self.memory, second_look=replace(self.memory.second_look, closed=True))
                )
            case CompleteTodo(_, activity_id):
                assert self.memory.todo is not None
                assert self.memory.todo.activity_id == activity_id
                return replace(world, memory=replace(self.memory, todo=None))

    def _created(self, action: CreateItem) -> "World":
        item_id = 1000 + len(self.made)
        fields = {"id": item_id, **resolve(action.fields, self.ids)}
        found = Found(item_id, "origin", fields)
        links = {
            "company": lambda: replace(self.links, company=found),
            "contact": lambda: replace(self.links, contact=found),
            "deal": lambda: replace(self.links, deal_ids=(*self.links.deal_ids, item_id)),
        }[action.makes]()
        ids = {**self.ids, action.makes: item_id}
        return replace(self, links=links, ids=ids, made=(*self.made, action.makes))

    def _company_updated(self, company: int, fields: dict[str, Any]) -> "World":
        world = self
        if isinstance(world.snapshot, LeadSnapshot) and world.snapshot.company is not None:
            world = replace(world, snapshot=replace(world.snapshot, company={**world.snapshot.company, **fields}))
        found = world.links.company
        if found is not None and found.card is not None and found.id == company:
            card = {**found.card, **fields}
            world = replace(world, links=replace(world.links, company=replace(found, card=card)))
        return world

    def _moved(self, action: MoveItem, verdict: Verdict) -> "World":
        memory = replace(
            self.memory,
            stage_before=self.card["stageId"],
            seen_before_move=self.facts.digest(),
            outcome_before_move=verdict.decision,
            recent_moves=self.memory.recent_moves + 1,
        )
        pipeline = {} if action.pipeline is None else {"categoryId": action.pipeline}
        return replace(self.changing(stageId=action.stage, movedBy=US, **pipeline), memory=memory)


def of_type(plan_or_actions: Any, kind: type) -> list[Any]:
    """The actions of one kind."""
    actions = plan_or_actions.actions if isinstance(plan_or_actions, Plan) else plan_or_actions
    return [action for action in actions if isinstance(action, kind)]
