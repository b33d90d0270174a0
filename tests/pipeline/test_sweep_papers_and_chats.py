"""The sweep keeps proposals, invoices and chats: each state once, money in RUB, who answered a client first."""

from decimal import Decimal

import pytest

from app.domain.activity_kind import WhyUnknown, contact_of
from app.domain.first_response import ContactKind
from app.pipeline.sweep_chats import NAME
from app.sandbox.faults import Fault
from app.sandbox.state.openlines import BOT, CLIENT, SYSTEM
from app.store import activities, histories
from app.store.cards import CardKey
from tests.pipeline.sweep_house import DEAL, LEAD, House, house_of
from tests.pipeline.test_backfill import fill

pytestmark = pytest.mark.anyio

QUOTE, INVOICE = 7, 31
HISTORY = "imopenlines.session.history.get"


@pytest.fixture
async def house(database):
    async with house_of(database) as made:
        yield made


async def _chat(house: House, lead: int):
    async with house.database.reading() as session:
        kept = await activities.of_card(session, CardKey(house.portal_id, LEAD, lead))
    return next(one for one in kept if one.kind.value == "chat")


async def _history(house: House, name: str):
    async with house.database.reading() as session:
        return {one.source: one for one in await histories.of_portal(session, house.portal_id)}[name]


async def test_papers_are_kept_with_their_money_and_whoever_made_them(house: House) -> None:
    company = house.add(4, title="Завод")
    deal = house.add(DEAL, title="boiler", companyId=company)
    await house.calm()
    house.clock.passes(minutes=20)
    quote = house.add(QUOTE, title="Q", dealId=deal, companyId=company, assignedById=12, opportunity=1000)
    invoice = house.add(INVOICE, title="I", parentId2=deal, assignedById=13, opportunity=200, currencyId="USD")
    made = house.clock()
    house.clock.passes(minutes=5)
    assert (await house.sweep()).error is None
    house.clock.passes(days=1)
    house.edit(QUOTE, quote, assignedById=14)
    house.edit(INVOICE, invoice, stageId="DT31_2:P", assignedById=14)
    paid = house.clock()
    house.clock.passes(minutes=5)
    await house.sweep()

    row = await house.value("SELECT to_jsonb(quotes) FROM quotes")
    assert (row["quote_id"], row["deal_id"], row["company_id"]) == (quote, deal, company)
    assert (row["responsible_id"], row["made_by_id"]) == (14, 12)
    assert (row["semantics"], row["succeeded_at"], Decimal(row["amount"])) == ("process", None, 1000)
    row = await house.value("SELECT to_jsonb(invoices) FROM invoices")
    assert (row["invoice_id"], row["deal_id"], row["made_by_id"]) == (invoice, deal, 13)
    assert (Decimal(row["amount"]), row["currency"]) == (Decimal(15700), "USD"), "78.5 by the portal"
    assert row["semantics"] == "success"
    assert await house.value("SELECT succeeded_at = :at FROM invoices", at=paid)
    assert await house.value("SELECT created_at = :at FROM invoices", at=made)

    house.portal.reset_stats()
    await house.sweep()
    assert "crm.status.list" not in house.portal.stats.commands, "the words of stages are known by now"
    assert (await _history(house, "quotes")).refused is None


async def test_invoices_that_are_switched_off_are_told_as_missing_not_as_none(house: House) -> None:
    del house.portal.world.stores[INVOICE]
    house.portal.world.kind = _without(INVOICE, house.portal.world.kind)
    assert (await house.sweep()).error is None
    told = await _history(house, "invoices")
    assert told.refused
    assert told.whole_since is None
    assert (await _history(house, "quotes")).whole_since is not None


def _without(kind: int, known):
    def found(entity_type_id: int):
        return known(0 if entity_type_id == kind else entity_type_id)

    return found


async def test_a_backfill_reads_papers_of_the_past_since_the_day(house: House) -> None:
    old = house.add(QUOTE, title="old", opportunity=1)
    house.clock.passes(days=10)
    new = house.add(QUOTE, title="new", opportunity=2, assignedById=12)
    house.add(INVOICE, title="paid", opportunity=3, stageId="DT31_2:P")
    house.clock.passes(days=1)
    found = await fill(house, days=5)
    assert (found["quote.new"].seen, found["invoice.new"].seen) == (1, 1)
    assert await house.value("SELECT quote_id FROM quotes WHERE made_by_id = 12") == new
    assert await house.value("SELECT semantics FROM invoices") == "success"
    await fill(house, days=20)
    assert await house.value("SELECT array_agg(quote_id ORDER BY quote_id) FROM quotes") == [old, new]


async def test_an_answered_chat_is_the_operators_at_his_first_message(house: House) -> None:
    lead = house.add(LEAD, title="writes", assignedById=13)
    await house.calm()
    chat = house.portal.ui_chat(LEAD, lead)
    house.portal.ui_chat_message(chat, SYSTEM)
    house.portal.ui_chat_message(chat, CLIENT)
    asked = house.clock()
    house.clock.passes(minutes=1)
    house.portal.ui_chat_message(chat, BOT)
    await house.sweep()
    told = await _chat(house, lead)
    assert (told.happened, told.why_unknown) == (False, None), "a bot is nobody"
    house.clock.passes(minutes=2)
    house.portal.ui_chat_message(chat, 12)
    answered = house.clock()
    house.clock.passes(minutes=3)
    house.portal.ui_chat_message(chat, CLIENT)
    await house.sweep()
    told = await _chat(house, lead)
    assert (told.happened, told.answered_at, told.answered_by) == (True, answered, 12)
    contact = contact_of(told)
    assert contact is not None
    assert (contact.kind, contact.at, contact.by, contact.happened) == (ContactKind.CHAT, answered, 12, True)
    row = await house.value("SELECT to_jsonb(chats) FROM chats")
    assert (row["session_id"], row["operator_id"], row["client_messages"], row["operator_messages"]) == (321, 12, 2, 1)
    assert await house.value("SELECT first_client_at = :at FROM chats", at=asked)

    house.portal.reset_stats()
    await house.sweep()
    assert HISTORY not in house.portal.stats.commands, "answered and not changed since"
    house.clock.passes(minutes=1)
    house.portal.ui_chat_message(chat, 14)
    house.portal.ui_complete_activity(chat)
    await house.sweep()
    assert await house.value("SELECT operator_messages FROM chats WHERE ended AND NOT wanted") == 2
    told = await _chat(house, lead)
    assert (told.completed, told.answered_at, told.answered_by) == (True, answered, 12)
    assert (await _history(house, "chats")).whole_since is not None


async def test_a_chat_that_nobody_answered_is_no_contact_and_is_asked_about_until_it_ends(house: House) -> None:
    lead = house.add(LEAD, title="waits")
    await house.calm()
    chat = house.portal.ui_chat(LEAD, lead)
    house.portal.ui_chat_message(chat, CLIENT)
    for _ in range(2):
        house.clock.passes(minutes=1)
        house.portal.reset_stats()
        await house.sweep()
        assert house.portal.stats.commands[HISTORY] == 1
    house.clock.passes(minutes=1)
    house.portal.ui_complete_activity(chat)
    await house.sweep()
    assert (await _chat(house, lead)).happened is False
    house.portal.reset_stats()
    await house.sweep()
    assert HISTORY not in house.portal.stats.commands


async def test_a_session_whose_number_is_not_printed_is_found_through_its_chat(house: House) -> None:
    lead = house.add(LEAD, title="writes")
    await house.calm()
    chat = house.portal.ui_chat(LEAD, lead, told=False)
    house.portal.ui_chat_message(chat, CLIENT)
    house.portal.ui_chat_message(chat, 12)
    await house.sweep()
    assert (await _chat(house, lead)).answered_by == 12
    assert await house.value("SELECT session_id FROM chats") == 321


async def test_without_the_scope_a_chat_is_unknown_and_mended_when_it_is_given(house: House) -> None:
    house.portal.scopes.discard("imopenlines")
    lead = house.add(LEAD, title="writes")
    await house.calm()
    chat = house.portal.ui_chat(LEAD, lead)
    house.portal.ui_chat_message(chat, CLIENT)
    house.portal.ui_chat_message(chat, 12)
    swept = await house.sweep()
    assert swept.error is None
    told = await _chat(house, lead)
    assert (told.happened, told.why_unknown) == (None, WhyUnknown.CHAT_NOT_READ)
    assert "scope" in ((await _history(house, "chats")).refused or "")

    house.portal.scopes.add("imopenlines")
    house.clock.passes(minutes=5)
    await house.sweep()
    assert (await _chat(house, lead)).happened is True
    assert (await _history(house, "chats")).refused is None


async def test_one_session_that_may_not_be_read_does_not_hide_the_others(house: House) -> None:
    lead, other = house.add(LEAD, title="secret"), house.add(LEAD, title="open")
    await house.calm()
    chats = [house.portal.ui_chat(LEAD, one) for one in (lead, other)]
    for chat in chats:
        house.portal.ui_chat_message(chat, CLIENT)
        house.portal.ui_chat_message(chat, 12)
    house.portal.faults.append(Fault("error", HISTORY, code="ACCESS_DENIED", description="no", status=403, times=1))
    swept = await house.sweep()
    assert swept.error is None
    assert {one.source: one.seen for one in swept.found}[NAME] == 2
    happened = [(await _chat(house, one)).happened for one in (lead, other)]
    assert sorted(map(str, happened)) == ["None", "True"]
    assert await house.value("SELECT count(*) FROM chats WHERE refused IS NOT NULL AND NOT wanted") == 1
