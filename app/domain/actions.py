"""Actions: single writes still missing in the portal, as data with stable keys.

Made by `plan.py`, stored with the run before anything is written, carried out by `app/pipeline/apply.py`.
A key names the effect, not the attempt: the same effect on the same card has the same key in every run.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, assert_never, cast

from app.domain.snapshot import Entity

Product: TypeAlias = Literal["company", "contact", "deal"]
"""What a conversion makes, and the name by which later actions refer to its id."""

ORIGINATOR = "ogon"


@dataclass(frozen=True, slots=True)
class Ref:
    """The id that an earlier action of the same plan will have made; stands in a field or as an owner."""

    makes: Product


@dataclass(frozen=True, slots=True)
class CreateItem:
    """Make a card. `fields` carry originatorId and originId, by which apply looks before it repeats."""

    key: str
    entity: Entity
    fields: Mapping[str, Any]
    makes: Product


@dataclass(frozen=True, slots=True)
class UpdateItem:
    """Write fields that differ; never the stage."""

    key: str
    entity: Entity
    item_id: int | Ref
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MoveItem:
    """Move a card to a stage; `pipeline` too for deals, always both (api-reference/crm/universal/crm-item-update)."""

    key: str
    entity: Entity
    item_id: int
    stage: str
    pipeline: int | None = None


@dataclass(frozen=True, slots=True)
class AssignItem:
    """Give a card to another owner; the key names the assignment, so each one is carried out at most once."""

    key: str
    entity: Entity
    item_id: int
    user: int


@dataclass(frozen=True, slots=True)
class SetRows:
    """Put product rows on a card that has none."""

    key: str
    entity: Entity
    item_id: int | Ref
    rows: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class AddComment:
    """A timeline entry that a manager reads; BB-code, user text escaped."""

    key: str
    entity: Entity
    item_id: int | Ref
    text: str


@dataclass(frozen=True, slots=True)
class AddTodo:
    """One to-do in the card's timeline. `deadline` is ISO 8601 with the portal's offset; `digest` is of the asking."""

    key: str
    entity: Entity
    item_id: int
    title: str
    description: str
    responsible_id: int
    deadline: str
    digest: str


@dataclass(frozen=True, slots=True)
class CompleteTodo:
    """Close the to-do whose questions were answered."""

    key: str
    activity_id: int


@dataclass(frozen=True, slots=True)
class Notify:
    """A notification to one person; BB-code, user text escaped. It takes the place of an earlier one of its `tag`.

    That it was refused is written down and stops nothing: no card waits for a notification.
    """

    key: str
    user: int
    text: str
    tag: str


Action: TypeAlias = (
    CreateItem | UpdateItem | MoveItem | AssignItem | SetRows | AddComment | AddTodo | CompleteTodo | Notify
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is still to be written, in order; and in `held` why something wanted is left undone (people win…)."""

    actions: tuple[Action, ...] = ()
    held: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.actions)


_TODO_TEXTS = ("title", "description", "responsible_id", "deadline", "digest")


def action_to_json(action: Action) -> dict[str, Any]:
    """As stored with the run; `action_from_json` reads it back equal."""
    match action:
        case CreateItem(key, entity, fields, makes):
            rest = {"kind": "create", "entity": int(entity), "fields": _plain(fields), "makes": makes}
        case UpdateItem(key, entity, item_id, fields):
            rest = {"kind": "update", "entity": int(entity), "item_id": _plain(item_id), "fields": _plain(fields)}
        case MoveItem(key, entity, item_id, stage, pipeline):
            rest = {"kind": "move", "entity": int(entity), "item_id": item_id, "stage": stage, "pipeline": pipeline}
        case AssignItem(key, entity, item_id, user):
            rest = {"kind": "assign", "entity": int(entity), "item_id": item_id, "user": user}
        case SetRows(key, entity, item_id, rows):
            rest = {"kind": "rows", "entity": int(entity), "item_id": _plain(item_id), "rows": _plain(rows)}
        case AddComment(key, entity, item_id, text):
            rest = {"kind": "comment", "entity": int(entity), "item_id": _plain(item_id), "text": text}
        case AddTodo(key, entity, item_id):
            asked = {name: getattr(action, name) for name in _TODO_TEXTS}
            rest = {"kind": "todo", "entity": int(entity), "item_id": item_id, **asked}
        case CompleteTodo(key, activity_id):
            rest = {"kind": "complete_todo", "activity_id": activity_id}
        case Notify(key, user, text, tag):
            rest = {"kind": "notify", "user": user, "text": text, "tag": tag}
        case _:
            assert_never(action)
    return {"key": key, **rest}


def action_from_json(stored: Mapping[str, Any]) -> Action:
    """Read what `action_to_json` wrote. Raises ValueError on an unknown kind."""
    key = stored["key"]
    match stored["kind"]:
        case "create":
            return CreateItem(key, Entity(stored["entity"]), _deref(stored["fields"]), stored["makes"])
        case "update":
            return UpdateItem(key, Entity(stored["entity"]), _deref(stored["item_id"]), _deref(stored["fields"]))
        case "move":
            return MoveItem(key, Entity(stored["entity"]), stored["item_id"], stored["stage"], stored["pipeline"])
        case "assign":
            return AssignItem(key, Entity(stored["entity"]), stored["item_id"], stored["user"])
        case "rows":
            return SetRows(key, Entity(stored["entity"]), _deref(stored["item_id"]), tuple(_deref(stored["rows"])))
        case "comment":
            return AddComment(key, Entity(stored["entity"]), _deref(stored["item_id"]), stored["text"])
        case "todo":
            asked = {name: stored[name] for name in _TODO_TEXTS}
            return AddTodo(key, Entity(stored["entity"]), stored["item_id"], **asked)
        case "complete_todo":
            return CompleteTodo(key, stored["activity_id"])
        case "notify":
            return Notify(key, stored["user"], stored["text"], stored["tag"])
        case kind:
            raise ValueError(f"An action of kind {kind!r} is not known to this version of Ogon.")


def resolve(value: Any, made: Mapping[str, int]) -> Any:
    """Put made ids in the place of references. Raises KeyError when a referred-to card was not made."""
    return _walk(value, lambda leaf: made[leaf.makes] if isinstance(leaf, Ref) else leaf)


def _plain(value: Any) -> Any:
    return _walk(value, lambda leaf: {"$made": leaf.makes} if isinstance(leaf, Ref) else leaf)


def _deref(value: Any) -> Any:
    match value:
        case {"$made": makes}:
            return Ref(makes)
        case dict():
            return {name: _deref(item) for name, item in cast("dict[str, Any]", value).items()}
        case list():
            return [_deref(item) for item in cast("list[Any]", value)]
        case _:
            return value


def _walk(value: Any, leaf: Callable[[Any], Any]) -> Any:
    """JSON-shaped data with every leaf passed through `leaf`; tuples become lists, as JSON has them."""
    match value:
        case Mapping():
            return {name: _walk(item, leaf) for name, item in cast("Mapping[str, Any]", value).items()}
        case list() | tuple():
            return [_walk(item, leaf) for item in cast("list[Any]", value)]
        case _:
            return leaf(value)
