"""JSON and text as PostgreSQL can keep them.

Portals and senders of webhooks may hand us NUL characters and halves of surrogate pairs, which neither
jsonb nor text takes; one such letter must not lose a delivery, so it becomes U+FFFD. Used by the store only.
"""

import json
from typing import Any, cast


def json_text(value: Any) -> str:
    """`value` as JSON that jsonb accepts. Raises TypeError for what is not JSON, ValueError for NaN."""
    return json.dumps(storable(value), ensure_ascii=False, allow_nan=False)


def storable_text(text: str) -> str:
    """`text` without what PostgreSQL cannot keep."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "\ufffd")


def storable(value: Any) -> Any:
    """JSON values without what PostgreSQL cannot keep."""
    match value:
        case str():
            return storable_text(value)
        case dict():
            pairs = cast("dict[Any, Any]", value).items()
            return {storable(key) if isinstance(key, str) else key: storable(item) for key, item in pairs}
        case list() | tuple():
            return [storable(item) for item in cast("list[Any]", value)]
        case _:
            return value
