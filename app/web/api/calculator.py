"""`/api/v1/calculator/minimum`: what one deal must earn, beside what past deals earned and what the rules demand."""

from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from app.domain.break_even import FEWEST_DEALS, HIGHEST_COST, MOST_DEALS, FigureImpossible, least_profit
from app.domain.minimum import months_before
from app.reports.past_deals import PastDeals, Share, past_deals
from app.store import completeness
from app.store.database import ReadSession
from app.store.rules_in_force import rules_in_force
from app.web.api.queries import LARGEST_PORTAL, Day, in_order
from app.web.asking import portal_asked
from app.web.problems import ProblemAnswer, WebProblem
from app.web.state import Web, WebState

router = APIRouter(prefix="/calculator", tags=["rules"], responses={404: {"model": ProblemAnswer}})

_USUAL_MONTHS = 12
# The bounds are checked by the domain, which says what to give instead.
_Cost = Annotated[Decimal, WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": int(HIGHEST_COST)})]
_Deals = Annotated[
    Decimal, WithJsonSchema({"type": "number", "minimum": float(FEWEST_DEALS), "maximum": int(MOST_DEALS)})
]


class MinimumQuestion(BaseModel):
    """What a month costs and how many deals it has; and the deals to look back on."""

    model_config = ConfigDict(extra="forbid")

    monthly_cost: _Cost = Field(description="What a month costs, RUB.", examples=[500000])
    deals_a_month: _Deals = Field(description="Deals closed in an ordinary month, an average too.", examples=[100])
    since: Day | None = Field(default=None, description="Past deals made from this day on; a year back if left out.")
    until: Day | None = Field(default=None, description="Past deals made up to this day; today if left out.")
    portal: int | None = Field(default=None, ge=1, le=LARGEST_PORTAL, description="Needed when there are several.")


class ShareBelow(BaseModel):
    """How many deals earned less than a minimum. An unknown profit is neither above nor below."""

    deals: int
    known_profit: int = Field(description="Deals whose profit is known: the share is of these.")
    unknown_profit: int
    below: int = Field(description="Deals that earned less than the minimum reckoned here.")
    share: float | None = Field(description="`below` of `known_profit`, 0 to 1; null where no profit is known.")
    below_in_force: int | None = Field(
        description="Below the minimum of the rules in force; null where they have none."
    )
    share_in_force: float | None


class PastView(BaseModel):
    """Known deals that were made in the period and are still in the portal."""

    since: Day
    until: Day
    known_from: Day | None = Field(
        description="All deals closed from this day on are known; null until the portal's closed deals have been read, "
        "when only deals that were judged here are counted."
    )
    not_judged: int = Field(
        description="Deals among them that closed before they were judged here: as the portal's lists tell, amounts in "
        "RUB by the rates of when they were read."
    )
    deals: ShareBelow = Field(description="All of them, however they ended.")
    won: ShareBelow = Field(description="Only the won ones.")


class MinimumInForce(BaseModel):
    """What the rules demand now, RUB; null where they demand nothing."""

    ruleset_version: int
    profit: Decimal | None
    amount: Decimal | None


class MinimumAnswer(BaseModel):
    """What one deal must earn, in RUB. Nothing is changed: the rules are edited under /api/v1/rules."""

    monthly_cost: Decimal
    deals_a_month: Decimal
    minimum_profit: Decimal = Field(description="Monthly cost by deals a month, rounded up to a kopeck.")
    in_force: MinimumInForce
    past: PastView


@router.get("/minimum")
async def minimum_for(web: Web, asked: Annotated[MinimumQuestion, Query()]) -> MinimumAnswer:
    """The minimum profit of one deal, with the share of past deals below it."""
    return await _answer(web, asked)


@router.post("/minimum")
async def minimum_of(web: Web, asked: MinimumQuestion) -> MinimumAnswer:
    """The same, asked with a JSON body. Changes nothing."""
    return await _answer(web, asked)


async def _answer(web: WebState, asked: MinimumQuestion) -> MinimumAnswer:
    try:
        least = least_profit(asked.monthly_cost, asked.deals_a_month)
    except FigureImpossible as error:
        raise WebProblem(422, "invalid_value", error.said, path=error.figure) from error
    async with web.database.reading() as session:
        portal = await portal_asked(session, asked.portal)
        rules = await rules_in_force(session, portal.id)
        past = await _past(session, web, portal.id, asked, least=least, in_force=rules.minimum.profit)
    return MinimumAnswer(
        monthly_cost=asked.monthly_cost,
        deals_a_month=asked.deals_a_month,
        minimum_profit=least,
        in_force=MinimumInForce(
            ruleset_version=rules.version, profit=rules.minimum.profit, amount=rules.minimum.amount
        ),
        past=past,
    )


async def _past(
    session: ReadSession,
    web: WebState,
    portal_id: int,
    asked: MinimumQuestion,
    *,
    least: Decimal,
    in_force: Decimal | None,
) -> PastView:
    until = asked.until or await completeness.today(session, portal_id, now=web.clock())
    since = asked.since or months_before(until, _USUAL_MONTHS)
    in_order(since, until)
    told: PastDeals = await past_deals(session, portal_id, since=since, until=until, least=least, other=in_force)
    return PastView(
        since=since,
        until=until,
        known_from=told.known_from,
        not_judged=told.not_judged,
        deals=_share(told.everything),
        won=_share(told.won),
    )


def _share(told: Share) -> ShareBelow:
    return ShareBelow(
        deals=told.deals,
        known_profit=told.known,
        unknown_profit=told.deals - told.known,
        below=told.below,
        share=_of(told.below, told.known),
        below_in_force=told.below_other,
        share_in_force=None if told.below_other is None else _of(told.below_other, told.known),
    )


def _of(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
