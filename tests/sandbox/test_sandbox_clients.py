"""Third-party clients, unchanged, against the portal over real HTTP: proof that it is shaped after the
platform and not after our own client.

`fast_bitrix24` takes a plain http address. `b24pysdk` always builds an https one, so the portal is served with
a certificate of the test's own, which `requests` is told to trust through its usual environment variable.
Neither client is patched.
"""

import datetime
import ipaddress
import warnings

import pytest
from b24pysdk import BitrixWebhook, Client
from b24pysdk.errors import BitrixAPIError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fast_bitrix24 import Bitrix, BitrixAsync
from fast_bitrix24.server_response import ErrorInServerResponseException

from app.sandbox.limits import Limits
from app.sandbox.portal import SandboxPortal
from app.sandbox.server import serve_in_thread

LEADS = 230


@pytest.fixture
def portal(clock):
    """A portal with its ordinary limits, the bucket by real ticks, and 230 leads."""
    portal = SandboxPortal(clock=clock, limits=Limits(cost=0.0))
    company = portal.ui_add(4, {"title": "Завод"})
    for number in range(LEADS):
        portal.ui_add(1, {"title": f"Лид {number}", "companyId": company, "opportunity": number})
    return portal


class TestFastBitrix24:
    @pytest.fixture
    def bitrix(self, portal):
        with serve_in_thread(portal) as served:
            yield Bitrix(served.webhook_url, verbose=False)

    def test_get_all_of_the_legacy_list(self, bitrix, portal):
        rows = bitrix.get_all("crm.lead.list", {"select": ["ID", "TITLE"]})
        assert sorted(int(row["ID"]) for row in rows) == list(range(1, LEADS + 1))
        assert portal.stats.requests == 2

    def test_get_all_of_the_universal_list(self, bitrix):
        params = {"entityTypeId": 1, "select": ["id", "title"], "filter": {">opportunity": 99}}
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            rows = bitrix.get_all("crm.item.list", params)
        assert sorted(row["id"] for row in rows) == list(range(101, LEADS + 1))

    def test_get_all_of_the_stage_history(self, bitrix):
        assert len(bitrix.get_all("crm.stagehistory.list", {"entityTypeId": 1})) == LEADS

    def test_get_by_id(self, bitrix, portal):
        found = bitrix.get_by_ID("crm.lead.get", range(1, 121))
        assert {int(key): row["TITLE"] for key, row in found.items()} == {n: f"Лид {n - 1}" for n in range(1, 121)}
        assert portal.stats.requests == 3

    def test_calls_are_gathered_into_batches(self, bitrix, portal):
        updates = [{"ID": number, "fields": {"TITLE": f"Новый {number}"}} for number in range(1, 121)]
        bitrix.call("crm.lead.update", updates)
        assert [item["title"] for item in portal.items(1)][:120] == [f"Новый {n}" for n in range(1, 121)]
        assert portal.stats.requests == 3

    def test_calls_of_the_universal_family(self, bitrix, portal):
        adds = [
            {"entityTypeId": 2, "fields": {"title": f"Сделка {n}", "contactIds": [], "leadId": n}} for n in range(60)
        ]
        made = bitrix.call("crm.item.add", adds)
        assert sorted(item["leadId"] or 0 for item in made) == list(range(60))
        assert len(portal.items(2)) == 60

    def test_an_error_inside_a_batch_reaches_the_caller(self, bitrix):
        with pytest.raises(ErrorInServerResponseException, match="Not found"):
            bitrix.call("crm.lead.update", [{"ID": 9999, "fields": {"TITLE": "A"}}] * 2)

    @pytest.mark.anyio
    async def test_the_async_client(self, portal):
        with serve_in_thread(portal) as served:
            client = BitrixAsync(served.webhook_url, verbose=False)
            rows = await client.get_all("user.get", {"FILTER": {"ACTIVE": True}})
        assert {row["ID"] for row in rows} == {str(user) for user in portal.world.people.users}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate for the loopback address: (certificate file, key file)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    today = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return str(cert_file), str(key_file)


class TestB24PySdk:
    @pytest.fixture
    def client(self, portal, certificate, monkeypatch):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificate[0])
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        with serve_in_thread(portal, tls=certificate) as served:
            token = BitrixWebhook(
                domain=served.url.removeprefix("https://"),
                webhook_token=f"{portal.world.owner_id}/{portal.webhook_secret}",
            )
            yield Client(token)

    def test_a_typed_get(self, client):
        item = client.crm.item.get(entity_type_id=1, bitrix_id=7).response.result["item"]
        assert (item["id"], item["title"], item["companyId"]) == (7, "Лид 6", 1)

    def test_typed_add_update_and_delete(self, client, portal):
        item = client.crm.item.add(entity_type_id=2, fields={"title": "Сделка"}).response.result["item"]
        won = client.crm.item.update(entity_type_id=2, bitrix_id=item["id"], fields={"stageId": "WON"})
        assert won.response.result["item"]["closed"] == "Y"
        assert portal.item(2, item["id"])["stageSemanticId"] == "S"
        assert client.crm.item.delete(entity_type_id=2, bitrix_id=item["id"]).response.result == []

    def test_the_time_object_is_read(self, client):
        time = client.crm.lead.get(bitrix_id=1).response.time
        assert time.operating_reset_at is not None
        assert time.date_start.utcoffset() == datetime.timedelta(hours=3)

    def test_list_iteration(self, client, portal):
        request = client.crm.item.list(entity_type_id=1, select=["id"], order={"id": "ASC"})
        assert [item["id"] for item in request.as_list().result] == list(range(1, LEADS + 1))

    def test_fast_list_iteration(self, client):
        rows = client.crm.lead.list(select=["ID"]).as_list_fast().result
        assert [int(row["ID"]) for row in rows] == list(range(1, LEADS + 1))

    def test_a_batch_of_typed_requests(self, client):
        requests = {
            "lead": client.crm.item.get(entity_type_id=1, bitrix_id=3),
            "gone": client.crm.item.get(entity_type_id=1, bitrix_id=9999),
            "stages": client.crm.status.list(filter={"ENTITY_ID": "STATUS"}),
        }
        found = client.call_batch(requests).result
        assert found.result["lead"]["item"]["title"] == "Лид 2"
        assert len(found.result["stages"]) == 5
        assert found.result_error["gone"]["error"] == "NOT_FOUND"

    def test_many_batches(self, client, portal):
        requests = [client.crm.lead.update(bitrix_id=n, fields={"TITLE": f"Б {n}"}) for n in range(1, 121)]
        assert len(client.call_batches(requests).result.result) == 120
        assert portal.item(1, 120)["title"] == "Б 120"
        assert portal.stats.requests == 3

    def test_an_error_is_typed(self, client):
        request = client.crm.item.get(entity_type_id=1, bitrix_id=9999)
        with pytest.raises(BitrixAPIError) as refused:
            assert request.response
        assert refused.value.error == "NOT_FOUND"
