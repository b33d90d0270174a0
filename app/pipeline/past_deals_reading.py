"""Reads the portal's closed deals and their companies by lists, so that reports know the time before us.

A step of the sweep; writes nothing to the portal and asks for no judgement. The first round reads all deals that
closed in the last three years. After that a deal that changes is judged, and its run goes before its row here; so
deals are read anew only once a week, for what was deleted, and when the rules read facts from other fields. Changed
companies are read in every round.

A deal's facts are read off it as by a run: its own fields, then its company's. Those of a source lead are not read:
of years of deals hardly any has one that says more.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final, Literal

from app.bitrix24.errors import Bitrix24Error
from app.domain.difference import link
from app.domain.facts import Facts
from app.domain.minimum import months_before
from app.domain.printed import moment
from app.domain.raw_values import NotUnderstoodError, day, is_empty, one_line
from app.domain.reading import deal_facts
from app.domain.ruleset import Ruleset
from app.domain.snapshot import DealSnapshot, Entity, PortalDictionary
from app.pipeline.connections import Connection
from app.pipeline.dictionary import OwnerInactive
from app.pipeline.reads import mapping, rows, together
from app.pipeline.sweep_round import BACKGROUND, Found, Round, Told, identity
from app.pipeline.sweep_sources import COMPANY, DEAL, Row, Source
from app.pipeline.sweep_walk import read_source
from app.store import dictionary as kept_dictionary
from app.store import past_deals
from app.store.database import WriteSession
from app.store.past_deals import PastCompany, PastDeal, PastReading
from app.store.rules_in_force import rules_in_force
from app.store.ruleset_document import RulesetInvalid

NAME: Final = "deal.past"
MONTHS: Final = 36
"""How far back: as far as the report on regular clients looks when nobody says otherwise."""
EVERY: Final = timedelta(days=7)
_CHUNK: Final = 1000
"""Deals to a transaction."""
_COMPANIES: Final = 2500
"""Companies to a request: fifty pages of fifty."""
_PAGE: Final = 50
_FACTS: Final = frozenset({"amount", "margin", "industry", "turnover", "steam_tph"})
_SEMANTICS: Final[Mapping[str, Literal["success", "failure"]]] = {"S": "success", "F": "failure"}
_OF_DEAL: Final = (
    "id", "companyId", "assignedById", "stageId", "stageSemanticId", "sourceId", "createdTime", "closedate",
    "currencyId",
)  # fmt: skip
_OF_COMPANY: Final = ("id", "updatedTime", "currencyId")
_CARDS: Final = {"deal": DEAL, "company": COMPANY}
_CUSTOM: Final = "UF_"


@dataclass(frozen=True, slots=True)
class _Past:
    """What the step needs of one portal. `ruleset` has only the facts that are kept here."""

    sweep: Round
    found: Found
    ruleset: Ruleset
    dictionary: PortalDictionary
    reading: PastReading

    def fields(self, card: str) -> list[str]:
        """The fields of the card that the rules read, by their names in lists."""
        wanted = _sources(self.ruleset, card)
        names = self.reading.names[card]
        return sorted({names.get(name, name) for name in wanted if name in names or not name.startswith(_CUSTOM)})

    def card(self, card: str, row: Row) -> dict[str, Any]:
        """A listed row as a run reads it, custom fields by their own names and nothing linked to it."""
        own = {listed: name for name, listed in self.reading.names[card].items()}
        return {own.get(name, name): value for name, value in row.items() if name not in {"companyId", "leadId"}}


async def read_past(sweep: Round, connection: Connection, found: Found) -> None:
    """Go on with the reading, or begin one when it is time to. Raises Bitrix24Error."""
    try:
        past = await _begun(sweep, connection, found)
    except (OwnerInactive, RulesetInvalid) as error:
        found.error, found.refused = str(error), True
        return
    # Before the companies are read at first, so that none changes unseen in between.
    await read_source(sweep, _changed_companies(past), found)
    if past.reading.finished_at is None:
        past = await _read_deals(past)
        await _read_companies(past)
        async with sweep.database.writing() as session:
            await past_deals.finish(session, sweep.portal_id, past.reading, now=sweep.now())


async def _begun(sweep: Round, connection: Connection, found: Found) -> _Past:
    async with sweep.database.reading() as session:
        rules = await rules_in_force(session, sweep.portal_id)
        known = await past_deals.reading(session, sweep.portal_id)
        words = await kept_dictionary.load(session, sweep.portal_id)
    kept = replace(rules, facts=tuple(one for one in rules.facts if one.name in _FACTS))
    # Whoever judges keeps it fresh; it is read here only when nobody has judged yet.
    dictionary = await connection.dictionary() if known is None or words is None else words.dictionary
    digest = _digest(kept, dictionary)
    if known is not None and known.mapping == digest and not _old(known, sweep):
        return _Past(sweep, found, kept, dictionary, known)
    began = PastReading(
        mapping=digest,
        names=await _names(sweep, kept),
        began_at=sweep.now(),
        closed_from=months_before(sweep.clock.now.date(), MONTHS),
    )
    async with sweep.database.writing() as session:
        await past_deals.save_reading(session, sweep.portal_id, began)
    return _Past(sweep, found, kept, dictionary, began)


def _old(known: PastReading, sweep: Round) -> bool:
    return known.finished_at is not None and sweep.now() - known.finished_at >= EVERY


def _digest(kept: Ruleset, dictionary: PortalDictionary) -> str:
    """Equal for rules that read the same values from the same cards; another once a field that they name is made."""
    read = [(one.name, one.kind.value, one.sources) for one in kept.facts]
    money = (kept.currencies.accepted, sorted(kept.currencies.rates.items()))
    wanted = {(Entity(kind), name) for card, kind in _CARDS.items() for name in _sources(kept, card)}
    there = sorted((int(entity), name) for entity, name in wanted & dictionary.fields)
    return sha256(repr((read, money, there)).encode()).hexdigest()[:32]


def _sources(kept: Ruleset, card: str) -> set[str]:
    return {source.field for one in kept.facts for source in one.sources if source.card == card}


async def _names(sweep: Round, kept: Ruleset) -> dict[str, dict[str, str]]:
    """What lists call the custom fields that are wanted; those that the portal has not are left out.

    The portal tells (docs: api-reference/crm/universal/crm-item-fields); its rule has too many cases to copy.
    """
    async with together() as group:
        asked = {
            card: group.create_task(
                sweep.client.call("crm.item.fields", {"entityTypeId": entity_type_id}, lane=BACKGROUND)
            )
            for card, entity_type_id in _CARDS.items()
        }
    return {card: _listed_names(task.result(), _sources(kept, card)) for card, task in asked.items()}


def _listed_names(answer: Any, wanted: set[str]) -> dict[str, str]:
    fields = mapping(mapping(answer).get("fields"))
    told = {str(mapping(field).get("upperName")): name for name, field in fields.items()}
    return {name: told[name] for name in wanted if name.startswith(_CUSTOM) and name in told}


async def _read_deals(past: _Past) -> _Past:
    """All closed deals above the reading's position, by id."""
    listed: list[Row] = []
    try:
        async for row in _closed_deals(past):
            listed.append(row)
            if len(listed) >= _CHUNK:
                past, listed = await _keep_deals(past, listed), []
    except Bitrix24Error:
        await _keep_deals(past, listed)
        raise
    return await _keep_deals(past, listed)


def _closed_deals(past: _Past) -> AsyncIterator[Row]:
    params = {
        "entityTypeId": DEAL,
        "select": [*_OF_DEAL, *past.fields("deal")],
        "filter": {
            ">id": past.reading.position,
            "@stageSemanticId": list(_SEMANTICS),
            ">=closedate": past.reading.closed_from.isoformat(),
        },
    }
    return past.sweep.client.walk("crm.item.list", params, lane=BACKGROUND)


async def _keep_deals(past: _Past, listed: Sequence[Row]) -> _Past:
    if not listed:
        return past
    sweep = past.sweep
    deals = [deal for row in listed if (deal := _deal(past, row)) is not None]
    reading = replace(past.reading, position=identity(listed[-1]))
    async with sweep.database.writing() as session:
        await past_deals.keep_deals(session, sweep.portal_id, deals, now=sweep.now())
        await past_deals.save_reading(session, sweep.portal_id, reading)
    past.found.seen += len(listed)
    sweep.watch(past.found)
    return replace(past, reading=reading)


def _deal(past: _Past, row: Row) -> PastDeal | None:
    """None for what was not asked for: a filter that the portal does not understand is passed over."""
    semantics = _SEMANTICS.get(str(row.get("stageSemanticId")))
    try:
        closed_on = None if is_empty(row.get("closedate")) else day(row["closedate"])
    except NotUnderstoodError:
        return None
    if semantics is None or closed_on is None or closed_on < past.reading.closed_from:
        return None
    facts = _facts(past, DealSnapshot(past.card("deal", row)))
    return PastDeal(
        deal_id=identity(row),
        company_id=link(row.get("companyId")),
        responsible=link(row.get("assignedById")),
        stage_id=str(row["stageId"]) if row.get("stageId") else None,
        semantics=semantics,
        source=one_line(str(row["sourceId"])) if row.get("sourceId") else None,
        created_at=moment(row.get("createdTime")),
        closed_on=closed_on,
        amount=facts.number("amount"),
        profit=facts.number("margin"),
        industry=facts.code("industry"),
        turnover=facts.number("turnover"),
        steam_tph=facts.number("steam_tph"),
    )


def _company(past: _Past, row: Row) -> PastCompany:
    facts = _facts(past, DealSnapshot({}, company=past.card("company", row)))
    return PastCompany(
        company_id=identity(row),
        industry=facts.code("industry"),
        turnover=facts.number("turnover"),
        steam_tph=facts.number("steam_tph"),
    )


def _facts(past: _Past, snapshot: DealSnapshot) -> Facts:
    return deal_facts(snapshot, past.ruleset, past.dictionary)


async def _read_companies(past: _Past) -> None:
    """The companies of the deals, those that the reading has not come to yet."""
    sweep, last = past.sweep, 0
    while ids := await _companies_to_read(past, last):
        async with together() as group:
            pages = [group.create_task(_page(past, ids[at : at + _PAGE])) for at in range(0, len(ids), _PAGE)]
        listed = [row for page in pages for row in page.result() if identity(row) in set(ids)]
        companies = [_company(past, row) for row in listed]
        async with sweep.database.writing() as session:
            await past_deals.keep_companies(session, sweep.portal_id, companies, asked=ids, now=sweep.now())
        past.found.seen += len(listed)
        sweep.watch(past.found)
        last = ids[-1]


async def _companies_to_read(past: _Past, after: int) -> list[int]:
    began_at = past.reading.began_at
    async with past.sweep.database.reading() as session:
        return await past_deals.companies_to_read(
            session, past.sweep.portal_id, began_at=began_at, after=after, limit=_COMPANIES
        )


async def _page(past: _Past, ids: Sequence[int]) -> list[Row]:
    params = {
        "entityTypeId": COMPANY,
        "select": [*_OF_COMPANY, *past.fields("company")],
        "filter": {"@id": list(ids)},
        "order": {"id": "ASC"},
        "start": -1,
    }
    return list(rows(await past.sweep.client.call("crm.item.list", params, lane=BACKGROUND), "items"))


def _changed_companies(past: _Past) -> Source:
    """Companies that changed since the last round; kept are those with closed deals here."""

    async def keep(sweep: Round, session: WriteSession, listed: Sequence[Row], _first_sight: bool) -> Told:
        known = await past_deals.known_companies(session, sweep.portal_id, [identity(row) for row in listed])
        companies = [_company(past, row) for row in listed if identity(row) in known]
        await past_deals.keep_companies(session, sweep.portal_id, companies, asked=(), now=sweep.now())
        return Told()

    params = {"entityTypeId": COMPANY, "select": [*_OF_COMPANY, *past.fields("company")]}
    return Source(name="company.past", method="crm.item.list", params=params, keep=keep, time="updatedTime")
