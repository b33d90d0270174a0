"""What people type into cards in the stories."""

from typing import Any

TARGET: dict[str, Any] = {
    "UF_CRM_OGON_STEAM_TPH": 8,
    "UF_CRM_OGON_TURNOVER": 2_500_000_000,
    "UF_CRM_OGON_INDUSTRY": "MANUFACTURING",
}
SMALL: dict[str, Any] = {
    "UF_CRM_OGON_STEAM_TPH": 1,
    "UF_CRM_OGON_TURNOVER": 20_000_000,
    "UF_CRM_OGON_INDUSTRY": "IT",
}
FITS = {"UF_CRM_OGON_REQUEST_FIT": "yes"}
FITS_NOT = {"UF_CRM_OGON_REQUEST_FIT": "no"}


def phone(number: str) -> dict[str, Any]:
    return {"fm": [{"typeId": "PHONE", "valueType": "WORK", "value": number}]}


def email(address: str) -> dict[str, Any]:
    return {"fm": [{"typeId": "EMAIL", "valueType": "WORK", "value": address}]}


def person(number: int, **more: Any) -> dict[str, Any]:
    """Somebody with a company and a phone of his own."""
    return {
        "title": "Котёл 8 т/ч",
        "companyTitle": f"ООО «Пар-{number}»",
        "name": "Анна",
        "lastName": "Белова",
        **phone(f"+7 (912) 345-{number // 100:02d}-{number % 100:02d}"),
        **more,
    }
