"""The audit log: only ever added to, in the transaction of the change, and read page by page."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.store import audit
from app.store.audit import AuditFilter

pytestmark = pytest.mark.anyio


async def _note(session, what="rules.published", **values):
    given = {"who": "anna", "subject": "version 2", **values}
    await audit.note(session, what=what, **given)


@pytest.fixture
async def noted(database, portal):
    """Three entries, each of a transaction of its own."""
    async with database.writing() as session:
        await _note(session, portal_id=portal.id, detail={"reason": "because", "steam": 3.5})
    async with database.writing() as session:
        await _note(session, "token.created", who="boris", subject="desk")
    async with database.writing() as session:
        await _note(session, "tokens", who="boris")
    async with database.reading() as session:
        return await audit.page(session, AuditFilter())


async def test_an_entry_says_who_did_what_when_and_to_what(noted, portal):
    last = noted[-1]
    assert (last.who, last.what, last.subject, last.portal_id) == ("anna", "rules.published", "version 2", portal.id)
    assert last.detail == {"reason": "because", "steam": 3.5}
    assert noted[1].detail is None
    assert [entry.id for entry in noted] == [3, 2, 1]
    assert noted[0].at > noted[1].at > noted[2].at


UPSERT = """
    INSERT INTO audit_log (id, who, what, subject) OVERRIDING SYSTEM VALUE VALUES (1, 'x', 'y', 'z')
    ON CONFLICT (id) DO UPDATE SET who = 'nobody'
"""
MERGE = "MERGE INTO audit_log USING (VALUES (1)) AS one (id) ON audit_log.id = one.id WHEN MATCHED THEN DELETE"


async def _execute(database, *statements):
    async with database.writing() as session:
        for statement in statements:
            await session.execute(text(statement))


async def test_nothing_in_it_can_be_changed_by_sql(database, noted):
    for change in (
        "UPDATE audit_log SET who = 'nobody'",
        "UPDATE audit_log SET who = 'nobody' WHERE false",
        "DELETE FROM audit_log WHERE id = 1",
        "TRUNCATE audit_log",
        "TRUNCATE portals CASCADE",
        UPSERT,
        MERGE,
    ):
        with pytest.raises(DBAPIError, match="only ever added to"):
            await _execute(database, change)
    # Only a superuser gets as far as the trigger.
    with pytest.raises(DBAPIError, match=r"only ever added to|permission denied"):
        await _execute(database, "SET LOCAL session_replication_role = replica", "DELETE FROM audit_log")
    async with database.reading() as session:
        assert await audit.page(session, AuditFilter()) == noted


async def test_a_change_that_fails_leaves_no_entry(database):
    async def fail() -> None:
        async with database.writing() as session:
            await _note(session)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with database.reading() as session:
        assert await audit.page(session, AuditFilter()) == []


async def test_filters_and_pages(database, noted, portal):
    third, second, first = noted
    tables = [
        (AuditFilter(who="boris"), [third, second]),
        (AuditFilter(what="token"), [second]),
        (AuditFilter(what="token.created"), [second]),
        (AuditFilter(what="rules.publ"), []),
        (AuditFilter(subject="version 2"), [third, first]),
        (AuditFilter(portal_id=portal.id), [first]),
        (AuditFilter(since=second.at), [third, second]),
        (AuditFilter(until=second.at), [first]),
        (AuditFilter(since=second.at, until=second.at + timedelta(microseconds=1)), [second]),
        (AuditFilter(who="boris", subject="desk"), [second]),
    ]
    async with database.reading() as session:
        for wanted, expected in tables:
            assert await audit.page(session, wanted) == expected, wanted
        assert await audit.page(session, AuditFilter(), limit=2) == [third, second]
        assert await audit.page(session, AuditFilter(), before_id=second.id, limit=2) == [first]
