"""Named tokens: only a hash is kept, a wrong text finds nothing, and every change is in the audit log."""

from datetime import UTC, datetime, timedelta

import anyio
import pytest
from sqlalchemy import text

from app.store import audit, tokens
from app.store.audit import AuditFilter
from app.store.tokens import TokenExists, TokenUnknown, reaches

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


async def _create(session, name="desk", role="viewer", **values):
    return await tokens.create(session, name=name, role=role, by="console:anna", **values)


async def test_the_text_finds_its_token_and_is_kept_nowhere(write_session):
    made, given = await _create(write_session, "head of sales", "head", expires_at=NOW)
    plain = given.get_secret_value()
    number, secret = plain.removeprefix("ogon_").split("_", 1)
    assert int(number) == made.id
    assert len(secret) == 43, "256 bits"
    assert plain not in repr(given)
    assert await tokens.find(write_session, plain) == made
    rows = [str(row) for row in await write_session.execute(text("SELECT to_jsonb(api_tokens) FROM api_tokens"))]
    rows += [str(row) for row in await write_session.execute(text("SELECT to_jsonb(audit_log) FROM audit_log"))]
    assert len(rows) == 2
    assert not any(secret in row or secret.encode().hex() in row for row in rows)


async def test_two_tokens_share_nothing(write_session):
    (one, first), (two, second) = await _create(write_session, "one"), await _create(write_session, "two")
    swapped = f"ogon_{one.id}_{second.get_secret_value().split('_', 2)[2]}"
    assert first != second
    assert await tokens.find(write_session, swapped) is None
    assert await tokens.find(write_session, second.get_secret_value()) == two


async def test_a_wrong_text_finds_nothing(write_session):
    made, given = await _create(write_session)
    assert made.id == 1
    plain = given.get_secret_value()
    for wrong in (
        plain[:-1],
        plain + "A",
        plain + "\n",
        plain.upper(),
        plain.replace("ogon_1_", "ogon_2_"),
        plain.replace("ogon_1_", "ogon_999999999_"),
        plain.replace("ogon_1_", "ogon_99999999999_"),
        plain.replace("ogon_1_", "ogon_١_"),
        "ogon_1_" + "\0" * 43,
        "",
    ):
        assert await tokens.find(write_session, wrong) is None, wrong
    assert await tokens.find(write_session, plain) == made


async def test_what_ends_a_token(write_session):
    for name, expires_at, live in (
        ("for ever", None, True),
        ("not yet expired", NOW + timedelta(seconds=1), True),
        ("expired this moment", NOW, False),
        ("revoked", None, False),
    ):
        _, given = await _create(write_session, name, expires_at=expires_at)
        if name == "revoked":
            await tokens.revoke(write_session, name, by="ADMIN_TOKEN")
        found = await tokens.find(write_session, given.get_secret_value())
        assert found is not None
        assert found.is_live(NOW) is live, name


async def test_a_name_is_taken_until_its_token_is_revoked(write_session):
    old, _ = await _create(write_session)
    with pytest.raises(TokenExists, match="revoke it first"):
        await _create(write_session)
    ended = await tokens.revoke(write_session, "desk", by="ADMIN_TOKEN")
    assert (ended.id, ended.revoked_by) == (old.id, "ADMIN_TOKEN")
    with pytest.raises(TokenUnknown, match="ogon token list"):
        await tokens.revoke(write_session, "desk", by="ADMIN_TOKEN")
    new, _ = await _create(write_session)
    assert await tokens.list_tokens(write_session) == [new]
    assert await tokens.list_tokens(write_session, revoked_too=True) == [ended, new]


async def test_of_many_who_make_the_same_name_one_does(database):
    made, refused = [], []

    async def create() -> None:
        try:
            async with database.writing() as session:
                made.append(await _create(session))
        except TokenExists:
            refused.append(1)

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(create)
    assert (len(made), len(refused)) == (1, 3)
    async with database.reading() as session:
        assert len(await audit.page(session, AuditFilter(what="token.created"))) == 1


async def test_names(write_session):
    for name in ("head of sales", "Отдел продаж 2", "a.b_c@d-e", "x" * 64, "7"):
        assert (await _create(write_session, name))[0].name == name
    for name in ("x" * 65, "", " desk", "desk ", "_desk", "console:anna", "a/b", "desk\n", "de\0sk", "[red]"):
        with pytest.raises(ValueError, match="letters, digits"):
            await _create(write_session, name)
    for name in ("ADMIN_TOKEN", "admin_token", "console", "Ogon", "environment"):
        with pytest.raises(TokenExists, match="Ogon uses itself"):
            await _create(write_session, name)


async def test_the_last_use_is_kept_and_never_goes_back(write_session):
    made, _ = await _create(write_session)
    assert made.wants_touch(NOW)
    for at in (NOW, NOW + timedelta(seconds=5), NOW - timedelta(minutes=5)):
        await tokens.touch(write_session, made.id, now=at)
    used = await tokens.get(write_session, made.id)
    assert used is not None
    assert used.last_used_at == NOW
    assert not used.wants_touch(NOW + timedelta(seconds=59))
    assert used.wants_touch(NOW + timedelta(seconds=60))


def test_each_role_may_what_the_ones_before_it_may():
    roles = ("viewer", "head", "admin")
    may = {(role, needed) for role in roles for needed in roles if reaches(role, needed)}
    assert may == {(role, needed) for at, role in enumerate(roles) for needed in roles[: at + 1]}
