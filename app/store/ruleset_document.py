"""Rulesets as JSON documents: to be stored, exported, edited; and back, naming the path of each wrong value.

The domain keeps plain dataclasses; here pydantic reads and writes them. Called by the roots, web and pipeline.
"""

from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from app.domain.ruleset import Ruleset
from app.errors import OgonError

_adapter = TypeAdapter(Ruleset)


class RulesetInvalid(OgonError):  # noqa: N818 - reads as the state it is
    """A rule document is wrong. `problems` are (path, what is wrong) pairs, e.g. ("minimum.profit", "…")."""

    def __init__(self, problems: tuple[tuple[str, str], ...]) -> None:
        self.problems = problems
        listed = "; ".join(f"{path}: {what}" for path, what in problems)
        super().__init__(f"The ruleset was not taken, correct these values: {listed}")


def ruleset_to_document(ruleset: Ruleset) -> dict[str, Any]:
    """The ruleset as JSON values; numbers that must stay exact are texts."""
    return cast("dict[str, Any]", _adapter.dump_python(ruleset, mode="json"))


def ruleset_from_document(document: Any) -> Ruleset:
    """Read what `ruleset_to_document` wrote, or what a person edited. Raises RulesetInvalid."""
    try:
        return _adapter.validate_python(document)
    except ValidationError as error:
        problems = tuple(
            (".".join(str(part) for part in item["loc"]) or "the whole document", item["msg"])
            for item in error.errors(include_url=False, include_input=False)
        )
        raise RulesetInvalid(problems) from None
