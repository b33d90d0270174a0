"""Rule documents that people send: looked at against the portal as it was last read, and refused with every reason.

Called by the API wherever a draft comes in. Reads only.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from pydantic import BaseModel, Field

from app.domain.check_ruleset import WHOLE
from app.domain.messages import Say, message
from app.domain.ruleset import Ruleset
from app.domain.ruleset_checks.remark import Remark
from app.store import dictionary
from app.store.database import ReadSession
from app.store.json_text import storable
from app.store.ruleset_document import Examined, examine
from app.web.problems import WebProblem

_MOST_TOLD = 500


class RuleRemark(BaseModel):
    """Something to say about one value of a rule document."""

    path: str = Field(description="Where, e.g. `client.0.number`; empty for the document as a whole.")
    message: str = Field(description="What is the matter and what to do, in the reader's language.")


@dataclass(frozen=True, slots=True)
class Draft:
    """A document that was looked at. `portal_read_at`: as of when the portal's stages and fields are known."""

    examined: Examined
    portal_read_at: datetime | None

    def ruleset(self, say: Say) -> Ruleset:
        """The rules of the document. Raises WebProblem with each wrong value."""
        if self.examined.ruleset is None:
            raise refused(self.examined.wrong, say)
        return self.examined.ruleset


async def draft(session: ReadSession, portal_id: int, document: Any) -> Draft:
    """Look at a document that came as JSON."""
    kept = await dictionary.load(session, portal_id)
    try:
        examined = examine(storable(document), kept.dictionary if kept else None)
    except RecursionError:
        deep = Remark(WHOLE, message("The document is nested too deeply to be rules."))
        examined = Examined(None, (deep,))
    return Draft(examined, kept.read_at if kept else None)


def told(remarks: Iterable[Remark], say: Say) -> list[RuleRemark]:
    """The first remarks, more than anybody would read, in the reader's language."""
    return [RuleRemark(path=remark.path, message=say(remark.said)) for remark in islice(remarks, _MOST_TOLD)]


def refused(wrong: tuple[Remark, ...], say: Say) -> WebProblem:
    """The refusal that names every wrong value; the version in force stays."""
    said = message(
        "The rules were not taken, and those in force stay: {count} values are wrong, see `wrong`.", count=len(wrong)
    )
    more = {"wrong": [one.model_dump() for one in told(wrong, say)]}
    return WebProblem(422, "rules_invalid", said, path=wrong[0].path or None, more=more)
