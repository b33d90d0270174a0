"""Webhook bodies as the docs show them, broken ones, and any bytes at all."""

from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bitrix24.events import BadEvent, Change, Event, RobotCall, Subject, parse

AUTH = (
    "&ts=1787300000&auth[domain]=acme.example&auth[client_endpoint]=https://acme.example/rest/"
    "&auth[member_id]=9f0c&auth[application_token]=k2v"
)


def wire(text):
    """Percent-encodes as a portal does: brackets and colons too."""
    pairs = (part.partition("=") for part in text.split("&"))
    return "&".join(f"{quote_plus(key)}={quote_plus(value)}" for key, _, value in pairs).encode()


@pytest.mark.parametrize(
    ("body", "subject", "change", "type_id", "item_id"),
    [
        pytest.param("event=ONCRMLEADADD&event_handler_id=41&data[FIELDS][ID]=3817", "card", "add", 1, 3817, id="lead"),
        pytest.param("event=ONCRMLEADUPDATE&data[FIELDS][ID]=3817", "card", "update", 1, 3817, id="no handler id"),
        pytest.param("event=onCrmLeadDelete&data[FIELDS][ID]=3817", "card", "delete", 1, 3817, id="camel case"),
        pytest.param("event=ONCRMDEALADD&data[FIELDS][ID]=90", "card", "add", 2, 90, id="deal"),
        pytest.param("event=ONCRMCONTACTUPDATE&data[FIELDS][ID]=5", "card", "update", 3, 5, id="contact"),
        pytest.param("event=ONCRMCOMPANYADD&data[FIELDS][ID]=6", "card", "add", 4, 6, id="company"),
        pytest.param("event=ONCRMQUOTEADD&data[FIELDS][ID]=7", "card", "add", 7, 7, id="quote"),
        pytest.param(
            "event=ONCRMDEALMOVETOCATEGORY&data[FIELDS][ID]=90&data[FIELDS][CATEGORY_ID]=3&data[FIELDS][STAGE_ID]=C3:NEW",
            "card", "move", 2, 90, id="pipeline move",
        ),
        pytest.param(
            "event=ONCRMDYNAMICITEMUPDATE&data[FIELDS][ID]=15&data[FIELDS][ENTITY_TYPE_ID]=31",
            "card", "update", 31, 15, id="invoice",
        ),
        pytest.param("event=ONCRMDYNAMICITEMADD_147&data[FIELDS][ID]=1", "card", "add", 147, 1, id="event of one type"),
        pytest.param("event=onCrmActivityAdd&data[FIELDS][ID]=880", "activity", "add", None, 880, id="activity"),
        pytest.param("event=ONCRMTIMELINECOMMENTADD&data[ID]=12", "comment", "add", None, 12, id="comment, docs"),
        pytest.param(
            "event=ONCRMTIMELINECOMMENTADD&data[FIELDS][ID]=12", "comment", "add", None, 12, id="comment, practice"
        ),
        pytest.param(
            "event=ONVOXIMPLANTCALLEND&data[CALL_ID]=A1B2.1787300000.77&data[CALL_TYPE]=2&data[CRM_ACTIVITY_ID]=880",
            "call", "update", None, None, id="telephony is flat",
        ),
        pytest.param(
            "event=ONCRMLEADUSERFIELDSETENUMVALUES&data[FIELDS][ID]=4&data[FIELDS][ENTITY_ID]=CRM_LEAD",
            "field", "update", 1, 4, id="field",
        ),
        pytest.param("event=ONCRMTYPEUSERFIELDADD&data[FIELDS][ID]=4", "field", "add", None, 4, id="field of a type"),
        pytest.param("event=ONAPPUNINSTALL&data[LANGUAGE_ID]=en&data[CLEAN]=1", "app", "delete", None, None, id="app"),
        pytest.param("event=ONOFFLINEEVENT", "other", "other", None, None, id="empty data"),
        pytest.param(
            "event=ONTASKUPDATE&data[FIELDS_BEFORE][ID]=55&data[FIELDS_AFTER][ID]=55", "other", "other", None, None,
            id="unknown to us",
        ),
    ],
)  # fmt: skip
def test_events_of_the_docs(body, subject, change, type_id, item_id):
    event = parse(wire(body + AUTH))
    assert isinstance(event, Event)
    assert event.name == event.name.upper()
    assert (event.subject, event.change) == (Subject(subject), Change(change))
    assert (event.entity_type_id, event.item_id) == (type_id, item_id)
    assert (event.member_id, event.domain, event.application_token) == ("9f0c", "acme.example", "k2v")
    assert event.ts == 1787300000


@pytest.mark.parametrize(
    ("class_name", "document", "type_id", "item_id"),
    [
        ("CCrmDocumentLead", "LEAD_3817", 1, 3817),
        ("CCrmDocumentDeal", "DEAL_90", 2, 90),
        ("CCrmDocumentContact", "CONTACT_5", 3, 5),
        ("CCrmDocumentCompany", "COMPANY_6", 4, 6),
        ("Bitrix\\Crm\\Integration\\BizProc\\Document\\Quote", "QUOTE_7", 7, 7),
        ("Bitrix\\Crm\\Integration\\BizProc\\Document\\SmartInvoice", "SMART_INVOICE_15", 31, 15),
        ("Bitrix\\Crm\\Integration\\BizProc\\Document\\Dynamic", "DYNAMIC_147_1", 147, 1),
    ],
)
def test_robot_calls(class_name, document, type_id, item_id):
    body = f"document_id[0]=crm&document_id[1]={class_name}&document_id[2]={document}&auth[member_id]=9f0c"
    call = parse(wire(body), "secret=abc&stage=NEW")
    assert isinstance(call, RobotCall)
    assert (call.entity_type_id, call.item_id, call.document) == (type_id, item_id, document)
    assert call.query == {"secret": "abc", "stage": "NEW"}
    assert (call.member_id, call.application_token) == ("9f0c", "")


def test_robot_call_without_auth_and_with_unnumbered_parts():
    call = parse(wire("document_id[]=crm&document_id[]=CCrmDocumentLead&document_id[]=LEAD_3817"))
    assert isinstance(call, RobotCall)
    assert (call.entity_type_id, call.item_id) == (1, 3817)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"hello", id="no form"),
        pytest.param(b'{"event":"ONCRMLEADADD"}', id="json"),
        pytest.param(b"event=", id="no name"),
        pytest.param(b"event[a]=ONCRMLEADADD", id="a map for a name"),
        pytest.param(b"event=ONCRMLEADADD", id="no id"),
        pytest.param(b"event=ONCRMLEADADD&data=7", id="data is no map"),
        pytest.param(b"event=ONCRMLEADADD&data[FIELDS][ID]=0", id="zero"),
        pytest.param(b"event=ONCRMLEADADD&data[FIELDS][ID]=-1", id="negative"),
        pytest.param(b"event=ONCRMLEADADD&data[FIELDS][ID]=1.5", id="fraction"),
        pytest.param(b"event=ONCRMLEADADD&data[FIELDS][ID]=abc", id="letters"),
        pytest.param(b"event=ONCRMLEADADD&data[FIELDS][ID][]=5", id="a list for an id"),
        pytest.param(b"event=ONCRMLEADADD&data[FIELDS][ID]=" + b"9" * 5000, id="absurdly large"),
        pytest.param("event=ONCRMLEADADD&data[FIELDS][ID]=٣".encode(), id="digits of another script"),
        pytest.param(b"event=ONCRMDYNAMICITEMADD&data[FIELDS][ID]=5", id="no type"),
        pytest.param(b"event=ONCRMDYNAMICITEMADD_0&data[FIELDS][ID]=5", id="type zero"),
        pytest.param(b"event=" + b"A" * 101, id="long name"),
        pytest.param(b"event=ONX&a[b][c][d][e][f][g]=1", id="nested deeper than 5"),
        pytest.param(b"event=ONX" + b"&a=1" * 1000, id="too many keys"),
        pytest.param(b"event=ONX&" + b"a" * 301 + b"=1", id="a long key"),
        pytest.param(b"event=ONX&a=%ff", id="not UTF-8"),
        pytest.param(b"event=ONX&a=%00", id="NUL"),
        pytest.param(b"document_id[2]=", id="no document"),
        pytest.param(b"document_id[2]=LEAD_x", id="document without id"),
        pytest.param(b"document_id[2]=LEAD_0", id="document zero"),
        pytest.param(b"document_id[2]=THING_5", id="unknown document"),
    ],
)
def test_bad_bodies_have_a_reason(body):
    with pytest.raises(BadEvent, match=r"."):
        parse(body)


def test_depth_of_five_is_fine():
    assert parse(b"event=ONX&a[b][c][d][e][f]=1").name == "ONX"


def test_a_missing_token_is_the_callers_to_refuse():
    assert parse(b"event=ONCRMLEADADD&data[FIELDS][ID]=5").application_token == ""


def test_no_token_is_stored_or_shown():
    secrets = ["acc3ss", "r3fresh", "appt0ken", "evt0ken", "5ecret"]
    body = (
        "event=ONAPPINSTALL&data[VERSION]=1&auth[access_token]=acc3ss&auth[refresh_token]=r3fresh"
        "&auth[application_token]=appt0ken&event_token=evt0ken&auth[client_secret]=5ecret&auth[member_id]=9f0c"
        "&AUTH[access_token]=acc3ss&auth=5ecret"
    )
    for encoded in (wire(body), body.encode()):
        event = parse(encoded)
        shown = event.redacted() + repr(event) + repr(event.data)
        assert not [secret for secret in secrets if secret in shown]
        assert "member_id" in event.redacted()
        assert parse(event.redacted().encode()).name == "ONAPPINSTALL"


@pytest.mark.parametrize("more", [b"=%ff", b"=\xff", b"&=%00&="])
def test_a_value_without_a_key_is_neither_read_nor_stored(more):
    event = parse(b"event=ONX&auth[application_token]=t0ken&" + more)
    assert event.redacted() == "event=ONX"


def test_what_is_stored_reads_as_what_came_even_when_half_of_a_letter_was_encoded():
    event = parse(b"event=ONX&data[%D2\x99]=\xd0%9f")
    assert parse(event.redacted().encode()).data == event.data == {"ҙ": "П"}


@given(st.binary(max_size=400), st.text(max_size=100))
def test_any_bytes_give_an_event_or_bad_event(body, query):
    try:
        parsed = parse(body, query)
    except BadEvent:
        return
    assert parsed.redacted() is not None


_WORDS = ["event", "data", "auth", "FIELDS", "ID", "ENTITY_TYPE_ID", "document_id", "ts", "2", "", "application_token"]
_VALUES = st.one_of(
    st.sampled_from(["ONCRMLEADADD", "ONCRMDYNAMICITEMADD", "LEAD_5", "5", "0", "%", "%zz", "%F0%9F%98%80"]), st.text()
)


@st.composite
def _almost_bodies(draw):
    """Bodies made of the right words in wrong places."""
    parts = []
    for _ in range(draw(st.integers(0, 8))):
        path = draw(st.lists(st.sampled_from(_WORDS), min_size=1, max_size=8))
        key = path[0] + "".join(f"[{part}]" for part in path[1:])
        parts.append(f"{key}{draw(st.sampled_from(['=', '', '==', '[=']))}{draw(_VALUES)}")
    return "&".join(parts).encode("utf-8", "surrogatepass")


@given(_almost_bodies())
def test_almost_right_bodies_give_an_event_or_bad_event(body):
    try:
        parsed = parse(body, body.decode("utf-8", "surrogateescape"))
    except BadEvent:
        return
    assert parsed.item_id is None or parsed.item_id > 0
