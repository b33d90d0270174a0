"""`imopenlines.*`: a chat and the messages of its sessions (docs: imopenlines/openlines/sessions).

Also called by `SandboxPortal.ui_*`. That a session's number stands in ASSOCIATED_ENTITY_ID of its activity is as seen
in portals; the docs do not say.
"""

from typing import Any

from app.sandbox.errors import RestError
from app.sandbox.methods import activities
from app.sandbox.methods.base import Call, Method, Reply
from app.sandbox.state.openlines import BOT, CLIENT, SYSTEM, Session
from app.sandbox.wire import as_int
from app.sandbox.world import World

_LINE = 22
_FIRST_CHAT = 1700
_CARDS = {1: "LEAD", 2: "DEAL", 3: "CONTACT", 4: "COMPANY"}


def dialog_get(call: Call) -> Reply:
    session = _of_dialog(call)
    if session is None:
        raise RestError("ACCESS_ERROR", "You do not have access to the specified dialog")
    kind, card = session.owner
    began = int(call.world.time.stamp())
    links = "|".join(f"{name}|{card if one == kind else 0}" for one, name in _CARDS.items())
    return Reply(
        {
            "id": session.chat_id,
            "type": "lines",
            "message_count": len(session.messages),
            "entity_type": "LINES",
            "entity_id": user_code(session.chat_id),
            "entity_data_1": f"Y|{_CARDS.get(kind, 'NONE')}|{card}|N|N|{session.id}|{began}|0|0|0",
            "entity_data_2": links,
            "entity_data_3": "N",
            "dialog_id": f"chat{session.chat_id}",
        }
    )


def history_get(call: Call) -> Reply:
    lines, params = call.world.openlines, call.legacy()
    number, chat = as_int(params.get("session_id")), as_int(params.get("chat_id"))
    if not number and not chat:
        raise RestError("MISSING_REQUIRED_PARAM", "Session ID or Chat ID must be provided")
    session = lines.sessions.get(number) if number else lines.of_chat(chat or 0)
    if session is None:
        raise RestError("ACCESS_DENIED", "You cannot open this conversation as you do not have sufficient rights", 403)
    senders = {int(message["senderid"]) for message in session.messages.values()} - {SYSTEM}
    return Reply(
        {
            "chatId": session.chat_id,
            "sessionId": session.id,
            "userId": f"chat{session.chat_id}",
            "message": session.messages or [],
            "usersMessage": {f"chat{session.chat_id}": list(reversed(session.messages))},
            "users": {str(one): _user(one) for one in sorted(senders)} or [],
        }
    )


def begin(world: World, owner: tuple[int, int], *, chat_id: int | None, told: bool, user_id: int) -> int:
    """A session begins; its activity's id. Not `told`: the activity names only the chat, not the session's number."""
    lines = world.openlines
    number = max(lines.sessions, default=320) + 1
    chat = chat_id or _FIRST_CHAT + number
    fields: dict[str, Any] = {
        "TYPE_ID": "6",
        "PROVIDER_ID": "IMOPENLINES_SESSION",
        "PROVIDER_TYPE_ID": str(_LINE),
        "DIRECTION": "1",
        "IS_INCOMING_CHANNEL": "Y",
        "SUBJECT": "Chat",
        "ASSOCIATED_ENTITY_ID": str(number) if told else "0",
        "PROVIDER_PARAMS": {"USER_CODE": user_code(chat)},
    }
    activity_id = activities.record(world, owner, fields, user_id=user_id)
    lines.sessions[number] = Session(number, chat, activity_id, owner)
    return activity_id


def write(world: World, activity_id: int, sender: int, text: str) -> None:
    """Somebody writes into the session of this activity: no event reaches a webhook, the activity stays as it is."""
    lines = world.openlines
    session = next(one for one in lines.sessions.values() if one.activity_id == activity_id)
    number = str(lines.next_message)
    lines.next_message += 2
    session.messages[number] = {
        "id": number,
        "chatid": str(session.chat_id),
        "senderid": str(sender),
        "recipientid": f"chat{session.chat_id}",
        "date": world.time.text(),
        "text": text,
        "textlegacy": text,
        "params": [],
    }


def user_code(chat_id: int) -> str:
    return f"livechat|{_LINE}|{chat_id}|{CLIENT}"


def _of_dialog(call: Call) -> Session | None:
    lines, params = call.world.openlines, call.legacy()
    if number := as_int(params.get("session_id")):
        return lines.sessions.get(number)
    told = str(params.get("dialog_id") or "").removeprefix("chat") or str(params.get("user_code") or "||").split("|")[2]
    return lines.of_chat(as_int(params.get("chat_id")) or as_int(told) or 0)


def _user(user_id: int) -> dict[str, Any]:
    return {
        "id": str(user_id),
        "active": True,
        "bot": user_id == BOT,
        "connector": user_id == CLIENT,
        "extranet": user_id == CLIENT,
        "externalAuthId": "imconnector" if user_id == CLIENT else "bot" if user_id == BOT else "socservices",
        "type": "bot" if user_id == BOT else "user",
    }


METHODS = {
    "imopenlines.dialog.get": Method(dialog_get, "imopenlines"),
    "imopenlines.session.history.get": Method(history_get, "imopenlines"),
}
