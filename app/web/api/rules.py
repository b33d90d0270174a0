"""`/api/v1/rules`: the rules in force, their versions and differences; checking, publishing, rolling back.

A version is never changed: publishing and rolling back add the next one, for whoever edited the version in force.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.domain.messages import Say, message
from app.domain.ruleset import DEFAULT, Ruleset
from app.domain.ruleset_checks.remark import Remark, warning
from app.domain.ruleset_diff import Change, differences
from app.store import rulesets
from app.store.database import ReadSession
from app.store.portals import Portal
from app.store.rules_in_force import FIRST_AUTHOR, FIRST_REASON
from app.store.ruleset_document import DOCUMENT_CONFIG, RulesetDocument, kept_ruleset, ruleset_to_document
from app.store.rulesets import RulesetConflict, RulesetVersion
from app.texts import catalogue
from app.web.access import AsAdmin
from app.web.api.queries import Limit, WhichPortal
from app.web.asking import portal_asked
from app.web.drafts import Draft, RuleRemark, draft, told
from app.web.problems import ProblemAnswer, WebProblem
from app.web.rendering import language_of
from app.web.state import Web, WebState

router = APIRouter(prefix="/rules", tags=["rules"], responses={404: {"model": ProblemAnswer}})

_LAST_VERSION = 2**31 - 2
_ETAG = re.compile(r'(?:W/)?"?([0-9]{1,10})"?')

Reason = Annotated[
    str, Field(min_length=1, max_length=1000, pattern=r"\S", description="Why the rules change; kept with the version.")
]
BasedOn = Annotated[int, Field(ge=0, le=_LAST_VERSION)]
_BASED_ON = "The version that was edited, else the header If-Match. If another is in force by now, the answer is 409."
IfMatch = Annotated[
    str | None, Header(description='The ETag of the version that was edited, e.g. `"3"`; or say it as `based_on`.')
]


class VersionLine(BaseModel):
    """One version of the rules without the rules."""

    portal: int = Field(description="Our number of the portal.")
    version: int = Field(description="0: nothing is published yet, and the defaults are in force.")
    author: str
    reason: str
    published_at: datetime | None
    based_on: int | None = Field(description="The version it was made from; null for the first.")
    restores: int | None = Field(description="The older version that it published anew, if it rolled back.")


class VersionPage(BaseModel):
    """Versions, the newest first."""

    items: list[VersionLine]
    next_before: int | None = Field(description="Give it as `before` for the next page; null on the last one.")


class Rules(VersionLine):
    """One version with its rules."""

    model_config = DOCUMENT_CONFIG

    document: RulesetDocument


class RuleChange(BaseModel):
    """One difference between two versions."""

    path: str = Field(description="Where the value stands, or where it stood if it is gone.")
    before: Any = Field(serialization_alias="from", description="JSON as in the document; null also where nothing was.")
    after: Any = Field(serialization_alias="to", description="JSON as in the document; null also where nothing is.")
    said: str = Field(description="The same for people, in the reader's language.")


class Difference(BaseModel):
    """What changed from one version to another."""

    before: int = Field(serialization_alias="from")
    after: int = Field(serialization_alias="to")
    changes: list[RuleChange]


class DraftRules(BaseModel):
    """A document to be looked at."""

    model_config = DOCUMENT_CONFIG

    document: RulesetDocument = Field(description="The rules. Keys that are left out have their defaults.")


class NewRules(DraftRules):
    """A document to be published."""

    reason: Reason
    based_on: BasedOn | None = Field(default=None, description=_BASED_ON)


class RollBack(BaseModel):
    """An older version to be published anew."""

    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=1, le=_LAST_VERSION, description="The older version.")
    reason: Reason
    based_on: BasedOn | None = Field(default=None, description=_BASED_ON)


class Checked(BaseModel):
    """What there is to say about a draft."""

    valid: bool = Field(description="Whether it could be published.")
    wrong: list[RuleRemark] = Field(description="What keeps it from being published.")
    warnings: list[RuleRemark] = Field(description="What is probably not meant, but would be published.")
    current: int = Field(description="The version in force that it was compared with.")
    changes: list[RuleChange] = Field(description="What it would change; empty while anything is wrong.")
    portal_read_at: datetime | None = Field(
        description="As of when the portal's stages, fields and lists are known; null: never read."
    )


class Published(Rules):
    """The version that is in force now."""

    warnings: list[RuleRemark]
    changes: list[RuleChange] = Field(description="What it changed in the version before.")


@router.get("")
async def rules_in_force(web: Web, response: Response, *, portal: WhichPortal = None) -> Rules:
    """The rules in force. The ETag is the version, to be given back when they are published after editing."""
    async with web.database.reading() as session:
        where = await portal_asked(session, portal)
        version, ruleset = await _current(session, where)
    response.headers["ETag"] = _etag(version.version)
    return Rules(**_line(version).model_dump(), document=ruleset)


@router.get("/versions")
async def list_versions(
    web: Web,
    *,
    limit: Limit = 50,
    before: Annotated[int | None, Query(ge=1, le=_LAST_VERSION, description="Only older than this version.")] = None,
    portal: WhichPortal = None,
) -> VersionPage:
    """All versions, the newest first: who published them, when and why."""
    async with web.database.reading() as session:
        where = await portal_asked(session, portal)
        found = await rulesets.history(session, where.id, limit=limit, before=before)
    return VersionPage(
        items=[_line(version) for version in found],
        next_before=found[-1].version if len(found) == limit and found[-1].version > 1 else None,
    )


@router.get("/versions/{version}")
async def one_version(
    web: Web,
    response: Response,
    *,
    version: Annotated[int, Path(ge=1, le=_LAST_VERSION)],
    portal: WhichPortal = None,
) -> Rules:
    """One version with its rules, as this release of Ogon reads them."""
    async with web.database.reading() as session:
        where = await portal_asked(session, portal)
        found = await _version(session, where, version, path="version")
    response.headers["ETag"] = _etag(version)
    return Rules(**_line(found).model_dump(), document=kept_ruleset(found.document, found.version))


@router.get("/diff")
async def difference(
    web: Web,
    request: Request,
    *,
    before: Annotated[int, Query(alias="from", ge=1, le=_LAST_VERSION, description="The version to start from.")],
    after: Annotated[
        int | None, Query(alias="to", ge=1, le=_LAST_VERSION, description="The other version; in force if left out.")
    ] = None,
    portal: WhichPortal = None,
) -> Difference:
    """What differs between two versions, value by value."""
    async with web.database.reading() as session:
        where = await portal_asked(session, portal)
        old = await _version(session, where, before, path="from")
        new = (await _current(session, where))[0] if after is None else await _version(session, where, after, path="to")
    changes = differences(kept_ruleset(old.document, old.version), kept_ruleset(new.document, new.version))
    return Difference(before=old.version, after=new.version, changes=_changes(changes, _say(request)))


@router.post("/check")
async def check_rules(web: Web, request: Request, wanted: DraftRules, *, portal: WhichPortal = None) -> Checked:
    """Look at a draft without publishing it: every wrong value, every warning, what it would change."""
    say = _say(request)
    async with web.database.reading() as session:
        where = await portal_asked(session, portal)
        looked_at = await draft(session, where.id, wanted.document)
        version, current = await _current(session, where)
    examined = looked_at.examined
    changes = differences(current, examined.ruleset) if examined.ruleset else []
    return Checked(
        valid=examined.ruleset is not None,
        wrong=told(examined.wrong, say),
        warnings=told(_warnings(looked_at, changes, version.version), say),
        current=version.version,
        changes=_changes(changes, say),
        portal_read_at=looked_at.portal_read_at,
    )


@router.post("", status_code=201, responses={409: {"model": ProblemAnswer}})
async def publish_rules(
    web: Web,
    request: Request,
    response: Response,
    caller: AsAdmin,
    wanted: NewRules,
    *,
    if_match: IfMatch = None,
    portal: WhichPortal = None,
) -> Published:
    """Publish a document as the next version, in force from the next card on.

    422 tells the path of every wrong value, and 409 what somebody else changed meanwhile; nothing is published then.
    """
    based_on = _based_on(if_match, wanted.based_on, wanted.document)
    async with web.database.reading() as session:
        where = await portal_asked(session, portal)
        looked_at = await draft(session, where.id, wanted.document)
    return await _publish(
        web,
        where,
        looked_at,
        say=_say(request),
        response=response,
        based_on=based_on,
        author=caller.name,
        reason=wanted.reason,
    )


@router.post("/rollback", status_code=201, responses={409: {"model": ProblemAnswer}})
async def roll_back(
    web: Web,
    request: Request,
    response: Response,
    caller: AsAdmin,
    wanted: RollBack,
    *,
    if_match: IfMatch = None,
    portal: WhichPortal = None,
) -> Published:
    """Publish an older version anew, as the next one. It is checked like any other: the portal may have changed."""
    based_on = _based_on(if_match, wanted.based_on, None)
    async with web.database.reading() as session:
        where = await portal_asked(session, portal)
        old = await _version(session, where, wanted.version, path="body.version")
        if (await _current(session, where))[0].version == wanted.version:
            said = message("Version {version} is in force already.", version=str(wanted.version))
            raise WebProblem(422, "already_in_force", said, path="body.version")
        document = ruleset_to_document(kept_ruleset(old.document, old.version))
        looked_at = await draft(session, where.id, document)
    return await _publish(
        web,
        where,
        looked_at,
        say=_say(request),
        response=response,
        based_on=based_on,
        author=caller.name,
        reason=wanted.reason,
        restores=wanted.version,
    )


async def _publish(
    web: WebState,
    where: Portal,
    looked_at: Draft,
    *,
    say: Say,
    response: Response,
    based_on: int,
    author: str,
    reason: str,
    restores: int | None = None,
) -> Published:
    ruleset = replace(looked_at.ruleset(say), version=based_on + 1)
    try:
        async with web.database.writing() as session:
            _, before = await _current(session, where)
            published = await rulesets.publish(
                session,
                portal_id=where.id,
                edited_version=based_on,
                document=ruleset_to_document(ruleset),
                author=author,
                reason=reason,
                restores=restores,
            )
    except RulesetConflict as conflict:
        raise await _conflict(web, where, conflict, based_on=based_on, say=say) from conflict
    changes = differences(before, ruleset)
    response.headers["ETag"] = _etag(published.version)
    return Published(
        **_line(published).model_dump(),
        document=ruleset,
        warnings=told(_warnings(looked_at, changes, based_on), say),
        changes=_changes(changes, say),
    )


async def _conflict(web: WebState, where: Portal, conflict: RulesetConflict, *, based_on: int, say: Say) -> WebProblem:
    """What is in force, and what was changed since the version that was edited."""
    async with web.database.reading() as session:
        edited = await rulesets.get(session, where.id, based_on)
        version, current = await _current(session, where)
    changes = differences(kept_ruleset(edited.document, edited.version), current) if edited else []
    if edited is None:
        said = message(
            "There is no version {edited} to be based on: version {current} is in force.",
            edited=str(based_on),
            current=str(version.version),
        )
    else:
        said = message(
            "Version {current} of the rules was published while version {edited} was being edited: "
            "look at `changes`, and apply your change to it.",
            edited=str(based_on),
            current=str(conflict.current),
        )
    more = {
        "current": version.version,
        "changes": [change.model_dump(by_alias=True) for change in _changes(changes, say)],
    }
    return WebProblem(409, "rules_changed", said, path="based_on", more=more)


async def _current(session: ReadSession, where: Portal) -> tuple[RulesetVersion, Ruleset]:
    """The version in force; number 0 with the defaults where none is published yet."""
    version = await rulesets.current(session, where.id)
    if version is not None:
        return version, kept_ruleset(version.document, version.version)
    none = RulesetVersion(
        portal_id=where.id,
        version=0,
        document=ruleset_to_document(DEFAULT),
        author=FIRST_AUTHOR,
        reason=FIRST_REASON,
        created_at=where.created_at,
        restores=None,
    )
    return none, replace(DEFAULT, version=0)


async def _version(session: ReadSession, where: Portal, number: int, *, path: str) -> RulesetVersion:
    found = await rulesets.get(session, where.id, number)
    if found is None:
        said = message("There is no version {version} of the rules.", version=str(number))
        raise WebProblem(404, "version_unknown", said, path=path)
    return found


def _based_on(if_match: str | None, based_on: int | None, document: Any) -> int:
    """The version that was edited: by the header, the body, or the document itself. Raises WebProblem."""
    told_by_header = _ETAG.fullmatch(if_match.strip()) if if_match else None
    if if_match and told_by_header is None:
        said = message('If-Match has to be the ETag of the version that was edited, like "3".')
        raise WebProblem(422, "invalid_value", said, path="header.if-match")
    given = {number for number in (int(told_by_header[1]) if told_by_header else None, based_on) if number is not None}
    if len(given or (given := _named_in(document))) != 1:
        said = message("Say which version was edited, once: as `based_on` or as If-Match.")
        raise WebProblem(422, "invalid_value", said, path="body.based_on")
    return min(*given, _LAST_VERSION)


def _named_in(document: Any) -> set[int]:
    """The version that an exported document says it was made from."""
    match document:
        case {"version": int(number)} if not isinstance(number, bool) and 0 <= number <= _LAST_VERSION:
            return {number}
        case _:
            return set()


def _warnings(looked_at: Draft, changes: Sequence[Change], current: int) -> list[Remark]:
    if changes or looked_at.examined.ruleset is None:
        return list(looked_at.examined.warnings)
    same = warning("", message("Nothing differs from version {version}.", version=str(current)))
    return [*looked_at.examined.warnings, same]


def _line(version: RulesetVersion) -> VersionLine:
    return VersionLine(
        portal=version.portal_id,
        version=version.version,
        author=version.author,
        reason=version.reason,
        published_at=version.created_at if version.version else None,
        based_on=version.based_on,
        restores=version.restores,
    )


def _changes(changes: Sequence[Change], say: Say) -> list[RuleChange]:
    return [RuleChange(path=one.path, before=one.before, after=one.after, said=say(one.said)) for one in changes]


def _etag(version: int) -> str:
    return f'"{version}"'


def _say(request: Request) -> Say:
    return catalogue(language_of(request)).say
