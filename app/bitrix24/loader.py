"""Reads single cards, each asked for on its own, as few pages as possible (rule 2 of the client).

Callers ask for one card. While nobody's request slot has come up, equal asks join and the ids of one type gather;
when it comes, up to 50 of them become one `crm.item.list` page with `@id`, and 50 pages one batch: 2,500 cards a
request. A lone id goes as `crm.item.get`.

A read that is already on its way is not joined: it may have left the portal before the change the second caller has
just heard of, and a card judged on an old state would stay so until the sweep.

Fields equal those of `crm.item.get`: `select: ["*"]` gives all own and custom fields and `fm`, which cannot be named
(docs: CRM/universal/crm-item-list); both methods print an item the same way. Known difference: `crm.item.get`
answers ACCESS_DENIED for a card we may not see, the list leaves it out; so a card missing from a page is asked for
once more by `crm.item.get` before it counts as `NotFound`. Should a portal's lists print less than its `get` all the
same, `expect` notices: a card that lacks a field it must have is read once more, and if `get` knows better, cards of
that type go by `get` from then on. Never name fields in `select` together with
`useOriginalUfNames`: portals then answer empty rows.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from app.bitrix24.errors import Bitrix24Error, Closed, NotFound, ServerFault
from app.bitrix24.lanes import Lane
from app.bitrix24.lineup import Bind, Command
from app.bitrix24.protocol import PAGE, Answer, items_of
from app.bitrix24.stats import Stats

Card = dict[str, Any]
Ask = Callable[[Command], Awaitable[Answer]]
"""Sends one command with retries."""

Waiters = list["asyncio.Future[Card]"]
"""One for each caller, so that a caller who gives up takes nobody along."""

_GET: Final = "crm.item.get"
_LIST: Final = "crm.item.list"
_NAMES: Final = {"useOriginalUfNames": "Y"}


@dataclass(slots=True)
class _Gathering:
    """Cards of one type and lane that still wait for a request slot, each with those who wait for it."""

    wanted: dict[int, Waiters] = field(default_factory=dict[int, "Waiters"])
    pages_queued: int = 0


class Loader:
    """The reader of one portal's cards."""

    def __init__(self, ask: Ask, stats: Stats) -> None:
        self._ask = ask
        self._stats = stats
        self._gatherings: dict[int, dict[Lane, _Gathering]] = {}
        self._pages: set[asyncio.Task[None]] = set()
        self._expected: dict[int, frozenset[str]] = {}
        self._singly: set[int] = set()

    def expect(self, entity_type_id: int, names: frozenset[str]) -> None:
        """Fields that every card of a type has, known from elsewhere; by them a page that prints less is found out."""
        self._expected[entity_type_id] = names

    async def load(self, entity_type_id: int, item_id: int, lane: Lane) -> Card:
        """One card as `crm.item.get` gives it, custom fields by their original names. Raises `NotFound`."""
        self._stats.loads += 1
        waiting: asyncio.Future[Card] = asyncio.get_running_loop().create_future()
        waiters = self._waiters(entity_type_id, item_id, lane)
        if waiters is None:
            self._want(entity_type_id, item_id, lane, [waiting])
        else:
            self._stats.loads_joined += 1
            waiters.append(waiting)
        return await waiting

    async def aclose(self) -> None:
        """Give up the pages still on their way."""
        for task in self._pages:
            task.cancel()
        await asyncio.gather(*self._pages, return_exceptions=True)

    def _waiters(self, entity_type_id: int, item_id: int, lane: Lane) -> Waiters | None:
        """Those who wait for the same card already; a card that waits in a slower lane moves up with them."""
        for other, gathering in self._gatherings.get(entity_type_id, {}).items():
            waiters = gathering.wanted.get(item_id)
            if waiters is None:
                continue
            if other > lane:
                del gathering.wanted[item_id]
                self._want(entity_type_id, item_id, lane, waiters)
            return waiters
        return None

    def _want(self, entity_type_id: int, item_id: int, lane: Lane, waiters: Waiters) -> None:
        lanes = self._gatherings.setdefault(entity_type_id, {})
        gathering = lanes.get(lane)
        if gathering is None:
            gathering = lanes[lane] = _Gathering()
        gathering.wanted[item_id] = waiters
        self._queue_pages(gathering, entity_type_id, lane)

    def _queue_pages(self, gathering: _Gathering, entity_type_id: int, lane: Lane) -> None:
        while len(gathering.wanted) > gathering.pages_queued * self._page_size(entity_type_id):
            gathering.pages_queued += 1
            task = asyncio.create_task(self._page(gathering, entity_type_id, lane))
            self._pages.add(task)
            task.add_done_callback(self._pages.discard)

    async def _page(self, gathering: _Gathering, entity_type_id: int, lane: Lane) -> None:
        """One page: its ids are taken when its request is written."""
        taken: dict[int, Waiters] = {}
        bind = self._binding(gathering, entity_type_id, taken)
        try:
            answer = await self._ask(Command(_LIST, {}, lane, bind=bind))
            cards = _cards(answer.result)
            if len(taken) == 1 or await self._are_whole(entity_type_id, cards, lane):
                self._hand_out(cards, taken)
            missing = dict(taken)
            await asyncio.gather(*(self._confirm(entity_type_id, one, missing[one], lane) for one in missing))
        except Bitrix24Error as error:
            if not taken:  # never got as far as a request
                bind()
            for waiters in taken.values():
                _fail(waiters, error)
        finally:
            for waiters in taken.values():
                _fail(waiters, Closed("The client was closed before the card was read", method=_GET))

    def _binding(self, gathering: _Gathering, entity_type_id: int, taken: dict[int, Waiters]) -> Bind:
        def bind() -> tuple[str, Mapping[str, Any]] | None:
            gathering.pages_queued -= 1
            for item_id in list(gathering.wanted)[: self._page_size(entity_type_id)]:
                taken[item_id] = gathering.wanted.pop(item_id)
            return _question(entity_type_id, list(taken)) if taken else None

        return bind

    async def _are_whole(self, entity_type_id: int, cards: list[Card], lane: Lane) -> bool:
        """Whether the page prints what `crm.item.get` prints; asked of the portal only where a field is missing."""
        expected = self._expected.get(entity_type_id, frozenset())
        lacking = next((card for card in cards if not expected <= card.keys()), None)
        if lacking is None:
            return True
        answer = await self._ask(Command(*_question(entity_type_id, [_id_of(lacking)]), lane))
        if all(card.keys() & expected <= lacking.keys() for card in _cards(answer.result)):
            # The field is gone from the portal: nothing wrong with its lists.
            self._expected[entity_type_id] = expected & lacking.keys()
            return True
        self._singly.add(entity_type_id)
        for other, gathering in self._gatherings[entity_type_id].items():
            self._queue_pages(gathering, entity_type_id, other)
        return False

    def _page_size(self, entity_type_id: int) -> int:
        return 1 if entity_type_id in self._singly else PAGE

    def _hand_out(self, cards: list[Card], taken: dict[int, Waiters]) -> None:
        for card in cards:
            _give(taken.pop(_id_of(card), []), card)

    async def _confirm(self, entity_type_id: int, item_id: int, waiters: Waiters, lane: Lane) -> None:
        """A card the page did not hold: `crm.item.get` says whether it is gone or only hidden from lists."""
        try:
            answer = await self._ask(Command(*_question(entity_type_id, [item_id]), lane))
            cards = _cards(answer.result)
        except Bitrix24Error as error:
            _fail(waiters, error)
            return
        if cards:
            _give(waiters, cards[0])
        _fail(waiters, NotFound(f"Card {item_id} of type {entity_type_id} is not there", method=_GET))


def _question(entity_type_id: int, ids: list[int]) -> tuple[str, Mapping[str, Any]]:
    if len(ids) == 1:
        return _GET, {"entityTypeId": entity_type_id, "id": ids[0], **_NAMES}
    page = {"select": ["*"], "filter": {"@id": ids}, "order": {"id": "ASC"}, "start": -1}
    return _LIST, {"entityTypeId": entity_type_id, **page, **_NAMES}


def _cards(result: Any) -> list[Card]:
    """From `{"item": {...}}` or `{"items": [...]}`."""
    if isinstance(result, dict) and "item" in result:
        item = cast("dict[str, Any]", result)["item"]
        return [cast("Card", item)] if isinstance(item, dict) else []
    return [cast("Card", row) for row in items_of(result) if isinstance(row, dict)]


def _id_of(card: Card) -> int:
    try:
        return int(card["id"])
    except (KeyError, TypeError, ValueError):
        raise ServerFault("A card came back without its id", method=_LIST) from None


def _give(waiters: Waiters, card: Card) -> None:
    for waiting in waiters:
        if not waiting.done():
            waiting.set_result(card)


def _fail(waiters: Waiters, error: Bitrix24Error) -> None:
    for waiting in waiters:
        if not waiting.done():
            waiting.set_exception(error.again())
