"""A well-known client of the real Salesforce works against the sandbox unchanged."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceMalformedRequest

from .conftest import Client, Server


class SandboxSession(requests.Session):
    """Leads the https addresses that the client makes up to the local server, which has no TLS."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self._base = base

    def request(self, method: str, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        """The request, at the sandbox."""
        parts = urlsplit(url if isinstance(url, str) else url.decode())
        query = f"?{parts.query}" if parts.query else ""
        return super().request(method, f"{self._base}{parts.path}{query}", *args, **kwargs)


@pytest.fixture
def sf(server: Server) -> Any:
    return Salesforce(
        consumer_key="sandbox-scratch",
        consumer_secret="sandbox-secret-scratch",
        domain="scratch.my",
        version="61.0",
        session=SandboxSession(server.url),
    )


class TestSimpleSalesforce:
    def test_reads_all_pages(self, server: Server, crm: Client) -> None:
        token = crm.http.headers["Authorization"].removeprefix("Bearer ")
        sf = Salesforce(
            session_id=token, instance="localhost", version="61.0", session=SandboxSession(server.url)
        )
        found = sf.query_all("SELECT Id, Name FROM Opportunity", include_deleted=True)
        assert found["totalSize"] == len(found["records"]) == 2500

    def test_describes(self, sf: Any) -> None:
        described = sf.describe()
        assert described is not None
        assert "Opportunity" in [each["name"] for each in described["sobjects"]]
        assert sf.Opportunity.describe()["keyPrefix"] == "006"

    def test_creates_reads_updates_and_deletes(self, sf: Any) -> None:
        account = sf.Account.create({"Name": "Made by a client", "NumberOfEmployees": 12})["id"]
        assert sf.Account.update(account, {"Industry": "Energy"}) == 204
        record = sf.Account.get(account)
        assert (record["Industry"], record["NumberOfEmployees"]) == ("Energy", 12)
        now = datetime.now(UTC)
        span = (now - timedelta(minutes=1), now + timedelta(minutes=1))
        assert account in sf.Account.updated(*span)["ids"]
        assert sf.Account.delete(account) == 204
        assert account in [each["id"] for each in sf.Account.deleted(*span)["deletedRecords"]]

    def test_reads_by_bulk(self, sf: Any) -> None:
        pages = list(sf.bulk2.Opportunity.query("SELECT Id, Name FROM Opportunity", wait=0))
        assert "".join(pages).count("006") >= 50

    def test_understands_the_errors_and_signs_in_again_when_its_token_has_ended(
        self, sf: Any, scratch: Client
    ) -> None:
        with pytest.raises(SalesforceMalformedRequest):
            sf.query("SELECT Nope FROM Account")
        scratch.control("expire_tokens")
        assert sf.query("SELECT Id FROM Account LIMIT 1")["totalSize"] == 1
