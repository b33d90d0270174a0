"""Reads the messages of open-line sessions that are new, changed, or open and not answered yet.

A step of the sweep, after the activities: they tell which sessions there are. One command to a session, fifty to a
request; a session whose number the portal does not print costs one more. Who wrote first stands in no list of the
portal (docs: imopenlines/openlines/sessions).
"""

from typing import Final

from app.bitrix24.errors import AccessDenied, NotFound, Rejected, ValidationFailed
from app.domain.chat_history import conversation_of, session_of_dialog
from app.pipeline.reads import together
from app.pipeline.sweep_round import BACKGROUND, Found, Round
from app.store import chats, histories
from app.store.chats import ReadChat, WantedChat

NAME: Final = "chat.messages"
_AT_ONCE: Final = 50
_MOST: Final = 500
"""Sessions to a round: ten requests. What is left waits for the next one."""
_OF_ONE: Final = (AccessDenied, NotFound, Rejected, ValidationFailed)
"""Refusals that concern one session; others of REFUSALS are about the method: a missing scope or module."""


async def read_chats(sweep: Round, found: Found) -> None:
    """Read the sessions that are wanted. Raises Bitrix24Error; what was read before it is kept."""
    began, left = sweep.now(), _MOST
    while left > 0:
        async with sweep.database.reading() as session:
            wanted = await chats.wanted(session, sweep.portal_id, before=began, limit=min(left, _AT_ONCE))
        if not wanted:
            break
        async with together() as group:
            asked = [group.create_task(_read(sweep, one)) for one in wanted]
        async with sweep.writing, sweep.database.writing() as session:
            await chats.keep(session, sweep.portal_id, [task.result() for task in asked], now=began)
        left -= len(wanted)
        found.seen += len(wanted)
        sweep.watch(found)


async def tell_history(sweep: Round, found: Found) -> None:
    """Keep since when chats are whole: as far back as activities, once every session was read."""
    async with sweep.database.writing() as session:
        if found.refused:
            await histories.refused(session, sweep.portal_id, histories.CHATS, why=found.error or "", now=sweep.now())
            return
        known = {one.source: one for one in await histories.of_portal(session, sweep.portal_id)}
        reached = known.get(histories.ACTIVITIES)
        waiting = await chats.never_read(session, sweep.portal_id)
        if found.error is None and not waiting and reached is not None and reached.whole_since is not None:
            since = reached.whole_since
            await histories.read(session, sweep.portal_id, histories.CHATS, since=since, now=sweep.now())


async def _read(sweep: Round, wanted: WantedChat) -> ReadChat:
    """Raises Bitrix24Error where it is not about this one session."""
    number = wanted.session_id
    try:
        if number is None and wanted.user_code is not None:
            asked = {"USER_CODE": wanted.user_code}
            number = session_of_dialog(await sweep.client.call("imopenlines.dialog.get", asked, lane=BACKGROUND))
        if number is None:
            return ReadChat(wanted, refused="The activity does not tell which session it is.")
        asked = {"SESSION_ID": number}
        answer = await sweep.client.call("imopenlines.session.history.get", asked, lane=BACKGROUND)
        return ReadChat(wanted, number, conversation_of(answer))
    except _OF_ONE as error:
        return ReadChat(wanted, number, refused=str(error))
    except ValueError as error:
        return ReadChat(wanted, number, refused=str(error))
