"""Says in plain words what a portal lacks for Ogon to work, and what to do about each thing.

Called by `ogon portal check` and the demo. Reads only. Whether a finding ends the command with an error is the
caller's; PROBLEM means that cards would be judged wrongly or not at all, WARNING that something is lost.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from app.bitrix24.client import PortalClient
from app.bitrix24.errors import (
    AccessDenied,
    Bitrix24Error,
    InvalidCredentials,
    PaymentRequired,
    PortalDeleted,
    Temporary,
)
from app.domain.messages import Message, message
from app.domain.snapshot import Entity, Semantics, Stage
from app.pipeline.dictionary import ROUBLE, rates_of, read_currencies, read_statuses, stages_of
from app.pipeline.portal_fields import FIELDS
from app.pipeline.provision import Fields, Problem, problems_of, read_fields
from app.pipeline.reads import listing, mapping, number, optional, rows, together

_SIMPLE_MODE: Final = 2
"""Leads are off: each new lead becomes a deal at once (api-reference/crm/crm-settings-mode-get)."""


class Mark(Enum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at; `said` tells what was found and, unless it is in order, what to do."""

    mark: Mark
    said: Message


async def check(client: PortalClient, *, pipelines: Collection[int] = (0,)) -> list[Check]:
    """Everything found, in the order in which to mend it. `pipelines`: those that deals are routed to.

    Raises nothing of the portal's: one that cannot be reached is a finding too.
    """
    found: list[Check] = []
    try:
        async with together() as group:
            profile = group.create_task(client.call("profile", {}))
            granted = group.create_task(client.call("scope", {}))
        scopes = frozenset(str(scope) for scope in listing(granted.result()))
        found += [*_owner(mapping(profile.result())), *_scopes(scopes)]
        if "crm" in scopes:
            found += await _crm(client, pipelines)
    except Bitrix24Error as error:
        found.append(Check(Mark.PROBLEM, _unusable(error)))
    return found


def _unusable(error: Bitrix24Error) -> Message:
    match error:
        case Temporary():
            return message(
                "The portal does not answer ({reason}). Check its address and the network.", reason=_why(error)
            )
        case InvalidCredentials():
            return message(
                "The portal does not accept the webhook: it was deleted, regenerated or has expired, or its owner was "
                "dismissed. Make a new incoming webhook and put its URL into the settings."
            )
        case PaymentRequired():
            return message("The portal's plan or subscription has ended, so REST is closed. Renew it.")
        case PortalDeleted():
            return message("The portal was deleted or is closed. Check that it still exists and is open.")
        case AccessDenied():
            return message(
                "The portal refuses REST calls ({reason}). REST is part of paid plans: check the portal's plan.",
                reason=_why(error),
            )
        case _:
            return message("The portal refuses the webhook: {reason}", reason=str(error))


def _why(error: Bitrix24Error) -> str:
    return error.code or error.detail


def _owner(profile: Mapping[str, Any]) -> list[Check]:
    owner = number(profile.get("ID"))
    if not owner:
        return [
            Check(
                Mark.PROBLEM,
                message("The webhook's owner is not an active user. Make a webhook as a user who works in the portal."),
            )
        ]
    works = Check(Mark.OK, message("The webhook works; it acts as user {user}.", user=str(owner)))
    if profile.get("ADMIN") in (True, "Y", "true", 1, "1"):
        return [works, Check(Mark.OK, message("The webhook's owner is an administrator."))]
    return [
        works,
        Check(
            Mark.PROBLEM,
            message(
                "The webhook's owner is not an administrator: he sees only some of the cards and cannot create fields. "
                "Make the webhook as an administrator."
            ),
        ),
    ]


def _scopes(granted: frozenset[str]) -> list[Check]:
    found: list[Check] = []
    if "crm" not in granted:
        found.append(
            Check(
                Mark.PROBLEM,
                message(
                    "The webhook lacks the permission “crm”: nothing can be judged. Tick it in the webhook's settings."
                ),
            )
        )
    for names, lost in _optional_scopes():
        if granted.isdisjoint(names):
            said = message(
                "The webhook lacks the permission “{scope}”: {lost}. Tick it in the webhook's settings.",
                scope=names[0],
                lost=lost,
            )
            found.append(Check(Mark.WARNING, said))
    return found or [Check(Mark.OK, message("The webhook has all permissions."))]


def _optional_scopes() -> tuple[tuple[tuple[str, ...], Message], ...]:
    """Each with the scopes that stand in for it, and what is lost without."""
    return (
        (("user", "user_basic", "user_brief"), message("names of people and heads of departments are not known")),
        (("department",), message("reviews go to the responsible person, not to the head of the department")),
        (("calendar",), message("the portal's working hours are not known, only those set in Ogon")),
        (("catalog",), message("sections of products cannot be read, so rules by section stay undecided")),
        (("im",), message("nobody is notified in the messenger")),
        (("telephony",), message("calls do not count as a reaction")),
        (("task", "tasks"), message("no tasks can be set")),
    )


async def _crm(client: PortalClient, pipelines: Collection[int]) -> list[Check]:
    async with together() as group:
        mode = group.create_task(optional(client.call("crm.settings.mode.get", {})))
        fields = group.create_task(optional(read_fields(client)))
        statuses = group.create_task(optional(read_statuses(client)))
        readable = group.create_task(optional(client.call("crm.category.list", {"entityTypeId": int(Entity.DEAL)})))
        currencies = group.create_task(optional(read_currencies(client)))
    seen = {number(row.get("id")) for row in rows(readable.result(), "categories")}
    return [
        _leads(mode.result()),
        *_fields(fields.result()),
        *_stages(statuses.result(), pipelines),
        *_pipelines(seen if readable.result() is not None else set(), pipelines),
        _currency(currencies.result()),
    ]


def _leads(mode: object) -> Check:
    if mode is None:
        return Check(Mark.WARNING, message("The portal does not say whether leads are switched on. Check it by hand."))
    if number(mode) == _SIMPLE_MODE:
        return Check(
            Mark.PROBLEM,
            message(
                "Leads are switched off in the portal, so there is nothing to judge. Switch on the CRM mode with leads."
            ),
        )
    return Check(Mark.OK, message("Leads are switched on."))


def _fields(fields: Fields | None) -> list[Check]:
    if fields is None:
        return [
            Check(Mark.PROBLEM, message("The custom fields cannot be read. Give the webhook's owner access to CRM."))
        ]
    problems = problems_of(fields)
    if not problems:
        return [Check(Mark.OK, message("All {count} fields of Ogon are in place.", count=len(FIELDS)))]
    return [
        Check(Mark.PROBLEM, message("{problem}. {advice}", problem=problem.said, advice=_advice(problem)))
        for problem in problems
    ]


def _advice(problem: Problem) -> Message:
    if problem.mendable:
        return message("Run `ogon portal provision`.")
    return message("Ogon never changes it: delete the field or point the rules at another one.")


def _stages(statuses: list[Mapping[str, Any]] | None, pipelines: Iterable[int]) -> list[Check]:
    if statuses is None:
        return [Check(Mark.PROBLEM, message("The stages cannot be read. Give the webhook's owner access to CRM."))]
    stages = stages_of(statuses)
    found = _missing_stages(stages, Entity.LEAD, 0)
    for pipeline in pipelines:
        found += _missing_stages(stages, Entity.DEAL, pipeline)
    return found or [Check(Mark.OK, message("Leads and deals have their stages."))]


def _missing_stages(stages: Iterable[Stage], entity: Entity, pipeline: int) -> list[Check]:
    present = {stage.semantics for stage in stages if (stage.entity, stage.pipeline) == (entity, pipeline)}
    needed: tuple[Semantics, ...] = ("process", "success", "failure")
    return [Check(Mark.PROBLEM, _stage_missing(entity, pipeline, kind)) for kind in needed if kind not in present]


def _stage_missing(entity: Entity, pipeline: int, kind: Semantics) -> Message:
    words = {
        "process": message("stage of work in progress"),
        "success": message("successful stage"),
        "failure": message("failed stage"),
    }
    if entity is Entity.LEAD:
        return message("Leads have no {stage}. Add one in the CRM settings.", stage=words[kind])
    return message(
        "Deal pipeline {pipeline} has no {stage}. Add one in the CRM settings.",
        pipeline=str(pipeline),
        stage=words[kind],
    )


def _pipelines(seen: Collection[int], pipelines: Iterable[int]) -> list[Check]:
    return [
        Check(Mark.OK, message("Deal pipeline {pipeline} is open to the webhook.", pipeline=str(pipeline)))
        if pipeline in seen
        else Check(
            Mark.PROBLEM,
            message(
                "Deal pipeline {pipeline} is not there or closed to the webhook's owner. Give him the right to it.",
                pipeline=str(pipeline),
            ),
        )
        for pipeline in pipelines
    ]


def _currency(currencies: list[Mapping[str, Any]] | None) -> Check:
    if currencies is None:
        return Check(
            Mark.WARNING,
            message(
                "Currencies cannot be read: amounts in other currencies stay unknown. Give the owner access to CRM."
            ),
        )
    listed = {str(row.get("CURRENCY")) for row in currencies}
    others = listed - {ROUBLE} - rates_of(currencies).keys()
    if ROUBLE not in listed:
        return Check(
            Mark.WARNING,
            message(
                "The portal has no currency {currency}: amounts in other currencies stay unknown. "
                "Add it in the CRM settings with its rate.",
                currency=ROUBLE,
            ),
        )
    if others:
        return Check(
            Mark.WARNING,
            message(
                "These currencies have no rate, so amounts in them stay unknown: {list}", list=tuple(sorted(others))
            ),
        )
    return Check(Mark.OK, message("Currencies have their rates."))
