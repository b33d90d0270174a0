"""Live connections to portals: one client, the dictionary and the rules in force for each, made when first needed.

Built by the worker and the CLI, used by the steps. A portal's webhook is looked up anew when its row changes, so a new
webhook needs no restart.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import Generic, Self, TypeVar

from pydantic import SecretStr

from app.bitrix24.client import READ_TIMEOUT, PortalClient
from app.domain.assignment import Pool
from app.domain.messages import Say
from app.domain.ruleset import Ruleset
from app.domain.snapshot import Entity, PortalDictionary
from app.pipeline.catalog import Catalog
from app.pipeline.dictionaries import Dictionaries
from app.pipeline.dictionary import read_dictionary
from app.pipeline.reads import together
from app.pipeline.team_reading import read_team
from app.store import dictionary as kept_dictionary
from app.store import dictionary_document, pools, portals, team
from app.store.bucket import SharedBucket
from app.store.database import Database
from app.store.rules_in_force import rules_in_force
from app.store.secret_box import SecretBox
from app.texts import catalogue

_RULES_SECONDS = 1.0
_PORTAL_SECONDS = 2.0

T = TypeVar("T")


class Kept(Generic[T]):
    """One value read anew when it is older than `seconds`; callers that come meanwhile share the reading."""

    def __init__(self, seconds: float, clock: Callable[[], datetime]) -> None:
        self._age = timedelta(seconds=seconds)
        self._clock = clock
        self._lock = asyncio.Lock()
        self._kept: tuple[datetime, T] | None = None

    async def get(self, read: Callable[[], Awaitable[T]]) -> T:
        """The value, read if it is due. Raises what `read` raises."""
        async with self._lock:
            if self._kept is None or self._clock() - self._kept[0] >= self._age:
                self._kept = (self._clock(), await read())
            return self._kept[1]


@dataclass(frozen=True, slots=True)
class Connection:
    """One portal as the steps need it."""

    portal: portals.Portal
    client: PortalClient
    catalog: Catalog
    say: Say
    _database: Database
    _dictionaries: Dictionaries
    _rules: Kept[Ruleset]
    _pools: Kept[tuple[Pool, ...]]
    _clock: Callable[[], datetime]

    async def ruleset(self) -> Ruleset:
        """The version in force, at most a second old: cards that come in a burst need not each ask for it."""
        return await self._rules.get(self._read_rules)

    async def _read_rules(self) -> Ruleset:
        async with self._database.reading() as session:
            return await rules_in_force(session, self.portal.id)

    async def pools(self) -> tuple[Pool, ...]:
        """The portal's open pools in the order in which they are asked, at most a second old."""
        return await self._pools.get(self._read_pools)

    async def _read_pools(self) -> tuple[Pool, ...]:
        async with self._database.reading() as session:
            return tuple(kept.pool for kept in await pools.live(session, self.portal.id))

    async def dictionary(self, *, refresh: bool = False) -> PortalDictionary:
        """At most an hour old; `refresh` after an unknown code."""
        get = self._dictionaries.refreshed if refresh else self._dictionaries.of
        return await get(self.portal.id, self._read)

    async def _read(self) -> PortalDictionary:
        async with together() as group:
            words = group.create_task(read_dictionary(self.client))
            people = group.create_task(read_team(self.client))
        found = people.result()
        read = replace(words.result(), heads=found.heads())
        for entity in Entity:
            self.client.expect(entity, frozenset(name for owner, name in read.fields if owner is entity))
        document = dictionary_document.to_json(read)
        async with self._database.writing() as session:
            await kept_dictionary.save(session, portal_id=self.portal.id, document=document, read_at=self._clock())
            await portals.learned(
                session,
                self.portal.id,
                integration_user_id=read.integration_user_id,
                time_zone=f"{self._clock().astimezone(read.zone):%z}",
            )
            await team.keep(session, self.portal.id, found, read_at=self._clock())
        return read


class Connections:
    """All connections of this process; an async context that closes the clients."""

    def __init__(
        self,
        database: Database,
        box: SecretBox,
        *,
        clock: Callable[[], datetime],
        read_timeout: float = READ_TIMEOUT,
        epoch: Callable[[], int] = lambda: 0,
    ) -> None:
        """`read_timeout`: seconds that a portal may take to answer one request. `epoch`: see `PortalClient`."""
        self._database = database
        self._box = box
        self._clock = clock
        self._read_timeout = read_timeout
        self._epoch = epoch
        self._dictionaries = Dictionaries(clock)
        self._open: dict[int, tuple[SecretStr, Connection]] = {}
        self._kept: dict[int, Kept[Connection]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _, connection in self._open.values():
            await connection.client.aclose()

    async def of(self, portal_id: int) -> Connection:
        """The connection to a portal. Raises PortalUnknown, SecretUnreadable, DatabaseAway."""
        kept = self._kept.setdefault(portal_id, Kept(_PORTAL_SECONDS, self._clock))
        return await kept.get(lambda: self._look_up(portal_id))

    def live(self) -> list[Connection]:
        """Those made so far."""
        return [connection for _, connection in self._open.values()]

    async def _look_up(self, portal_id: int) -> Connection:
        async with self._database.reading() as session:
            portal = await portals.get(session, portal_id)
            secrets = await portals.secrets_of(session, self._box, portal_id)
        known = self._open.get(portal_id)
        if known is not None and known[0] == secrets.webhook_url:
            return replace(known[1], portal=portal)
        if known is not None:
            await known[1].client.aclose()
        connection = self._connect(portal, secrets.webhook_url)
        self._open[portal_id] = (secrets.webhook_url, connection)
        return connection

    async def only(self, which: str | None = None) -> Connection:
        """The one portal there is, or the one with this number, domain or name. Raises PortalUnknown."""
        async with self._database.reading() as session:
            known = await portals.list_portals(session)
        wanted = [one for one in known if which is None or which in {str(one.id), one.domain, one.name}]
        if len(wanted) != 1:
            raise portals.PortalUnknown(_which_portal(known, which))
        return await self.of(wanted[0].id)

    def _connect(self, portal: portals.Portal, webhook_url: SecretStr) -> Connection:
        async def renamed(new_url: str) -> None:
            async with self._database.writing() as session:
                await portals.moved(session, self._box, portal.id, webhook=SecretStr(new_url))
            self._open[portal.id] = (SecretStr(new_url), connection)

        bucket = SharedBucket(
            self._database,
            portal_id=portal.id,
            requests_per_second=portal.requests_per_second,
            burst=portal.burst,
        )
        client = PortalClient(
            webhook_url.get_secret_value(),
            bucket=bucket,
            read_timeout=self._read_timeout,
            on_rename=renamed,
            epoch=self._epoch,
        )
        connection = Connection(
            portal,
            client,
            Catalog(client),
            catalogue(portal.language).say,
            self._database,
            self._dictionaries,
            Kept(_RULES_SECONDS, self._clock),
            Kept(_RULES_SECONDS, self._clock),
            self._clock,
        )
        return connection


def _which_portal(known: Sequence[portals.Portal], which: str | None) -> str:
    if not known:
        return "There is no portal yet: set both BITRIX24_* secrets, or run `ogon portal add`."
    if which is None:
        return "There are several portals: name one by its number, see `ogon portal list`."
    return f"There is no portal {which}: see `ogon portal list`."
