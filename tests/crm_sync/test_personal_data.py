"""What a mapping's page shows of a CRM's people."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from audit.models import Event
from isolation import context
from tenants.models import Member
from tests.crm_sync.conftest import Crm

PAGE = "/w/acme-corp/settings/crm/salesforce/mapping/?object=Contact"
ADDRESS = "ravi.k@customer.example"


@pytest.fixture
def contact_id(crm: Crm) -> str:
    """A contact whose address is the newest in the CRM."""
    found = crm.client.snapshot("Contact")[0]["Id"]
    crm.client.control(
        "update", object="Contact", id=found, fields={"Email": ADDRESS, "Phone": "98123 45678"}
    )
    return str(found)


def _reads(crm: Crm) -> list[dict[str, object]]:
    with context.tenant_wide(crm.tenant.id):
        return list(Event.objects.filter(code="rbac.personal_data_read").values_list("facts", flat=True))


class TestSamplesOfAMapping:
    def test_are_masked_without_the_right(
        self, crm: Crm, contact_id: str, analyst: Member, client_of: Callable[[Member], Client]
    ) -> None:
        page = client_of(analyst).get(PAGE).content.decode()
        assert "r***@customer.example" in page
        assert "98****5678" in page
        assert contact_id in page
        assert ADDRESS not in page
        assert "98123 45678" not in page
        assert _reads(crm) == []

    def test_are_shown_with_it_and_on_record(
        self, crm: Crm, contact_id: str, admin: Member, client_of: Callable[[Member], Client]
    ) -> None:
        assert ADDRESS in client_of(admin).get(PAGE).content.decode()
        (read,) = _reads(crm)
        assert (read["door"], read["data"]) == ("crm_sync:mapping", "contact data of the CRM")

    def test_that_were_tried_are_on_record(
        self, crm: Crm, contact_id: str, admin: Member, client_of: Callable[[Member], Client]
    ) -> None:
        crm.sync()
        tried = client_of(admin).post(PAGE, {"object": "Contact", "base_version": "0", "do": "try"})
        assert ADDRESS in tried.content.decode()
        (read,) = _reads(crm)
        assert contact_id in str(read["items"])
