"""The remaining methods, one behaviour of the docs each."""

import pytest


@pytest.fixture
def lead(portal):
    return portal.ui_add(1, {"title": "Котёл"})


class TestTodo:
    def test_it_appears_on_the_card_and_is_announced(self, portal, call, lead):
        made = call(
            "crm.activity.todo.add",
            ownerTypeId=1,
            ownerId=lead,
            deadline="2026-03-03T15:00:00",
            title="Спросить",
            responsibleId=12,
        )
        row = portal.activities(1, lead)[0]
        assert made == {"id": int(row["ID"])}
        assert (row["PROVIDER_ID"], row["SUBJECT"], row["RESPONSIBLE_ID"]) == ("CRM_TODO", "Спросить", "12")
        assert (row["DEADLINE"], row["COMPLETED"]) == ("2026-03-03T15:00:00+03:00", "N")
        assert portal.stats.events_raised["ONCRMACTIVITYADD"] == 1

    @pytest.mark.parametrize(
        ("params", "code"),
        [
            ({"ownerTypeId": 1, "ownerId": 1}, 100),
            ({"ownerTypeId": 1, "deadline": "2026-03-03"}, 100),
            ({"ownerTypeId": 1, "ownerId": 1, "deadline": "когда-нибудь"}, "WRONG_DATETIME_FORMAT"),
            ({"ownerTypeId": 1, "ownerId": 77, "deadline": "2026-03-03"}, "OWNER_NOT_FOUND"),
        ],
    )
    def test_what_is_missing_is_said(self, refusal, lead, params, code):
        assert refusal("crm.activity.todo.add", **params)[:2] == (400, code)

    def test_a_person_completes_it(self, portal, call, lead):
        made = call("crm.activity.todo.add", ownerTypeId=1, ownerId=lead, deadline="2026-03-03")
        portal.ui_complete_activity(made["id"], 12)
        row = call("crm.activity.get", id=made["id"])
        assert (row["COMPLETED"], row["STATUS"], row["EDITOR_ID"]) == ("Y", "2", "12")
        assert portal.stats.events_raised["ONCRMACTIVITYUPDATE"] == 1


class TestActivities:
    def test_listing_by_owner_binding_and_cursor(self, portal, call, lead, clock):
        deal = portal.ui_add(2, {})
        first = portal.ui_add_activity(1, lead, {"TYPE_ID": 2, "SUBJECT": "Звонок", "DIRECTION": 2})
        clock.advance(60)
        second = portal.ui_add_activity(2, deal, {"TYPE_ID": 4, "SUBJECT": "Письмо"})
        assert call("crm.activity.binding.add", activityId=first, entityTypeId=2, entityId=deal) is True

        def ids(**raw_filter):
            rows = call("crm.activity.list", filter=raw_filter, order={"ID": "ASC"}, select=["ID"])
            return [int(row["ID"]) for row in rows]

        assert ids(OWNER_TYPE_ID=1, OWNER_ID=lead) == [first]
        assert ids(BINDINGS=[{"OWNER_TYPE_ID": 2, "OWNER_ID": deal}]) == [first, second]
        assert ids(**{">ID": first}) == [second]
        assert ids(**{">=LAST_UPDATED": "2026-03-02T12:01:00+03:00"}) == [second]
        assert call("crm.activity.binding.list", activityId=first) == [
            {"entityTypeId": 1, "entityId": lead},
            {"entityTypeId": 2, "entityId": deal},
        ]

    def test_the_second_binding_is_refused(self, portal, refusal, lead):
        one = portal.ui_add_activity(1, lead, {"TYPE_ID": 2, "SUBJECT": "Звонок"})
        answer = refusal("crm.activity.binding.add", activityId=one, entityTypeId=1, entityId=lead)
        assert answer[1] == "ACTIVITY_IS_ALREADY_BOUND"

    def test_communications_come_only_when_named(self, call, lead):
        made = call(
            "crm.activity.add",
            fields={
                "OWNER_TYPE_ID": 1,
                "OWNER_ID": lead,
                "TYPE_ID": 2,
                "SUBJECT": "Звонок",
                "RESPONSIBLE_ID": 12,
                "COMMUNICATIONS": [{"VALUE": "+7", "ENTITY_ID": lead, "ENTITY_TYPE_ID": 1}],
            },
        )
        plain = call("crm.activity.list", filter={"ID": made})[0]
        named = call("crm.activity.list", filter={"ID": made}, select=["*", "COMMUNICATIONS"])[0]
        assert "COMMUNICATIONS" not in plain
        assert named["COMMUNICATIONS"][0]["VALUE"] == "+7"

    @pytest.mark.parametrize(
        ("fields", "text"),
        [
            ({"TYPE_ID": 2, "RESPONSIBLE_ID": 1}, "The field SUBJECT is not defined or empty."),
            ({"TYPE_ID": 2, "SUBJECT": "x"}, "The field RESPONSIBLE_ID is not defined or invalid."),
        ],
    )
    def test_missing_fields(self, refusal, lead, fields, text):
        assert refusal("crm.activity.add", fields=fields) == (400, "", text)

    def test_a_gone_activity(self, refusal):
        assert refusal("crm.activity.get", id=5) == (400, "", "Activity is not found.")


class TestComments:
    def test_add_get_update_delete(self, portal, call, refusal, lead):
        made = call(
            "crm.timeline.comment.add", fields={"ENTITY_ID": lead, "ENTITY_TYPE": "lead", "COMMENT": "[B]A[/B]"}
        )
        row = call("crm.timeline.comment.get", id=made)
        assert (row["AUTHOR_ID"], row["COMMENT"], row["FILES"]) == ("1", "[B]A[/B]", {})
        assert call("crm.timeline.comment.update", id=made, fields={"COMMENT": "B"}) == made
        assert [one["COMMENT"] for one in portal.comments("lead", lead)] == ["B"]
        assert call("crm.timeline.comment.delete", id=made) is None
        assert refusal("crm.timeline.comment.get", id=made) == (400, "", "Not found.")

    @pytest.mark.parametrize(
        ("params", "code"),
        [
            ({"FIELDS": {"ENTITY_ID": 1, "ENTITY_TYPE": "lead", "COMMENT": "A"}}, 100),
            ({"fields": {"ENTITY_TYPE": "lead", "COMMENT": "A"}}, 100),
            ({"fields": {"ENTITY_ID": 1, "ENTITY_TYPE": "lead", "COMMENT": " "}}, "INVALID_ARG_VALUE"),
            ({"fields": {"ENTITY_ID": 77, "ENTITY_TYPE": "lead", "COMMENT": "A"}}, "OWNER_NOT_FOUND"),
            ({"fields": {"ENTITY_ID": 1, "ENTITY_TYPE": "LEAD", "COMMENT": "A"}}, "OWNER_NOT_FOUND"),
        ],
    )
    def test_what_is_refused(self, refusal, lead, params, code):
        assert refusal("crm.timeline.comment.add", **params)[:2] == (400, code)

    def test_there_is_no_list_of_everything(self, refusal):
        assert refusal("crm.timeline.comment.list", filter={"ENTITY_TYPE": "lead"})[0] == 400

    def test_a_comment_moves_the_last_activity_and_not_the_change(self, portal, lead, clock):
        clock.advance(60)
        portal.ui_comment(1, lead, "Перезвонить", 12)
        item = portal.item(1, lead)
        assert item["lastActivityTime"] == "2026-03-02T12:01:00+03:00"
        assert (item["lastActivityBy"], item["updatedTime"]) == (12, "2026-03-02T12:00:00+03:00")

    def test_a_log_message_needs_all_five_fields(self, call, refusal, lead):
        fields = {"entityTypeId": 1, "entityId": lead, "title": "A", "text": "B", "iconCode": "info"}
        assert call("crm.timeline.logmessage.add", fields=fields)["logMessage"]["text"] == "B"
        del fields["iconCode"]
        assert refusal("crm.timeline.logmessage.add", fields=fields)[:2] == (400, 100)


class TestDuplicates:
    def test_phones_are_compared_by_digits(self, portal, call):
        phones = ["8 (912) 000-11-22", "+7 912 000 11 22", "79120001122 доб. 5"]
        for phone in phones:
            portal.ui_add(3, {"name": "А", "fm": [{"typeId": "PHONE", "value": phone}]})
        assert call("crm.duplicate.findbycomm", type="PHONE", values=["+79120001122"]) == {"CONTACT": [1, 2, 3]}
        found = call("crm.duplicate.findbycomm", type="PHONE", values=["+79120001122"], entity_type="COMPANY")
        assert found == []

    def test_twenty_of_one_type_hide_the_later_types(self, portal, call):
        mail = [{"typeId": "EMAIL", "value": "A@b.example"}]
        for _ in range(20):
            portal.ui_add(1, {"fm": mail})
        company = portal.ui_add(4, {"title": "Завод", "fm": mail})
        assert set(call("crm.duplicate.findbycomm", type="EMAIL", values=["a@b.example"])) == {"LEAD"}
        found = call("crm.duplicate.findbycomm", type="EMAIL", values=["a@b.example"], entity_type="COMPANY")
        assert found == {"COMPANY": [company]}

    def test_the_type_is_required(self, refusal):
        answer = refusal("crm.duplicate.findbycomm", values=["1"])
        assert answer == (400, "Communication type is not defined", "Parameter 'type' is required.")


class TestDictionaries:
    def test_lead_stages_tell_their_meaning(self, call):
        rows = call("crm.status.list", filter={"ENTITY_ID": "STATUS"}, order={"SORT": "ASC"})
        assert [(row["STATUS_ID"], row["SEMANTICS"]) for row in rows] == [
            ("NEW", None),
            ("IN_PROCESS", None),
            ("PROCESSED", None),
            ("CONVERTED", "S"),
            ("JUNK", "F"),
        ]
        assert rows[-1]["EXTRA"]["SEMANTICS"] == "failure"

    def test_stages_of_the_second_pipeline(self, call):
        rows = call("crm.status.list", filter={"ENTITY_ID": "DEAL_STAGE_1"})
        assert rows[0]["STATUS_ID"] == "C1:NEW"
        assert {row["CATEGORY_ID"] for row in rows} == {"1"}
        assert [row["STATUS_ID"] for row in call("crm.dealcategory.stage.list", id=1)][-1] == "C1:APOLOGY"

    def test_every_stage_list_is_named_by_the_entity_types(self, call):
        named = {row["ID"] for row in call("crm.status.entity.types")}
        assert {row["ENTITY_ID"] for row in call("crm.status.list")} == named

    def test_leads_have_no_pipelines(self, refusal):
        assert refusal("crm.category.list", entityTypeId=1)[1] == "ENTITY_TYPE_NOT_SUPPORTED"

    def test_currencies_have_a_rate_and_an_odd_total(self, portal):
        body = portal.call("crm.currency.list").body
        assert body["total"] == 0
        assert {row["CURRENCY"]: (row["AMOUNT"], row["AMOUNT_CNT"], row["BASE"]) for row in body["result"]} == {
            "RUB": ("1.0000", "1", "Y"),
            "USD": ("78.5000", "1", "N"),
            "EUR": ("90.2000", "1", "N"),
        }


class TestCatalog:
    def test_products_by_section(self, call):
        iblock = call("catalog.catalog.list")["catalogs"][0]["iblockId"]
        sections = call("catalog.section.list", filter={"iblockId": iblock})["sections"]
        found = call(
            "catalog.product.list",
            select=["id", "iblockId", "name"],
            filter={"iblockId": iblock, "iblockSectionId": sections[0]["id"]},
        )["products"]
        assert found[0] == {"id": 100, "iblockId": iblock, "name": "Паровой котёл КП-1"}

    @pytest.mark.parametrize(
        "params", [{"select": ["id"], "filter": {"iblockId": 24}}, {"select": ["id", "iblockId"], "filter": {}}]
    )
    def test_the_required_fields(self, refusal, params):
        assert refusal("catalog.product.list", **params)[:2] == (400, 0)


class TestHistory:
    def test_rows_after_an_id_in_order(self, portal, call, lead):
        portal.ui_update(1, lead, {"stageId": "IN_PROCESS"})
        portal.ui_update(1, lead, {"stageId": "JUNK"})
        rows = call("crm.stagehistory.list", entityTypeId=1, order={"ID": "ASC"})["items"]
        later = call("crm.stagehistory.list", entityTypeId=1, filter={">ID": rows[0]["ID"]}, start=-1)["items"]
        assert [row["TYPE_ID"] for row in rows] == [1, 2, 3]
        assert later == rows[1:]

    @pytest.mark.parametrize(
        ("params", "code"),
        [
            ({"entityTypeId": 3}, "ENTITY_TYPE_NOT_SUPPORTED"),
            ({"entityTypeId": 1, "filter": {"STAGE_ID": "NEW"}}, "INVALID_ARG_VALUE"),
            ({"entityTypeId": 1, "order": {"NAME": "ASC"}}, "INVALID_ARG_VALUE"),
        ],
    )
    def test_what_is_refused(self, refusal, params, code):
        assert refusal("crm.stagehistory.list", **params)[:2] == (400, code)


class TestPeople:
    def test_users_by_filter(self, portal, call):
        portal.world.people.users[22].active = False
        rows = call("user.get", FILTER={"ACTIVE": True, "UF_DEPARTMENT": 4}, select=["ID", "NAME"])
        assert rows == [{"ID": "20", "NAME": "Дмитрий"}, {"ID": "21", "NAME": "Анна"}]
        assert [row["ID"] for row in call("user.get", ID=12)] == ["12"]

    def test_the_owner(self, portal, call):
        assert call("profile")["ADMIN"] is True
        assert call("user.current")["ID"] == "1"
        portal.world.people.admins.discard(1)
        assert call("profile")["ADMIN"] is False

    def test_departments_have_heads(self, call):
        assert {row["ID"]: row["UF_HEAD"] for row in call("department.get", PARENT=1)} == {"3": "10", "4": "20"}


class TestNotifications:
    def test_a_new_message_with_a_tag_replaces_the_old(self, portal, call):
        call("im.notify.system.add", USER_ID=12, MESSAGE="Первое", TAG="lead-1", CLIENT_ID="a")
        call("im.notify.system.add", USER_ID=13, MESSAGE="Второе", TAG="lead-1", CLIENT_ID="a")
        call("im.notify.personal.add", USER_ID=13, MESSAGE="Третье", TAG="lead-1", CLIENT_ID="b")
        call("im.notify.system.add", USER_ID=13, MESSAGE="Четвёртое", TAG="lead-1")
        assert [one["message"] for one in portal.world.notifications] == ["Второе", "Третье", "Четвёртое"]

    def test_errors(self, refusal):
        assert refusal("im.notify.system.add", MESSAGE="A")[1] == "USER_ID_EMPTY"
        assert refusal("im.notify.system.add", USER_ID=12)[1] == "MESSAGE_EMPTY"

    def test_a_task_comes_back_in_camel_case_strings(self, call):
        task = call("tasks.task.add", fields={"TITLE": "Позвонить", "RESPONSIBLE_ID": 12})["task"]
        assert (task["id"], task["responsibleId"], task["status"]) == ("1", "12", "2")


@pytest.mark.parametrize("target", ["", "LEAD", "LEAD_77", "STAR_1"])
def test_a_trigger_without_a_target(refusal, lead, target):
    assert refusal("crm.automation.trigger", target=target)[:2] == (400, "")


def test_a_trigger_is_accepted(portal, call, lead):
    assert call("crm.automation.trigger", target=f"LEAD_{lead}", code="nwly5") is True
    assert portal.world.triggers == [{"target": f"LEAD_{lead}", "code": "nwly5"}]


def test_calls_are_listed_by_cursor(portal, call):
    portal.world.calls += [
        {"ID": str(number), "CALL_START_DATE": "2026-03-02T12:00:00+03:00", "CALL_DURATION": "0"} for number in (1, 2)
    ]
    rows = call("voximplant.statistic.get", FILTER={">ID": 1}, SORT="ID", ORDER="ASC")
    assert [row["ID"] for row in rows] == ["2"]


def test_the_connection_tells_about_itself(portal, call):
    assert call("server.time") == "2026-03-02T12:00:00+03:00"
    assert call("crm.settings.mode.get") == 1
    assert call("feature.get", CODE="rest_auth_connector") == {"value": "N"}
    assert call("method.get", name="crm.item.list") == {"isExisting": True, "isAvailable": True}
    assert call("method.get", name="event.bind") == {"isExisting": True, "isAvailable": False}
    assert call("method.get", name="no.such") == {"isExisting": False, "isAvailable": False}
    portal.scopes.discard("crm")
    assert call("method.get", name="crm.item.list") == {"isExisting": True, "isAvailable": False}
    assert "crm" not in call("scope")


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("no.such.method", (404, "ERROR_METHOD_NOT_FOUND")),
        ("event.bind", (403, "WRONG_AUTH_TYPE")),
        ("event.offline.get", (403, "WRONG_AUTH_TYPE")),
        ("app.info", (400, "ACCESS_DENIED")),
        ("crm.item.get", (400, 100)),
    ],
)
def test_refusals(refusal, method, expected):
    assert refusal(method)[:2] == expected


def test_a_missing_scope(portal, refusal):
    portal.scopes.discard("catalog")
    assert refusal("catalog.catalog.list")[:2] == (403, "insufficient_scope")
    portal.scopes.discard("user")
    portal.scopes.add("user_basic")
    assert portal.call("user.get").status == 200


def test_working_time(call):
    found = call("calendar.settings.get")
    assert (found["work_time_start"], found["week_holidays"]) == ("9", ["SA", "SU"])
