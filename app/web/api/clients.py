"""`/api/v1/clients/regular`: who buys most and most often, as a suggestion for the list of industries."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from app.domain.messages import Message, message
from app.domain.minimum import months_before
from app.domain.wording import code_said
from app.reports.regular_clients import TRAITS, Advice, Group, RegularClients, Trait, band_said, regular_clients
from app.store import completeness, dictionary
from app.store.rules_in_force import rules_in_force
from app.texts import Catalogue, catalogue
from app.web.api.queries import Since, Until, WhichPortal, in_order
from app.web.asking import portal_asked
from app.web.problems import ProblemAnswer
from app.web.rendering import language_of
from app.web.state import Web

router = APIRouter(prefix="/clients", tags=["reports"], responses={404: {"model": ProblemAnswer}})

_USUAL_MONTHS = 36


class ClientGroup(BaseModel):
    """Won deals of one industry, band of size or source."""

    label: str = Field(description="For people; of an industry or source the portal's own name.")
    code: str | None = Field(description="Industry or source as the portal codes it; null for bands and for not known.")
    over: Decimal | None = Field(description="Of a band: more than this, RUB a year or t/h.")
    up_to: Decimal | None = Field(description="Of a band: and at most this.")
    known: bool = Field(description="False: the won deals of which this is not known.")
    clients: int
    regular_clients: int = Field(description="Clients who were regular buyers at some time of the period.")
    won_deals: int
    money: Decimal = Field(description="Amounts of the won deals, RUB, as far as they are known.")
    money_known: int = Field(description="Won deals whose amount is known.")
    profit: Decimal = Field(description="Profit of the won deals, RUB, as far as it is known.")
    profit_known: int = Field(description="Won deals whose profit is known.")
    deals_a_year: Decimal | None = Field(
        description="Won deals of a client in a year; null without clients or within the first three months."
    )


class Coverage(BaseModel):
    """Of how many won deals something is known."""

    known: int
    share: float | None = Field(description="0 to 1; null where there are no won deals.")


class IndustryAdvice(BaseModel):
    """An industry beside the list in force."""

    code: str
    label: str
    in_force: bool = Field(description="Whether the rules in force take clients of this industry.")
    advice: Advice | None = Field(
        description="add: regular clients are in it and the rules leave it out; keep: they are and the rules take it; "
        "look: the rules take it and too few regular clients are known in it; null: neither."
    )
    regular_clients: int


class RegularBuyer(BaseModel):
    """Who is a regular buyer by the rules in force."""

    won_deals: int
    months: int


class RegularClientsAnswer(BaseModel):
    """Who buys most and most often. A suggestion: nothing is switched on by it."""

    since: date
    until: date
    known_from: date | None = Field(
        description="All deals closed from this day on are known; null until the portal's closed deals have been read, "
        "when only deals that were judged here are counted."
    )
    counted_from: date | None = Field(description="The first known win, or `since` if that is later.")
    years: Decimal = Field(description="From `counted_from` to `until`; what `deals_a_year` divides by.")
    ruleset_version: int
    regular_buyer: RegularBuyer
    won_deals: int
    not_judged: int = Field(
        description="Won deals that closed before they were judged here: as the portal's lists tell, amounts in RUB by "
        "the rates of when they were read."
    )
    clients: int
    regular_clients: int
    coverage: dict[str, Coverage] = Field(
        description="Of the won deals: client, industry, turnover, steam_tph, source, amount, profit."
    )
    industry: list[ClientGroup] = Field(description="By money, most first; so are the other three.")
    turnover: list[ClientGroup]
    steam_tph: list[ClientGroup]
    source: list[ClientGroup]
    suggestion: list[IndustryAdvice]


@router.get("/regular")
async def who_is_regular(
    web: Web,
    request: Request,
    *,
    since: Since = None,
    until: Until = None,
    least_regular: Annotated[
        int, Query(ge=1, le=10_000, description="Regular clients that make an industry worth advising.")
    ] = 2,
    portal: WhichPortal = None,
) -> RegularClientsAnswer:
    """Industries, sizes and sources of won deals, by money; three years back if no period is given.

    Counted from the deals that were judged here and from those that closed before, as a sweep has read them.
    """
    async with web.database.reading() as session:
        where = await portal_asked(session, portal)
        rules = await rules_in_force(session, where.id)
        last = until or await completeness.today(session, where.id, now=web.clock())
        first = since or months_before(last, _USUAL_MONTHS)
        in_order(first, last)
        told = await regular_clients(session, where.id, rules, since=first, until=last, least_regular=least_regular)
        kept = await dictionary.load(session, where.id)
    document = kept.document if kept else {}
    teller = _Teller(catalogue(language_of(request)), document.get("industries", {}), document.get("sources", {}))
    return RegularClientsAnswer(
        since=told.since,
        until=told.until,
        known_from=told.known_from,
        counted_from=told.counted_from,
        years=told.years,
        ruleset_version=rules.version,
        regular_buyer=RegularBuyer(won_deals=rules.minimum.regular_won_deals, months=rules.minimum.regular_months),
        won_deals=told.won_deals,
        not_judged=told.not_judged,
        clients=told.clients,
        regular_clients=told.regular_clients,
        coverage=_coverage(told),
        **{trait: [teller.group(trait, group) for group in told.groups[trait]] for trait in TRAITS},
        suggestion=[
            IndustryAdvice(
                code=one.code,
                label=teller.industry(one.code),
                in_force=one.in_force,
                advice=one.advice,
                regular_clients=one.regular_clients,
            )
            for one in told.industries
        ],
    )


def _coverage(told: RegularClients) -> dict[str, Coverage]:
    whole = told.won_deals
    return {
        name: Coverage(known=known, share=round(known / whole, 4) if whole else None)
        for name, known in told.known.items()
    }


@dataclass(frozen=True, slots=True)
class _Teller:
    """Names groups in one language; `industries` and `sources` are the portal's own names by code."""

    texts: Catalogue
    industries: Mapping[str, str]
    sources: Mapping[str, str]

    def industry(self, code: str) -> str:
        said = self.industries.get(code) or code_said("industry", code)
        return self.texts.say(said) if isinstance(said, Message) else said

    def group(self, trait: Trait, group: Group) -> ClientGroup:
        return ClientGroup(
            label=self._label(trait, group),
            code=group.code,
            over=group.band.over if group.band else None,
            up_to=group.band.up_to if group.band else None,
            known=group.code is not None or group.band is not None,
            clients=group.clients,
            regular_clients=group.regular_clients,
            won_deals=group.won_deals,
            money=group.money,
            money_known=group.money_known,
            profit=group.profit,
            profit_known=group.profit_known,
            deals_a_year=group.deals_a_year,
        )

    def _label(self, trait: Trait, group: Group) -> str:
        if group.band is not None:
            return self.texts.say(band_said(trait, group.band))
        if group.code is None:
            return self.texts.say(message("not known"))
        return self.industry(group.code) if trait == "industry" else self.sources.get(group.code) or group.code
