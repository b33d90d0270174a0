"""Users, departments, working time, calls, notifications, tasks.

Docs: api-reference/user, departments, calendar, telephony/voximplant, chats/notifications, tasks.
"""

from typing import Any

from app.sandbox.errors import RestError
from app.sandbox.methods.base import Call, Method, Reply, page
from app.sandbox.methods.listing import walk_page, within
from app.sandbox.tables import Columns
from app.sandbox.wire import as_int, as_list, as_map

_USER = Columns(("NAME", "LAST_NAME", "EMAIL", "WORK_POSITION", "USER_TYPE", "ACTIVE"), numbers=("ID", "UF_DEPARTMENT"))
_CALL = Columns(
    ("CALL_ID", "PHONE_NUMBER", "CALL_FAILED_CODE", "CRM_ENTITY_TYPE"),
    numbers=("ID", "PORTAL_USER_ID", "CALL_TYPE", "CRM_ENTITY_ID", "CRM_ACTIVITY_ID", "CALL_DURATION"),
    times=("CALL_START_DATE",),
)
_REGISTERED = "2024-01-15T00:00:00+03:00"


def user_get(call: Call) -> Reply:
    """`FILTER` may also be spread over the top level; `sort` and `order` are scalars here."""
    params = call.legacy()
    conditions = {**{k.upper(): v for k, v in params.items()}, **as_map(params.get("filter"))}
    active = conditions.pop("ACTIVE", None)
    test = _USER.filter(conditions, call.world.time, strict=False)
    rows = [
        user.row(_REGISTERED)
        for user in call.world.people.users.values()
        if active is None or user.active == (str(active).lower() in {"true", "1", "y"})
    ]
    found = [row for row in rows if test({**row, "UF_DEPARTMENT": row["UF_DEPARTMENT"][0]})]
    found.sort(key=lambda row: int(row["ID"]), reverse=str(params.get("order", "")).upper() == "DESC")
    shown, total, following = page(found, params.get("start"))
    select = [str(name).upper() for name in as_list(params.get("select"))]
    if select and "*" not in select:
        shown = [{name: row[name] for name in {"ID": 0, **dict.fromkeys(select)} if name in row} for row in shown]
    return Reply(shown, total, following)


def user_current(call: Call) -> Reply:
    row = call.world.people.users[call.user_id].row(_REGISTERED)
    moment = call.world.time.text()
    return Reply({**row, "LAST_ACTIVITY_DATE": f"{moment[:10]} {moment[11:19]}"})


def profile(call: Call) -> Reply:
    user = call.world.people.users[call.user_id]
    return Reply(
        {
            "ID": str(user.id),
            "ADMIN": call.world.owner_is_admin(),
            "NAME": user.name,
            "LAST_NAME": user.last_name,
            "PERSONAL_GENDER": "",
            "TIME_ZONE": user.time_zone,
        }
    )


def department_get(call: Call) -> Reply:
    """Filter fields stand at the top level."""
    params = {key.upper(): value for key, value in call.params.items()}
    rows = [one.row() for one in call.world.people.departments.values()]
    for name in ("ID", "NAME", "PARENT", "UF_HEAD"):
        if name in params:
            wanted = {str(one) for one in as_list(params[name])}
            rows = [row for row in rows if row.get(name) in wanted]
    shown, total, following = page(rows, params.get("START"))
    return Reply(shown, total, following)


def calendar_settings(call: Call) -> Reply:
    return Reply(dict(call.world.people.calendar))


def call_statistics(call: Call) -> Reply:
    params = call.legacy()
    test = _CALL.filter(params.get("filter"), call.world.time, strict=False)
    order = {str(params.get("sort") or "ID"): str(params.get("order") or "DESC")}
    if "CALL_TYPE" in order:
        raise RestError("INVALID_ARG_VALUE", "Sorting by CALL_TYPE is not supported")
    rows = within(call.world.calls, params.get("filter"))
    walked = walk_page(rows, test, order=order, start=params.get("start"))
    if walked is None:
        found = [row for row in rows if test(row)]
        walked = page(_CALL.sort(found, order, strict=False, default=("ID", True)), params.get("start"))
    shown, total, following = walked
    return Reply(shown, total, following)


def notify(call: Call) -> Reply:
    params = {key.upper(): value for key, value in call.params.items()}
    user_id = as_int(params.get("USER_ID")) or as_int(params.get("TO")) or 0
    if user_id <= 0:
        raise RestError("USER_ID_EMPTY", "User ID can't be empty")
    if not str(params.get("MESSAGE") or "").strip():
        raise RestError("MESSAGE_EMPTY", "Message can't be empty")
    if user_id not in call.world.people.users:
        return Reply(False)
    # A tag is unique within an application, and a webhook is one only by the CLIENT_ID it gives itself.
    tag = f"{params['CLIENT_ID']}|{params['TAG']}" if params.get("TAG") and params.get("CLIENT_ID") else None
    call.world.notified += 1
    number = 10_000 + call.world.notified
    said = {"id": number, "userId": user_id, "message": str(params["MESSAGE"]).strip(), "tag": tag}
    kept = [one for one in call.world.notifications if tag is None or one["tag"] != tag]
    call.world.notifications[:] = [*kept, said]
    return Reply(number)


def task_add(call: Call) -> Reply:
    sent = call.fields()
    responsible = as_int(sent.get("RESPONSIBLE_ID"))
    if not sent.get("TITLE") or responsible is None:
        raise RestError("ERROR_CORE", "Не указано название задачи или ответственный")
    task: dict[str, Any] = {
        "id": str(len(call.world.tasks) + 1),
        "title": str(sent["TITLE"]),
        "description": str(sent.get("DESCRIPTION") or ""),
        "priority": "1",
        "status": "2",
        "createdBy": str(call.user_id),
        "createdDate": call.world.time.text(),
        "responsibleId": str(responsible),
        "deadline": call.world.time.read(sent["DEADLINE"]) if sent.get("DEADLINE") else None,
        "closedDate": None,
    }
    call.world.tasks.append({**task, "ufCrmTask": [str(one) for one in as_list(sent.get("UF_CRM_TASK"))]})
    return Reply({"task": task})


_USER_SCOPES = ("user_basic", "user_brief")
METHODS = {
    "user.get": Method(user_get, "user", alternatives=_USER_SCOPES),
    "user.current": Method(user_current, "user", alternatives=_USER_SCOPES),
    "profile": Method(profile),
    "department.get": Method(department_get, "department"),
    "calendar.settings.get": Method(calendar_settings, "calendar"),
    "voximplant.statistic.get": Method(call_statistics, "telephony"),
    "im.notify.system.add": Method(notify, "im"),
    "im.notify.personal.add": Method(notify, "im"),
    "tasks.task.add": Method(task_add, "task", alternatives=("tasks",)),
}
