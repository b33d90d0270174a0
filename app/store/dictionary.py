"""The portal's dictionary as last read: fields, pipelines, stages, users, rates. One JSON document a portal."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.dialects.postgresql import insert

from app.domain.snapshot import PortalDictionary
from app.store.database import ReadSession, WriteSession
from app.store.dictionary_document import from_json
from app.store.models import PortalDictionaryRow
from app.store.records import Record


@dataclass(frozen=True, slots=True)
class KeptDictionary:
    """What the portal called things at `read_at`."""

    portal_id: int
    document: dict[str, Any]
    read_at: datetime

    @property
    def dictionary(self) -> PortalDictionary:
        """As the domain reads it."""
        return from_json(self.document)


_RECORD = Record(KeptDictionary, PortalDictionaryRow)


async def save(session: WriteSession, *, portal_id: int, document: Mapping[str, Any], read_at: datetime) -> None:
    """Keep what was read; an older reading never replaces a newer one."""
    statement = insert(PortalDictionaryRow).values(portal_id=portal_id, document=dict(document), read_at=read_at)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["portal_id"],
            set_={"document": statement.excluded.document, "read_at": statement.excluded.read_at},
            where=PortalDictionaryRow.read_at <= statement.excluded.read_at,
        )
    )


async def load(session: ReadSession, portal_id: int) -> KeptDictionary | None:
    return await _RECORD.one(session, _RECORD.query().where(PortalDictionaryRow.portal_id == portal_id))
