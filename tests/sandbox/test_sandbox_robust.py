"""Whatever a client sends, the portal answers; it never falls over."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from app.sandbox.limits import Limits
from app.sandbox.methods.table import METHODS
from app.sandbox.portal import SandboxPortal

WORDS = """entityTypeId id ID fields filter select order start ownerType ownerId productRows =ownerType =ownerId TITLE
title stageId categoryId contactIds companyId fm PHONE opportunity price quantity taxRate deadline ownerTypeId
activityId ENTITY_ID ENTITY_TYPE COMMENT FIELD_NAME USER_TYPE_ID LIST MULTIPLE type values FILTER logic 0 >id @stageId
%title BINDINGS USER_ID MESSAGE RESPONSIBLE_ID SUBJECT iblockId rows TYPE_ID OWNER_ID OWNER_TYPE_ID closedate SORT
ORDER name cmd code target UF_CRM_X ufCrmX typeId value VALUE XML_ID DEL LANG ENTITY_TYPE_ID observers createdTime"""
NAMES = st.sampled_from(WORDS.split())
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 200),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from(
        ["", "1", "2", "L", "D", "Y", "lead", "C1:NEW", "2026-03-02", "OR", "ASC", "*", "enumeration", "abc"]
    ),
    st.text(max_size=8),
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=8
)


MAPS = st.dictionaries(NAMES, VALUES, max_size=5)


@settings(max_examples=300, deadline=None)
@given(
    method=st.sampled_from(sorted(METHODS)),
    known=st.sampled_from([{}, {"id": 1}, {"entityTypeId": 1, "id": 1}, {"entityTypeId": 2, "id": 1}]),
    params=MAPS,
    parts=st.dictionaries(st.sampled_from(["fields", "filter", "order"]), MAPS),
)
def test_any_parameters_get_an_answer(method, known, params, parts):
    portal = SandboxPortal(
        clock=lambda: datetime(2026, 3, 2, 9, tzinfo=UTC), limits=Limits(enforced=False, real_time=False)
    )
    field = {"FIELD_NAME": "X", "USER_TYPE_ID": "enumeration", "LIST": [{"VALUE": "A"}]}
    portal.call("crm.lead.userfield.add", {"fields": field})
    for kind in (1, 2, 3, 4):
        portal.ui_add(kind, {"title": "A"})
    portal.ui_add_activity(1, 1, {"TYPE_ID": 2, "SUBJECT": "A"})
    portal.ui_comment(1, 1, "A")

    answer = portal.call(method, {**known, **params, **parts})
    assert answer.status in {200, 400, 403, 404}
    assert ("result" in answer.body) != ("error" in answer.body)
