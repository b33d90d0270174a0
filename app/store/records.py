"""Rows as frozen dataclasses: what functions on a session hand out instead of live ORM objects.

Used inside the store only. A record's fields are columns of its table, by name.
"""

from collections.abc import Iterable
from dataclasses import fields
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import ColumnElement, Delete, Executable, Select, Update, select
from sqlalchemy.dialects.postgresql import Insert

from app.store.database import ReadSession
from app.store.models import Base

T = TypeVar("T")


class Record(Generic[T]):
    """Queries `table` for the columns that the dataclass `kind` names, and makes `kind` of each row."""

    def __init__(self, kind: type[T], table: type[Base]) -> None:
        self._kind = kind
        self.names = tuple(field.name for field in fields(cast("Any", kind)))
        self.columns: tuple[ColumnElement[Any], ...] = tuple(getattr(table, name) for name in self.names)

    def query(self) -> Select[Any]:
        return cast("Select[Any]", select(*self.columns))

    def returning(self, statement: Insert | Update | Delete) -> Executable:
        return cast("Executable", cast("Any", statement).returning(*self.columns))

    async def all(self, session: ReadSession, statement: Executable) -> list[T]:
        return self.made((await session.execute(statement)).mappings())

    async def one(self, session: ReadSession, statement: Executable) -> T | None:
        """The only row, or None. Raises MultipleResultsFound when there are more."""
        row = (await session.execute(statement)).mappings().one_or_none()
        return None if row is None else self._kind(**{name: row[name] for name in self.names})

    def made(self, rows: Iterable[Any]) -> list[T]:
        """`kind` of each mapping; other columns in it are passed over."""
        return [self._kind(**{name: row[name] for name in self.names}) for row in rows]
