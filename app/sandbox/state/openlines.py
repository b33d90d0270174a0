"""Open lines: chats with clients, their sessions and messages (docs: imopenlines/openlines)."""

from dataclasses import dataclass, field
from typing import Any

CLIENT, BOT, SYSTEM = 901, 902, 0
"""Who writes in a chat besides the portal's people: the client's messenger, the line's bot, the line itself."""


@dataclass(slots=True)
class Session:
    """One talk in a chat. `owner`: entityTypeId and id of the main card."""

    id: int
    chat_id: int
    activity_id: int
    owner: tuple[int, int]
    messages: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])


@dataclass(slots=True)
class OpenLines:
    """All sessions by id; a chat is in the last of its sessions."""

    sessions: dict[int, Session] = field(default_factory=dict[int, Session])
    next_message: int = 85_801

    def of_chat(self, chat_id: int) -> Session | None:
        return next((one for one in reversed(self.sessions.values()) if one.chat_id == chat_id), None)
