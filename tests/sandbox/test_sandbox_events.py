"""Outgoing webhooks as they arrive: form, tokens, which changes are told, and how they get lost."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

import pytest


class Listener:
    """A handler URL that keeps what was posted to it."""

    def __init__(self):
        self.bodies = []
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                length = int(self.headers["Content-Length"])
                outer.bodies.append((self.headers["Content-Type"], dict(parse_qsl(self.rfile.read(length).decode()))))
                self.send_response(outer.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def events(self):
        return sorted((body["event"], body["data[FIELDS][ID]"]) for _, body in self.bodies)

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def listener(portal):
    one = Listener()
    yield one
    portal.close()
    one.close()


def test_the_wire_form(portal, listener):
    portal.subscribe(listener.url)
    lead = portal.ui_add(1, {"title": "Котёл"})
    assert portal.wait_for_events()

    content_type, body = listener.bodies[0]
    assert content_type == "application/x-www-form-urlencoded"
    assert body == {
        "event": "ONCRMLEADADD",
        "event_handler_id": "1",
        "data[FIELDS][ID]": str(lead),
        "ts": "1772442000",
        "auth[domain]": portal.domain,
        "auth[client_endpoint]": f"https://{portal.domain}/rest/",
        "auth[server_endpoint]": "https://oauth.bitrix.info/rest/",
        "auth[member_id]": portal.member_id,
        "auth[application_token]": portal.application_token,
    }


def test_people_and_rest_raise_the_same_events(portal, listener):
    portal.subscribe(listener.url)
    lead = portal.ui_add(1, {})
    portal.call("crm.item.update", {"entityTypeId": 1, "id": lead, "fields": {"title": "Котёл"}})
    portal.call("crm.item.update", {"entityTypeId": 1, "id": lead, "fields": {"title": "Котёл"}})
    deal = portal.call("crm.item.add", {"entityTypeId": 2, "fields": {"leadId": lead}}).body["result"]["item"]["id"]
    portal.ui_update(2, deal, {"categoryId": 1, "stageId": "C1:NEW"})
    portal.ui_add(31, {"title": "Счёт"})
    portal.ui_delete(1, lead)
    assert portal.wait_for_events()

    assert listener.events == [
        ("ONCRMDEALADD", str(deal)),
        ("ONCRMDYNAMICITEMADD", "1"),
        ("ONCRMLEADADD", str(lead)),
        ("ONCRMLEADDELETE", str(lead)),
        ("ONCRMLEADUPDATE", str(lead)),
    ]
    invoice = next(body for _, body in listener.bodies if body["event"] == "ONCRMDYNAMICITEMADD")
    assert invoice["data[FIELDS][ENTITY_TYPE_ID]"] == "31"


def test_a_change_of_rows_by_a_person_updates_the_card(portal, listener):
    lead = portal.ui_add(1, {})
    portal.subscribe(listener.url, ["oncrmleadupdate"])
    portal.ui_set_rows(1, lead, [{"productId": 100, "price": 10}])
    portal.ui_set_rows(1, lead, [{"productName": "Другое", "price": 10}])
    portal.ui_add(1, {})
    assert portal.wait_for_events()
    assert listener.events == [("ONCRMLEADUPDATE", str(lead))] * 2


def test_a_failed_delivery_is_not_repeated(portal, listener):
    listener.status = 500
    portal.subscribe(listener.url)
    portal.ui_add(1, {})
    assert portal.wait_for_events()
    assert len(listener.bodies) == 1
    assert (portal.stats.events_sent, portal.stats.events_failed) == (0, 1)


def test_nobody_listening_hurts_nobody(portal):
    portal.subscribe("http://127.0.0.1:9/hook")
    portal.ui_add(1, {})
    assert portal.wait_for_events()
    assert portal.stats.events_failed == 1
    portal.close()


def test_lost_and_doubled_events(portal, listener):
    portal.subscribe(listener.url)
    portal.delivery.drop_rate = 0.3
    portal.delivery.duplicate_rate = 0.3
    portal.delivery.delay = 0.05
    for _ in range(100):
        portal.ui_add(1, {})
    assert portal.wait_for_events()

    arrived = [number for _, number in listener.events]
    assert len(set(arrived)) < 100
    assert len(arrived) > len(set(arrived))
    assert portal.stats.events_dropped == 100 - len(set(arrived))
    assert portal.stats.events_raised == {"ONCRMLEADADD": 100}


def test_the_queue_is_bounded(portal, listener):
    portal.subscribe(listener.url)
    portal.delivery.queue_size = 5
    portal.delivery.delay = 0.5
    for _ in range(50):
        portal.ui_add(1, {})
    assert portal.wait_for_events()
    assert portal.stats.events_dropped >= 40
    assert len(listener.bodies) + portal.stats.events_dropped == 50


def test_reset(portal):
    portal.ui_add(1, {})
    portal.call("profile")
    portal.reset_stats()
    stats = portal.stats
    assert (stats.requests, stats.commands, stats.events_raised) == (0, {}, {})
