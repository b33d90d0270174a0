"""Methods about the connection itself, and those a webhook is refused (docs: common/system, events)."""

from app.sandbox.errors import RestError
from app.sandbox.methods.base import Call, Method, Reply

_APP_ONLY = (
    "event.bind",
    "event.unbind",
    "event.get",
    "event.test",
    "event.offline.get",
    "event.offline.list",
    "event.offline.clear",
    "event.offline.error",
    "placement.bind",
    "userfieldtype.add",
    "bizproc.robot.add",
    "bizproc.activity.add",
    "crm.automation.trigger.add",
    "crm.automation.trigger.execute",
    "telephony.externalcall.register",
)


def scope(call: Call) -> Reply:
    return Reply(sorted(call.world.scopes))


def server_time(call: Call) -> Reply:
    return Reply(call.world.time.text())


def settings_mode(call: Call) -> Reply:
    return Reply(2 if call.world.simple_mode else 1)


def feature_get(call: Call) -> Reply:
    if not call.legacy().get("code"):
        raise RestError("CODE_EMPTY", "CODE can't be empty")
    return Reply({"value": "N"})


def app_info(call: Call) -> Reply:
    del call
    raise RestError("ACCESS_DENIED", "Access denied! Application context required")


def refused(call: Call) -> Reply:
    del call
    raise RestError("WRONG_AUTH_TYPE", "Current authorization type is denied for this method", 403)


METHODS = {
    "scope": Method(scope),
    "server.time": Method(server_time),
    "crm.settings.mode.get": Method(settings_mode, "crm"),
    "feature.get": Method(feature_get),
    "app.info": Method(app_info, app_only=True),
    **{name: Method(refused, app_only=True) for name in _APP_ONLY},
}
