"""The people of a portal and what they see on its pages: they make cards, edit and move them, and look."""

from dataclasses import dataclass
from typing import Any

from app.sandbox.portal import SandboxPortal
from app.sandbox.samples import translated

LEAD, DEAL, CONTACT, COMPANY = 1, 2, 3, 4


@dataclass
class Office:
    """One portal as a person uses it."""

    portal: SandboxPortal

    def add(self, kind: int, user_id: int = 12, **fields: Any) -> int:
        """A person makes a card; list values by XML_ID, dates as days from now."""
        return self.portal.ui_add(kind, translated(self.portal, kind, fields), user_id)

    def edit(self, kind: int, item_id: int, user_id: int = 12, **fields: Any) -> bool:
        return self.portal.ui_update(kind, item_id, translated(self.portal, kind, fields), user_id)

    def item(self, kind: int, item_id: int) -> dict[str, Any]:
        return self.portal.item(kind, item_id)

    def lead(self, lead_id: int) -> dict[str, Any]:
        return self.portal.item(LEAD, lead_id)

    def deal_of(self, lead_id: int) -> dict[str, Any]:
        (deal,) = self.deals_of(lead_id)
        return deal

    def deals_of(self, lead_id: int) -> list[dict[str, Any]]:
        return [deal for deal in self.portal.items(DEAL) if deal["leadId"] == lead_id]

    def code(self, kind: int, item_id: int, name: str) -> str | None:
        """An enumeration of a card by XML_ID."""
        value = str(self.portal.item(kind, item_id).get(name))
        rows = self.portal.world.userfields.of(kind).values()
        codes = {str(o["ID"]): o["XML_ID"] for row in rows if row["FIELD_NAME"] == name for o in row["LIST"]}
        return codes.get(value)

    def verdict(self, lead_id: int) -> str | None:
        return self.code(LEAD, lead_id, "UF_CRM_OGON_VERDICT")

    def grade(self, deal_id: int) -> str | None:
        return self.code(DEAL, deal_id, "UF_CRM_OGON_GRADE")

    def semantics(self, kind: int, item_id: int) -> str:
        return self.portal.item(kind, item_id)["stageSemanticId"]

    def comments(self, kind: int, item_id: int) -> list[str]:
        return [row["COMMENT"] for row in self.portal.comments(kind, item_id)]

    def todos(self, kind: int, item_id: int, *, completed: str = "N") -> list[dict[str, Any]]:
        return [row for row in self.portal.activities(kind, item_id) if row["COMPLETED"] == completed]
