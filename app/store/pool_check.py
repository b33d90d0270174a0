"""A pool beside what is known of its portal: whether its people work there, and whether it could ever take a card.

Called by the API and the CLI before a pool is set. What the portal does not let us read cannot be compared and is let
through.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from app.domain.messages import Message, message
from app.domain.snapshot import Entity, PortalDictionary
from app.domain.team import Person
from app.store import dictionary, people
from app.store.database import ReadSession
from app.store.pool_document import PoolDocument


@dataclass(frozen=True, slots=True)
class Fault:
    """A value that cannot be; `path` names it within the document."""

    path: str
    said: Message


async def faults(session: ReadSession, portal_id: int, entity: Entity, document: PoolDocument) -> list[Fault]:
    """Every value that cannot be, in the order of the document."""
    kept = await dictionary.load(session, portal_id)
    found = _of_people(document, await people.people(session, portal_id))
    known = await people.departments(session, portal_id)
    for number, department in enumerate(document.takes.departments if known else ()):
        if department not in known:
            said = message("The portal has no department {id}: take it out.", id=str(department))
            found.append(Fault(f"takes.departments.{number}", said))
    found += _of_kind(entity, document)
    return found + (_of_portal(document, kept.dictionary) if kept else [])


def _of_people(document: PoolDocument, known: Mapping[int, Person]) -> list[Fault]:
    if not known:
        return []
    named = [(f"members.{number}.user", one.user) for number, one in enumerate(document.members)]
    named += [("head", document.head)] if document.head is not None else []
    found = [Fault(path, _not_at_work(user)) for path, user in named if user not in known or not known[user].active]
    # Cards of those who left are the very ones to be shared out.
    for number, user in enumerate(document.takes.from_users):
        if user not in known:
            found.append(Fault(f"takes.from_users.{number}", message("The portal has no user {id}.", id=str(user))))
    return found


def _not_at_work(user: int) -> Message:
    return message("The portal has no user {id} who works there: take the number from the user's page.", id=str(user))


def _of_kind(entity: Entity, document: PoolDocument) -> list[Fault]:
    takes = document.takes
    if entity is Entity.LEAD:
        strange = {"takes.grades": takes.grades, "takes.pipelines": takes.pipelines}
        said = message("Leads have no grades and no pipelines: leave it empty, or make a pool for deals.")
    else:
        strange = {"takes.outcomes": takes.outcomes}
        said = message("Outcomes are of leads: leave it empty, or make a pool for leads.")
    return [Fault(path, said) for path, values in strange.items() if values]


def _of_portal(document: PoolDocument, known: PortalDictionary) -> list[Fault]:
    pipelines = {stage.pipeline for stage in known.stages if stage.entity is Entity.DEAL}
    found = [
        Fault(f"takes.pipelines.{number}", message("The portal has no pipeline {id}.", id=str(pipeline)))
        for number, pipeline in enumerate(document.takes.pipelines)
        if pipeline not in pipelines
    ]
    return found + [
        Fault(f"takes.sources.{number}", message("The portal has no source {code}.", code=source))
        for number, source in enumerate(document.takes.sources)
        if known.sources and source not in known.sources
    ]
