"""What the emulated portal answers when it refuses a call. Raised by methods, turned into bodies by `rest`."""

from typing import Any


class RestError(Exception):
    """A refusal as the portal words it: HTTP status, `error`, `error_description`.

    `code` is empty for the legacy CRM methods, whose errors are text only (docs: crm/leads/crm-lead-get).
    """

    def __init__(self, code: str | int, description: str, status: int = 400) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description
        self.status = status

    def body(self) -> dict[str, Any]:
        return {"error": self.code, "error_description": self.description}


class FieldError(Exception):
    """A value that a field cannot hold; each API family words it in its own way."""

    def __init__(self, field: str, *, scalar_type: str | None = None) -> None:
        super().__init__(field)
        self.field = field
        self.scalar_type = scalar_type


class RequiredError(Exception):
    """A mandatory field is empty; carries the upper-case field names."""

    def __init__(self, fields: list[str]) -> None:
        super().__init__(", ".join(fields))
        self.fields = fields
