"""The forms in which a phone and an e-mail are asked for."""

import pytest

from app.pipeline.communications import MOST_VALUES, communications_of, email_forms, phone_forms


@pytest.mark.parametrize(
    "typed",
    [
        "+74951234567",
        "84951234567",
        "74951234567",
        "8 (495) 123-45-67",
        "+7 495 123-45-67",
        "(495) 123-45-67",
        " 8-495-123-45-67 доб. 12".replace(" доб.", " ext."),
    ],
)
def test_a_russian_phone_is_the_same_however_it_is_typed(typed):
    forms = phone_forms(typed)
    assert forms[0] == "+74951234567"
    assert {"+74951234567", "84951234567", "74951234567", typed.strip()} <= set(forms)


def test_a_foreign_phone_keeps_its_country():
    assert phone_forms("+49 170 1234567") == ("+491701234567", "+49 170 1234567", "491701234567")


@pytest.mark.parametrize("typed", ["", "0", "-", "112", "нет"])
def test_what_is_no_phone_is_not_asked_for(typed):
    assert phone_forms(typed) == ()


def test_digits_that_are_no_known_number_are_asked_for_as_typed():
    assert phone_forms("123-456-789-012-345-678") == ("123-456-789-012-345-678",)


def test_emails():
    assert email_forms(" Ivan@Zavod.RU ") == ("ivan@zavod.ru", "Ivan@Zavod.RU")
    assert email_forms("a@b.ru") == ("a@b.ru",)
    assert email_forms("@") == ()
    assert email_forms("нет") == ()


def fm(kind, *values):
    return [{"id": n, "typeId": kind, "valueType": "WORK", "value": value} for n, value in enumerate(values)]


def test_twenty_values_are_shared_by_all_phones():
    phones = [f"+7495{n:07d}" for n in range(1_000_001, 1_000_016)]
    found = communications_of({"fm": fm("PHONE", *phones) + fm("EMAIL", "a@b.ru")})
    assert len(found.phones) == MOST_VALUES
    assert found.phones[: len(phones)] == tuple(phones)
    assert found.emails == ("a@b.ru",)


def test_legacy_lists_and_nothing():
    legacy = communications_of({"PHONE": [{"VALUE": "+491701234567"}], "EMAIL": [{"VALUE": "A@b.ru"}]})
    assert legacy.phones[0] == "+491701234567"
    assert legacy.emails == ("a@b.ru", "A@b.ru")
    assert communications_of({"fm": []}) == communications_of({}) == communications_of({"fm": None})
