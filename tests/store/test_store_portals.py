"""Portals: added once, found by what a delivery carries, secrets sealed at rest."""

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import anyio
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from app.settings import load_settings
from app.store import portals
from app.store.portals import PortalExists, PortalUnknown, domain_of
from app.store.secret_box import SecretBox, SecretUnreadable, secret_box

pytestmark = pytest.mark.anyio

WEBHOOK = SecretStr("https://Acme.Bitrix24.ru/rest/7/wh3bh00kc0de")
TOKENS = [SecretStr("t0ken-one"), SecretStr("t0ken-two")]


def _env(url: str, **more):
    return load_settings(_env_file=None, bitrix24_webhook_url=SecretStr(url), bitrix24_application_token=TOKENS, **more)


async def test_add_takes_the_domain_from_the_webhook(write_session, box):
    added = await portals.add(write_session, box, webhook=WEBHOOK, application_tokens=TOKENS, member_id="m1")
    assert (added.domain, added.name, added.member_id) == ("acme.bitrix24.ru", "acme.bitrix24.ru", "m1")
    assert (added.requests_per_second, added.burst, added.language, added.enabled) == (2.0, 50, "ru", True)
    assert await portals.get(write_session, added.id) == added
    assert await portals.find_by_member_id(write_session, "m1") == added
    assert await portals.find_by_domain(write_session, " ACME.bitrix24.ru") == added
    assert await portals.find_by_member_id(write_session, "m2") is None


async def test_a_domain_is_added_once(write_session, box):
    await portals.add(write_session, box, webhook=WEBHOOK)
    with pytest.raises(PortalExists, match="is already there"):
        await portals.add(write_session, box, webhook=WEBHOOK)


async def test_a_wrong_address_is_refused_without_repeating_it(write_session, box):
    with pytest.raises(ValueError, match="not an inbound webhook") as caught:
        await portals.add(write_session, box, webhook=SecretStr("https://acme/rest/s3cret"))
    assert "s3cret" not in str(caught.value)


async def test_secrets_are_sealed_at_rest_and_open_again(write_session, box):
    added = await portals.add(write_session, box, webhook=WEBHOOK, application_tokens=TOKENS)
    row = (await write_session.execute(text("SELECT portals::text AS whole, * FROM portals"))).mappings().one()
    raw = b" ".join(bytes(value) if isinstance(value, bytes) else str(value).encode() for value in row.values())
    assert b"wh3bh00kc0de" not in raw
    assert b"t0ken" not in raw
    opened = await portals.secrets_of(write_session, box, added.id)
    assert opened.webhook_url.get_secret_value() == "https://Acme.Bitrix24.ru/rest/7/wh3bh00kc0de/"
    assert [token.get_secret_value() for token in opened.application_tokens] == ["t0ken-one", "t0ken-two"]
    assert "wh3bh00kc0de" not in repr(opened) + repr(added) + repr(box)


async def test_another_key_cannot_open(write_session, box):
    added = await portals.add(write_session, box, webhook=WEBHOOK)
    with pytest.raises(SecretUnreadable, match="SECRET_KEY"):
        await portals.secrets_of(write_session, SecretBox(SecretStr("some other key entirely")), added.id)


async def test_find_by_token_knows_enabled_portals_only(write_session, box):
    first = await portals.add(write_session, box, webhook=WEBHOOK, application_tokens=TOKENS)
    second = await portals.add(
        write_session, box, webhook=SecretStr("http://127.0.0.1:9000/rest/1/abc/"), application_tokens=[SecretStr("b")]
    )
    assert await portals.find_by_token(write_session, box, "t0ken-two") == first
    assert await portals.find_by_token(write_session, box, "b") == second
    assert await portals.find_by_token(write_session, box, "t0ken-Ω") is None
    await portals.set_enabled(write_session, second.id, enabled=False)
    assert await portals.find_by_token(write_session, box, "b") is None
    assert [one.id for one in await portals.list_portals(write_session)] == [first.id, second.id]
    assert [one.id for one in await portals.list_portals(write_session, enabled_only=True)] == [first.id]


async def test_learned_keeps_what_is_known(write_session, box):
    added = await portals.add(write_session, box, webhook=WEBHOOK)
    await portals.learned(write_session, added.id, member_id="m1", integration_user_id=7)
    told = await portals.learned(write_session, added.id, time_zone="+0300")
    assert (told.member_id, told.integration_user_id, told.time_zone) == ("m1", 7, "+0300")
    assert await portals.learned(write_session, added.id) == told


async def test_unknown_portal_says_where_to_look(write_session, box):
    calls = [
        portals.get(write_session, 99),
        portals.secrets_of(write_session, box, 99),
        portals.set_enabled(write_session, 99, enabled=True),
        portals.replace_secrets(write_session, box, 99, webhook=WEBHOOK, application_tokens=[]),
    ]
    for call in calls:
        with pytest.raises(PortalUnknown, match="no portal 99: see `ogon portal list`"):
            await call


async def test_env_portal_is_made_once_and_follows_the_environment(database, box):
    first = _env("https://acme.bitrix24.ru/rest/7/old/")

    async def ensure() -> None:
        async with database.writing() as session:
            await portals.ensure_env_portal(session, box, first)

    async with anyio.create_task_group() as starts:
        for _ in range(5):
            starts.start_soon(ensure)
    async with database.writing() as session:
        (made,) = await portals.list_portals(session)
        await portals.learned(session, made.id, member_id="m1")
        changed = _env("https://acme.bitrix24.ru/rest/7/new/", bitrix24_requests_per_second=5.0, bitrix24_burst=250)
        again = await portals.ensure_env_portal(session, box, changed)
        assert (again.id, again.member_id) == (made.id, "m1")
        assert (again.requests_per_second, again.burst) == (5.0, 250)
        opened = await portals.secrets_of(session, box, made.id)
        assert opened.webhook_url.get_secret_value().endswith("/new/")


async def test_a_renamed_portal_stays_one_whatever_the_environment_still_says(database, box):
    old, new = (_env(f"https://{name}.bitrix24.ru/rest/7/wh3bh00kc0de/") for name in ("acme", "steam"))

    async def restarted(settings) -> tuple[int, str]:
        async with database.writing() as session:
            known = await portals.ensure_env_portal(session, box, settings)
            assert await portals.list_portals(session) == [known]
            opened = (await portals.secrets_of(session, box, known.id)).webhook_url.get_secret_value()
        assert domain_of(SecretStr(opened)) == known.domain
        return known.id, known.domain

    made, _ = await restarted(old)
    async with database.writing() as session:
        await portals.moved(session, box, made, webhook=new.bitrix24_webhook_url)
    assert await restarted(old) == (made, "steam.bitrix24.ru"), "it moved; nobody had to change the environment"
    assert await restarted(new) == (made, "steam.bitrix24.ru")
    third = _env("https://boiler.bitrix24.ru/rest/7/wh3bh00kc0de/")
    assert await restarted(third) == (made, "boiler.bitrix24.ru"), "a name that nobody told us of yet"


async def test_trouble_is_kept_with_the_moment_it_began(write_session, portal, box):
    began, later = datetime(2026, 11, 22, 3, tzinfo=UTC), datetime(2026, 11, 22, 4, tzinfo=UTC)
    for at, trouble in ((began, "401"), (later, "401"), (later, "402")):
        await portals.set_trouble(write_session, portal.id, trouble, now=at)
    known = await portals.get(write_session, portal.id)
    assert (known.trouble, known.trouble_since) == ("402", began)
    await portals.set_trouble(write_session, portal.id, None, now=later)
    known = await portals.get(write_session, portal.id)
    assert (known.trouble, known.trouble_since) == (None, None)


async def test_env_portal_needs_both_secrets(write_session, box):
    url = SecretStr("https://acme.bitrix24.ru/rest/7/x/")
    for partly in ({"bitrix24_webhook_url": url}, {"bitrix24_application_token": TOKENS}, {}):
        assert await portals.ensure_env_portal(write_session, box, load_settings(_env_file=None, **partly)) is None
    assert await portals.list_portals(write_session) == []


def test_generated_key_is_kept_private_and_shared_by_concurrent_starts(settings):
    with ThreadPoolExecutor(8) as starts:
        boxes = list(starts.map(secret_box, [settings] * 16))
    sealed = boxes[0].seal("text")
    assert {box.open(sealed).get_secret_value() for box in boxes} == {"text"}
    assert [path.name for path in settings.data_dir.iterdir()] == ["secret_key"]
    assert stat.S_IMODE((settings.data_dir / "secret_key").stat().st_mode) == 0o600


def test_given_key_leaves_no_file(settings):
    given = settings.model_copy(update={"secret_key": SecretStr("given key of some length")})
    sealed = secret_box(given).seal("text")
    assert SecretBox(SecretStr("given key of some length")).open(sealed).get_secret_value() == "text"
    assert list(settings.data_dir.iterdir()) == []
