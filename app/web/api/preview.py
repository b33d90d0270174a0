"""`/api/v1/preview`: what rules would make of one card, or of facts given by hand. Writes nothing anywhere."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self, TypeAlias, assert_never

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, model_validator

from app.domain.actions import (
    Action,
    AddComment,
    AddTodo,
    AssignItem,
    CompleteTodo,
    CreateItem,
    MoveItem,
    Notify,
    Ref,
    SetRows,
    UpdateItem,
    action_to_json,
)
from app.domain.destination import stage_at
from app.domain.messages import Message, message
from app.domain.record import verdict_to_json
from app.domain.rejudge import gap_said
from app.domain.replay import label
from app.domain.snapshot import Entity, PortalDictionary
from app.domain.touch import Hold, hold_said
from app.store.cards import CardKey
from app.store.json_text import storable
from app.store.ruleset_document import DOCUMENT_CONFIG, RulesetDocument
from app.texts import Catalogue, catalogue
from app.web.api.queries import WhichPortal
from app.web.asking import LARGEST_ID, portal_asked, portal_of_card
from app.web.problems import ProblemAnswer
from app.web.rendering import language_of
from app.web.shapes import FactView, VerdictView
from app.web.state import Web
from app.web.story import Teller
from app.web.trying import Trial, Tried, trial
from app.web.words import ACTION_KINDS, TYPES

router = APIRouter(tags=["rules"], responses={code: {"model": ProblemAnswer} for code in (404, 409)})

JudgedType: TypeAlias = Literal["lead", "deal"]
ENTITIES: dict[JudgedType, Entity] = {"lead": Entity.LEAD, "deal": Entity.DEAL}
LAST_VERSION = 2**31 - 1
_SHOWN = 2_000


class RulesToTry(BaseModel):
    """The rules to be tried; with neither, those in force."""

    model_config = DOCUMENT_CONFIG

    document: RulesetDocument | None = Field(default=None, description="A draft. Keys left out have their defaults.")
    version: Annotated[int, Field(ge=1, le=LAST_VERSION)] | None = Field(
        default=None, description="A published version."
    )


class CardAsked(BaseModel):
    """A card that was judged before."""

    type: JudgedType
    id: int = Field(ge=1, le=LARGEST_ID, description="The card's id in the portal.")


class PreviewAsked(RulesToTry):
    """A card, or facts by hand; one of the two."""

    card: CardAsked | None = Field(default=None, description="The card, by its newest recorded facts.")
    type: JudgedType = Field(default="lead", description="What facts by hand are about.")
    facts: dict[str, Any] | None = Field(
        default=None,
        description="Facts by name, as the rules name them; besides those `text`, `rows`, `company_title` and the like."
        " What is not given is not known.",
        examples=[
            {"steam_tph": 4.5, "turnover": "2 000 000 000", "industry": "MANUFACTURING", "request_answer": "yes"}
        ],
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.card is None) is (self.facts is None):
            raise ValueError("give either a card or facts")
        return self


class PlannedWrite(BaseModel):
    """One write that would be made."""

    kind: str = Field(description="create, update, move, rows, comment, todo, complete_todo or notify.")
    said: str = Field(description="The same in words.")
    payload: dict[str, Any]


class Preview(BaseModel):
    """What the rules would make of it now."""

    type: JudgedType
    id: int | None = Field(description="Null for facts by hand.")
    version: int = Field(description="Of the rules; of a draft, the one it was made from.")
    draft: bool = Field(description="Whether they are a draft.")
    before: str | None = Field(description="Recorded outcome, or grade, with `_declined` where the deal is declined.")
    after: str = Field(description="The same by these rules.")
    facts_read_at: datetime | None = Field(
        description="When the facts were read in the portal; null for facts by hand."
    )
    facts_age_seconds: int | None
    verdict: VerdictView
    facts: list[FactView]
    plan: list[PlannedWrite] = Field(description="What would be written, in order.")
    held: list[str] = Field(description="What would be wanted and left undone, and why.")
    assumed: list[str] = Field(description="What the portal would have to be asked about and was assumed instead.")
    gaps: list[str] = Field(description="What these rules would need and the recorded run did not read.")
    certain: bool = Field(description="False where the gaps could change outcome or grade.")


@router.post("/preview")
async def preview(web: Web, request: Request, wanted: PreviewAsked, *, portal: WhichPortal = None) -> Preview:
    """Judge one card, or facts by hand, by a draft, a version or the rules in force: verdict, findings, plan."""
    texts = catalogue(language_of(request))
    card = wanted.card
    async with web.database.reading() as session:
        if card is None:
            where = await portal_asked(session, portal)
        else:
            where = await portal_of_card(session, portal, ENTITIES[card.type], card.id)
        trying = await trial(
            session, where, document=wanted.document, version=wanted.version, now=web.clock(), say=texts.say
        )
        if card is not None:
            tried = await trying.card(session, CardKey(where.id, ENTITIES[card.type], card.id))
        else:
            tried = trying.by_hand(ENTITIES[wanted.type], storable(wanted.facts or {}))
    return _told(tried, trying, texts, card_id=card.id if card else None, draft=wanted.document is not None)


def _told(tried: Tried, trying: Trial, texts: Catalogue, *, card_id: int | None, draft: bool) -> Preview:
    teller = Teller(texts, trying.portal)
    age = None if tried.read_at is None else int((trying.now - tried.read_at).total_seconds())
    return Preview(
        type="lead" if tried.entity is Entity.LEAD else "deal",
        id=card_id,
        version=trying.rules.version,
        draft=draft,
        before=tried.before,
        after=label(tried.verdict),
        facts_read_at=tried.read_at,
        facts_age_seconds=age,
        verdict=teller.verdict(verdict_to_json(tried.verdict)),
        facts=teller.facts(tried.facts.to_json()),
        plan=[_write(action, trying.dictionary, texts) for action in tried.plan.actions],
        held=[texts.say(hold_said(Hold(held))) for held in tried.plan.held],
        assumed=[texts.say(said) for said in tried.assumed],
        gaps=[texts.say(gap_said(gap)) for gap in tried.gaps],
        certain=tried.comparable,
    )


def _write(action: Action, dictionary: PortalDictionary, texts: Catalogue) -> PlannedWrite:
    payload = action_to_json(action)
    kind = str(payload["kind"])
    what = texts.gettext(ACTION_KINDS[kind])
    detail = texts.say(_detail(action, dictionary, texts))
    return PlannedWrite(kind=kind, said=f"{what}: {detail}", payload=payload)


def _detail(action: Action, dictionary: PortalDictionary, texts: Catalogue) -> Message:
    match action:
        case CreateItem(entity=entity, fields=fields):
            name = fields.get("title") or " ".join(str(fields[one]) for one in ("name", "lastName") if fields.get(one))
            return message("{card} “{name}”", card=_card(entity, texts), name=_short(name))
        case UpdateItem(entity=entity, fields=fields):
            pairs = tuple(f"{name} = {_short(value)}" for name, value in fields.items())
            return message("{card}: {fields}", card=_card(entity, texts), fields=pairs)
        case MoveItem(entity=entity, stage=code, pipeline=pipeline):
            stage = stage_at(dictionary, entity, (pipeline or 0, code))
            return message("“{stage}”", stage=stage.name if stage else code)
        case AssignItem(user=user):
            return message("user {user}", user=str(user))
        case SetRows(rows=rows):
            return message("{count}", count=len(rows))
        case AddComment(text=text):
            return message("{text}", text=text[:_SHOWN])
        case AddTodo(title=title, description=text, responsible_id=user, deadline=deadline):
            return message(
                "“{title}” for user {user} until {deadline}. {text}",
                title=title,
                user=str(user),
                deadline=deadline,
                text=text[:_SHOWN],
            )
        case CompleteTodo(activity_id=activity):
            return message("{count}", count=str(activity))
        case Notify(user=user, text=text):
            return message("user {user}: {text}", user=str(user), text=text[:_SHOWN])
        case _:
            assert_never(action)


def _card(entity: Entity, texts: Catalogue) -> str:
    return texts.gettext(TYPES[entity.name.lower()])


def _short(value: Any) -> str:
    text = f"({value.makes})" if isinstance(value, Ref) else str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
