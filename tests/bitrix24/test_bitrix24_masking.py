"""Secrets in any text, and the errors that carry such text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bitrix24 import errors, mask
from app.bitrix24.methods import Kind, kind_of

SECRET = "x9k2m4p7q1"


@pytest.mark.parametrize(
    "text",
    [
        f"https://acme.example/rest/7/{SECRET}/crm.item.get",
        f"https://acme.example/rest/api/7/{SECRET}/tasks.task.get",
        f"POST /rest/7/{SECRET}/batch.json HTTP/1.1",
        f"/rest/7/{SECRET}",
        f"%2Frest%2F7%2F{SECRET}%2Fprofile",
        f'{{"url":"https:\\/\\/acme.example\\/rest\\/7\\/{SECRET}\\/profile"}}',
        f"auth[access_token]={SECRET}&x=1",
        f"auth%5Bapplication_token%5D={SECRET}",
        f'{{"refresh_token": "{SECRET}"}}',
        f"{{'application_token': '{SECRET}'}}",
        f"https://acme.example/file?auth={SECRET}",
        f"AUTH_ID={SECRET}",
        f"access_token: {SECRET}",
    ],
)
def test_secrets_are_masked_once_and_for_all(text):
    masked = mask(text)
    assert SECRET not in masked
    assert "***" in masked
    assert mask(masked) == masked


@pytest.mark.parametrize("text", ["crm.item.get answered 502", "author: somebody", "/rest/crm.item.get", ""])
def test_plain_text_is_left_alone(text):
    assert mask(text) == text


@given(st.text(), st.text())
def test_a_webhook_is_masked_in_any_surroundings(before, after):
    assert SECRET not in mask(f"{before}/rest/1/{SECRET}/{after}")


def test_an_error_says_where_what_and_what_to_do():
    error = errors.NotFound("Item not found", method="crm.item.get", code="NOT_FOUND", status=400)
    assert str(error) == (
        "crm.item.get: Item not found [NOT_FOUND, HTTP 400]. It was deleted, or the webhook's owner may not see it."
    )


def test_errors_copy_whole():
    error = errors.OperatingLimited("x", method="m", code="c", status=429)
    error.reset_in = 5.0
    twin = error.again()
    assert twin is not error
    assert (type(twin), str(twin), twin.reset_in, twin.status) == (type(error), str(error), 5.0, 429)


def test_the_tree_has_two_branches_and_every_leaf_advises():
    leaves = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.Bitrix24Error)]
    for one in leaves:
        if one is not errors.Bitrix24Error:
            assert issubclass(one, errors.Temporary) != issubclass(one, errors.Permanent)
        assert one.__name__ in errors.__doc__
        assert one.advice


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("crm.item.get", Kind.READ),
        ("crm.item.list", Kind.READ),
        ("CRM.ITEM.LIST.json", Kind.READ),
        ("crm.item.fields", Kind.READ),
        ("profile", Kind.READ),
        ("server.time", Kind.READ),
        ("crm.duplicate.findbycomm", Kind.READ),
        ("user.current", Kind.READ),
        ("crm.deal.contact.items.get", Kind.READ),
        ("event.offline.get", Kind.CREATING),
        ("crm.item.update", Kind.IDEMPOTENT),
        ("crm.item.delete", Kind.IDEMPOTENT),
        ("crm.item.productrow.set", Kind.IDEMPOTENT),
        ("crm.item.add", Kind.CREATING),
        ("crm.activity.todo.add", Kind.CREATING),
        ("crm.timeline.comment.add", Kind.CREATING),
        ("crm.automation.trigger", Kind.CREATING),
        ("im.notify.system.add", Kind.CREATING),
        ("bizproc.workflow.start", Kind.CREATING),
        ("nobody.knows.this", Kind.CREATING),
    ],
)
def test_methods_by_what_repeating_does(method, kind):
    assert kind_of(method) is kind
