"""Step 6: carry out a plan's actions over REST and write down each one as it goes.

Called by `process.py` with actions already stored as planned. It decides nothing: what to write is the plan's.
Actions run in waves, because a card's writes depend on each other only in part: cards that must be made, one after
another; then rows, fields, comments and to-dos side by side; stage moves last, so that a crash leaves the card open
and the next run finishes it.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, assert_never

from app.bitrix24.client import Lane, PortalClient
from app.bitrix24.errors import Late, NotFound, Permanent
from app.domain.actions import (
    ORIGINATOR,
    Action,
    AddComment,
    AddTodo,
    AssignItem,
    CompleteTodo,
    CreateItem,
    MoveItem,
    Notify,
    SetRows,
    UpdateItem,
    resolve,
)
from app.domain.snapshot import Entity
from app.errors import OgonError
from app.pipeline.reads import REFUSALS
from app.store.runs import FinishedAction

_TIMELINE_TYPES = {Entity.LEAD: "lead", Entity.DEAL: "deal", Entity.CONTACT: "contact", Entity.COMPANY: "company"}
_ROW_OWNERS = {Entity.LEAD: "L", Entity.DEAL: "D"}


class WriteIgnored(OgonError):  # noqa: N818 - reads as the state it is
    """The portal answered success but did not do it (bitrix24.md 8.7): a right, a robot or a stage is in the way."""


@dataclass(frozen=True, slots=True)
class Applied:
    """How the last wave of writes ended, still to be written down with the end of the run; `error` stopped it."""

    finished: tuple[FinishedAction, ...] = ()
    error: Exception | None = None


UNTOLD: Final = (*REFUSALS, WriteIgnored)
"""Why a person was not told, and would not be by trying again: a missing scope, a user who is gone."""


class CardMoved(OgonError):  # noqa: N818 - as above
    """Somebody moved the card, or gave it to somebody, while our own write had to wait: it is judged anew."""

    def __init__(self) -> None:
        super().__init__("The card was moved or given away while our own write had to wait; it is judged anew.")


FRESH_SECONDS: Final = 60.0
"""A move or a new owner that goes out later than this after the card was read is preceded by another look."""
_STAGE: Final = ("stageId", "categoryId", "movedTime", "movedBy")
_OWNER: Final = ("assignedById",)


@dataclass(frozen=True, slots=True)
class Sight:
    """The card as the plan's maker saw it, and when it was asked for."""

    card: Mapping[str, Any]
    read_at: datetime
    clock: Callable[[], datetime]

    def age(self) -> float:
        """Seconds."""
        return (self.clock() - self.read_at).total_seconds()


Between = Callable[[Sequence[FinishedAction], Sequence[str]], Awaitable[None]]
"""Writes down, in one transaction, how a wave ended and which actions go out next."""


def waves(actions: Sequence[Action]) -> list[tuple[Action, ...]]:
    """The actions in the order they may go out; those of one wave side by side."""
    creates = [(action,) for action in actions if isinstance(action, CreateItem)]
    moves = [(action,) for action in actions if isinstance(action, MoveItem)]
    between = tuple(action for action in actions if not isinstance(action, CreateItem | MoveItem))
    return [*creates, *([between] if between else []), *moves]


async def apply(
    client: PortalClient, actions: Sequence[Action], *, between: Between, lane: Lane, sight: Sight
) -> Applied:
    """Carry out `actions`, whose first wave is already recorded as started. Raises nothing of the portal's.

    After the first failure the wave is finished, and nothing further goes out. An action whose outcome is unknown
    stays recorded as started: the next run settles it before it plans.
    """
    hand = _Hand(client, lane, sight)
    made: dict[str, int] = {}
    finished: tuple[FinishedAction, ...] = ()
    for number, wave in enumerate(waves(actions)):
        if number:
            await between(finished, [action.key for action in wave])
        ended = await asyncio.gather(*(_one(hand, action, made) for action in wave), return_exceptions=True)
        finished = tuple(item for item in map(_finished, wave, ended) if item is not None)
        for action, error in zip(wave, ended, strict=True):
            if isinstance(error, Exception):
                if not _only_untold(action, error):
                    return Applied(finished, error)
            elif isinstance(error, BaseException):
                raise error
    return Applied(finished)


def _only_untold(action: Action, error: Exception) -> bool:
    """Whether a person was not told, and nothing else: the reason stands with the action, and the card goes on."""
    return isinstance(action, Notify) and isinstance(error, UNTOLD)


def _finished(action: Action, ended: dict[str, Any] | BaseException) -> FinishedAction | None:
    match ended:
        case dict():
            return FinishedAction(action.key, result=ended)
        case Permanent() | WriteIgnored():
            return FinishedAction(action.key, "failed", error=str(ended))
        case _:
            return None


async def settle(client: PortalClient, action: Action, *, lane: Lane) -> dict[str, Any] | None:
    """Find out whether an action that a dead run had started was done: its result, or None when it was not.

    Only what must not happen twice is looked for. A repeated update, move or row set is harmless, and `plan` sees its
    effect on the card anyway.
    """
    hand = _Hand(client, lane)
    match action:
        case CreateItem():
            return await hand.find_created(action.entity, action.fields)
        case AddComment() if isinstance(action.item_id, int):
            return await hand.find_comment(action, action.item_id)
        case AddTodo():
            return await hand.find_todo(action)
        case _:
            return None


async def _one(hand: "_Hand", action: Action, made: dict[str, int]) -> dict[str, Any]:
    result = await hand.carry_out(action, made)
    if isinstance(action, CreateItem):
        made[action.makes] = result["id"]
    return result


async def tell(client: PortalClient, action: Notify, *, lane: Lane) -> None:
    """Send a notification that belongs to no card. Raises Bitrix24Error; WriteIgnored where the portal did nothing."""
    await _Hand(client, lane).notify(action)


class _Hand:
    """Turns one action into one REST call, with a look for writes whose outcome may be unknown."""

    def __init__(self, client: PortalClient, lane: Lane, sight: Sight | None = None) -> None:
        self._client = client
        self._lane = lane
        self._sight = sight

    async def carry_out(self, action: Action, made: Mapping[str, int]) -> dict[str, Any]:
        match action:
            case CreateItem():
                return await self._create(action, made)
            case UpdateItem(_, entity, item_id, fields):
                await self._update(entity, resolve(item_id, made), resolve(fields, made))
                return {}
            case MoveItem():
                return await self._move(action)
            case AssignItem():
                return await self._assign(action)
            case SetRows(_, entity, item_id, rows):
                owner = {"ownerType": _ROW_OWNERS[entity], "ownerId": resolve(item_id, made)}
                await self._call("crm.item.productrow.set", {**owner, "productRows": list(rows)}, once=True)
                return {}
            case AddComment():
                return await self._comment(action, resolve(action.item_id, made))
            case AddTodo():
                return await self._todo(action)
            case CompleteTodo(_, activity_id):
                return await self._complete(activity_id)
            case Notify():
                return await self.notify(action)
            case _:
                assert_never(action)

    async def _create(self, action: CreateItem, made: Mapping[str, int]) -> dict[str, Any]:
        fields = resolve(action.fields, made)

        async def look() -> Any | None:
            found = await self.find_created(action.entity, fields)
            return found and {"item": found}

        params = {"entityTypeId": int(action.entity), "fields": fields, "useOriginalUfNames": "Y"}
        answer = await self._client.call("crm.item.add", params, lane=self._lane, look=look)
        return {"id": int(answer["item"]["id"])}

    async def find_created(self, entity: Entity, fields: Mapping[str, Any]) -> dict[str, Any] | None:
        """The card with our origin mark, the oldest if there should be several."""
        params = {
            "entityTypeId": int(entity),
            "filter": {"=originatorId": fields["originatorId"], "=originId": fields["originId"]},
            "select": ["id"],
            "order": {"id": "ASC"},
            "useOriginalUfNames": "Y",
        }
        items = (await self._call("crm.item.list", params))["items"]
        return {"id": int(items[0]["id"])} if items else None

    async def _update(
        self,
        entity: Entity,
        item_id: int,
        fields: Mapping[str, Any],
        *,
        once: bool = False,
        within: float | None = None,
    ) -> dict[str, Any]:
        params = {"entityTypeId": int(entity), "id": item_id, "fields": dict(fields), "useOriginalUfNames": "Y"}
        return (await self._call("crm.item.update", params, once=once, within=within))["item"]

    async def _move(self, action: MoveItem) -> dict[str, Any]:
        fields: dict[str, Any] = {"stageId": action.stage}
        if action.pipeline is not None:
            fields["categoryId"] = action.pipeline
        item = await self._fresh(action.entity, action.item_id, fields)
        if str(item.get("stageId", action.stage)) != action.stage:
            raise WriteIgnored(
                f"The portal did not move the card to stage {action.stage}: it stands in {item['stageId']}. Look for a "
                "robot or a right that holds it there, then replay the card."
            )
        return {"stage": action.stage}

    async def _assign(self, action: AssignItem) -> dict[str, Any]:
        item = await self._fresh(action.entity, action.item_id, {"assignedById": action.user})
        if str(item.get("assignedById", action.user)) != str(action.user):
            raise WriteIgnored(
                f"The portal did not give the card to user {action.user}: it stays with user {item['assignedById']}. "
                "Look for a robot or a right in the way, and whether that user still works, then replay the card."
            )
        return {"user": action.user, "updated_time": item.get("updatedTime")}

    async def _fresh(self, entity: Entity, item_id: int, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The card after a write of what people set, too; they had no time to do so unseen. Raises CardMoved."""
        age = self._sight.age() if self._sight else 0.0
        theirs = _OWNER if "assignedById" in fields else _STAGE
        while True:
            if age < FRESH_SECONDS:
                with contextlib.suppress(Late):
                    return await self._update(entity, item_id, fields, once=True, within=FRESH_SECONDS - age)
            card = await self._client.load(entity, item_id, lane=self._lane)
            if self._sight and any(card.get(name) != self._sight.card.get(name) for name in theirs):
                raise CardMoved
            age = 0.0

    async def _comment(self, action: AddComment, item_id: int) -> dict[str, Any]:
        async def look() -> Any | None:
            found = await self.find_comment(action, item_id)
            return found and found["id"]

        fields = {**_timeline_owner(action.entity, item_id), "COMMENT": action.text}
        answer = await self._client.call("crm.timeline.comment.add", {"fields": fields}, lane=self._lane, look=look)
        return {"id": int(answer)}

    async def find_comment(self, action: AddComment, item_id: int) -> dict[str, Any] | None:
        """Our timeline entry with this very text on this card."""
        params = {
            "filter": _timeline_owner(action.entity, item_id),
            "select": ["ID", "COMMENT"],
            "order": {"ID": "DESC"},
        }
        rows = await self._call("crm.timeline.comment.list", params)
        return next(({"id": int(row["ID"])} for row in rows if _same_text(row.get("COMMENT"), action.text)), None)

    async def _todo(self, action: AddTodo) -> dict[str, Any]:
        params = {
            "ownerTypeId": int(action.entity),
            "ownerId": action.item_id,
            "deadline": action.deadline,
            "title": action.title,
            "description": action.description,
            "responsibleId": action.responsible_id,
        }
        answer = await self._client.call(
            "crm.activity.todo.add", params, lane=self._lane, look=lambda: self.find_todo(action)
        )
        return {"id": int(answer["id"])}

    async def find_todo(self, action: AddTodo) -> dict[str, Any] | None:
        """The open to-do with this title and text on this card."""
        params = {
            "filter": {"OWNER_TYPE_ID": int(action.entity), "OWNER_ID": action.item_id, "COMPLETED": "N"},
            "select": ["ID", "SUBJECT", "DESCRIPTION"],
            "order": {"ID": "DESC"},
        }
        for row in await self._call("crm.activity.list", params):
            same_title = _same_text(row.get("SUBJECT"), action.title)
            if same_title and _same_text(row.get("DESCRIPTION"), action.description):
                return {"id": int(row["ID"])}
        return None

    async def _complete(self, activity_id: int) -> dict[str, Any]:
        # Done, deleted or closed by a person is all the same to us: the question is no longer open.
        try:
            await self._call("crm.activity.update", {"id": activity_id, "fields": {"COMPLETED": "Y"}})
        except NotFound:
            return {"gone": True}
        return {}

    async def notify(self, action: Notify) -> dict[str, Any]:
        # Said twice it is there once: a notification takes the place of the one with its tag. With a webhook tags
        # count only beside a CLIENT_ID of our own (chats/notifications/im-notify-system-add).
        params = {
            "USER_ID": action.user,
            "MESSAGE": action.text,
            "TAG": action.tag,
            "SUB_TAG": action.tag.rpartition(":")[0],
            "CLIENT_ID": ORIGINATOR,
        }
        answer = await self._call("im.notify.system.add", params)
        if not answer:
            raise WriteIgnored(
                f"The portal did not notify user {action.user}: look whether this user is still there and active."
            )
        return {"id": int(answer)}

    async def _call(
        self, method: str, params: Mapping[str, Any], *, once: bool = False, within: float | None = None
    ) -> Any:
        """`once` for what people set, too: had the first try come through, a second could undo what they did since.

        The run then fails, and the next one reads the card anew.
        """
        return await self._client.call(method, params, lane=self._lane, once=once, within=within)


def _timeline_owner(entity: Entity, item_id: int) -> dict[str, Any]:
    return {"ENTITY_ID": item_id, "ENTITY_TYPE": _TIMELINE_TYPES[entity]}


def _same_text(stored: Any, wanted: str) -> bool:
    """Portals trim and normalise line ends of what they store; that is not another text."""
    return " ".join(str(stored or "").split()) == " ".join(wanted.split())
