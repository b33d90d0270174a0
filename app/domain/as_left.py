"""The card as a run left it: what was read, with what that run wrote since.

Called by previews, which plan without a look at the portal. Only what is known to be written counts; robots and people
may have changed the card meanwhile.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.domain.actions import Action, AssignItem, CreateItem, MoveItem, UpdateItem, resolve
from app.domain.difference import link
from app.domain.snapshot import Entity, PortalDictionary, RawCard


@dataclass(frozen=True, slots=True)
class Done:
    """A write that was carried out, and what the portal answered."""

    action: Action
    result: Mapping[str, Any] | None


def as_left(card: RawCard, entity: Entity, done: Iterable[Done], dictionary: PortalDictionary) -> dict[str, Any]:
    """The card with the fields, the owner and the stage that were written into it."""
    left, made = dict(card), dict[str, int]()
    for one in done:
        match one.action:
            case CreateItem(makes=makes):
                if (made_id := link((one.result or {}).get("id"))) is not None:
                    made[makes] = made_id
            case UpdateItem(entity=of, item_id=item_id, fields=fields) if (of, item_id) == (entity, card.get("id")):
                left |= {name: _resolved(value, made) for name, value in fields.items()}
            case MoveItem(entity=of, item_id=item_id) as move if (of, item_id) == (entity, card.get("id")):
                pipeline = {} if move.pipeline is None else {"categoryId": move.pipeline}
                left |= {"stageId": move.stage, "movedBy": dictionary.integration_user_id, **pipeline}
                for told in ("movedTime", "stageSemanticId"):
                    left.pop(told, None)
            case AssignItem(entity=of, item_id=item_id, user=user) if (of, item_id) == (entity, card.get("id")):
                left["assignedById"] = user
            case _:
                pass
    return left


def _resolved(value: Any, made: Mapping[str, int]) -> Any:
    try:
        return resolve(value, made)
    except KeyError:
        return None
