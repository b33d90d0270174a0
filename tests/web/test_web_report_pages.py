"""Pages of reports: any report of the common shape, with filters, coverage, chart, table, cards, download."""

import re
from datetime import date
from decimal import Decimal

import httpx
import pytest

from app.domain.messages import message
from app.reports import REPORTS
from app.reports.report import Chart, Column, Coverage, FoundCard, FoundCards, NoSuchNumber, Report, Row, Table, Told
from app.store import tokens

pytestmark = pytest.mark.anyio

ADMIN = "admin-token-of-the-tests"


async def tell(_session, scope) -> Told:
    if scope.filter.manager == 404:
        return Told(())
    columns = (Column("leads", message("Leads"), cards=True), Column("share", message("Share"), "share"))
    rows = (Row("a", "<b>Site</b>", {"leads": 2, "share": 0.5}), Row("", message("not known"), {"leads": 0}, 1))
    totals = Row("", message("All"), {"leads": 2})
    table = Table(
        "main", message("Leads"), message("Source"), columns, rows, totals=totals, chart=Chart("bars", ("leads",))
    )
    return Told((table,), (Coverage(message("Source"), 2, 3),), (message("Data needed"),))


async def opened(_session, _scope, number, limit, _offset) -> FoundCards:
    if number.column != "leads":
        raise NoSuchNumber(str(number))
    cards = (
        FoundCard(1, 7, "Boiler", 21, None, date(2026, 11, 20)),
        FoundCard(2, 8, None, None, Decimal(900), None),
        FoundCard(2, 9, None, None, None, None, known=False),
    )
    return FoundCards(cards[:limit], 3, (message("{calls} calls", calls=12),))


SAMPLE = Report(
    name="sample",
    title=message("Sample report"),
    definition=message("What is counted."),
    tell=tell,
    open=opened,
    filters=frozenset({"period", "manager", "segment"}),
    role="head",
)


@pytest.fixture
async def reader(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> httpx.AsyncClient:
    monkeypatch.setitem(REPORTS, "sample", SAMPLE)
    await client.post("/login", data={"token": ADMIN})
    return client


async def test_a_report_of_the_common_shape_is_shown_without_a_line_of_its_own(reader: httpx.AsyncClient) -> None:
    assert 'href="/reports/sample"' in (await reader.get("/reports")).text
    page = (await reader.get("/reports/sample?since=2026-11-01&until=2026-11-20&segment=regular")).text
    for shown in ("What is counted.", "filled for 67\xa0%", "Data needed", "&lt;b&gt;Site&lt;/b&gt;", 'width="100.0%"'):
        assert shown in page
    assert 'value="regular" selected' in page
    link = re.search(r'href="(/reports/sample/cards[^"]+)">2<', page)
    assert link is not None
    address = link[1].replace("&amp;", "&")
    assert "since=2026-11-01" in address
    assert "segment=regular" in address
    assert "row=a" in address
    cards = (await reader.get(address)).text
    assert "Boiler" in cards
    assert 'href="/cards/deal/8' in cards
    assert "900 RUB" in cards
    assert "/crm/deal/details/9/" in cards
    assert "/cards/deal/9" not in cards, "nothing of ours is told of it"
    assert '<p class="note">12 calls</p>' in cards
    token = {"Authorization": f"Bearer {ADMIN}"}
    assert (await reader.get(f"/api/v1{address}", headers=token)).json()["notes"] == ["12 calls"]


async def test_fields_left_empty_ask_nothing_and_wrong_ones_are_told(reader: httpx.AsyncClient) -> None:
    assert (await reader.get("/reports/sample?since=&until=&manager=&segment=&pipeline=")).status_code == 200
    for wrong, status in (("since=2026-13-01", 422), ("pipeline=3", 422), ("since=2026-11-20&until=2026-11-01", 422)):
        answer = await reader.get(f"/reports/sample?{wrong}")
        assert answer.status_code == status, wrong
        assert answer.headers["content-type"].startswith("text/html")
    assert (await reader.get("/reports/nothing")).status_code == 404
    assert (await reader.get("/reports/sample/cards?table=main&column=share")).status_code == 404


async def test_a_report_without_figures_says_so(reader: httpx.AsyncClient) -> None:
    assert "Nothing in this period" in (await reader.get("/reports/sample?manager=404")).text


async def test_a_download_is_what_the_api_answers(reader: httpx.AsyncClient) -> None:
    answer = await reader.get("/reports/sample/download.json?since=2026-11-01&until=2026-11-20")
    assert answer.headers["content-disposition"] == 'attachment; filename="sample-2026-11-01-2026-11-20.json"'
    period, token = "since=2026-11-01&until=2026-11-20", {"Authorization": f"Bearer {ADMIN}"}
    assert answer.json() == (await reader.get(f"/api/v1/reports/sample?{period}", headers=token)).json()
    sheet = await reader.get(f"/reports/sample/download.csv?{period}&table=main")
    assert sheet.content == (await reader.get(f"/api/v1/reports/sample.csv?{period}", headers=token)).content
    book = await reader.get(f"/reports/sample/download.xlsx?{period}")
    assert book.content.startswith(b"PK")


async def test_a_report_for_heads_is_neither_listed_nor_shown_to_viewers(reader: httpx.AsyncClient, database) -> None:
    async with database.writing() as session:
        _, secret = await tokens.create(session, name="eyes", role="viewer", by="test")
    reader.cookies.clear()
    await reader.post("/login", data={"token": secret.get_secret_value()})
    assert "/reports/sample" not in (await reader.get("/reports")).text
    for path in ("/reports/sample", "/reports/sample/cards?table=main&column=leads", "/reports/sample/download.csv"):
        assert (await reader.get(path)).status_code == 403
