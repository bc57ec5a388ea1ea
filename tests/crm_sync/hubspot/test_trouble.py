"""What can go wrong between us and a portal, and what a person reads about it."""

from __future__ import annotations

import pytest
from django.conf import LazySettings

from crm_sync.connectors.base import ConfigurationProblem, PassingProblem
from crm_sync.connectors.hubspot.client import Access, Client
from crm_sync.connectors.hubspot.records import Records
from crm_sync.connectors.hubspot.source import open_hubspot
from crm_sync.errors import ConnectionNotSetUp
from crm_sync.models import Activity, Connection, ConnectionState, RunState
from isolation import context
from tests.crm_sync.hubspot.conftest import Hub
from tests.crm_sync.hubspot.mirrored import assert_equal


def _failed(hub: Hub, code: str) -> str:
    run = hub.sync()
    assert (run.state, run.error_code) == (RunState.FAILED, code)
    connection = hub.connection
    assert (connection.state, connection.error_code) == (ConnectionState.NEEDS_ATTENTION, code)
    assert hub.portal.facts["token"] not in connection.error_message
    return str(connection.error_message)


class TestTheToken:
    def test_that_is_wrong_is_to_be_entered_again(self, hub: Hub) -> None:
        hub.connect(token="pat-na1-00000000-0000-0000-0000-000000000000")
        assert "Copy the token of the private app again" in _failed(hub, "token_refused")

    def test_that_is_revoked_in_the_middle_ends_the_run(self, hub: Hub) -> None:
        hub.sync()
        hub.portal.control("revoke_token", token=hub.portal.facts["token"])
        assert "replaced or deleted" in _failed(hub, "token_refused")

    def test_that_has_expired_says_so(self, hub: Hub) -> None:
        hub.connect(token=hub.portal.let_in("oauth crm.objects.deals.read")["access_token"])
        hub.portal.control("expire_tokens")
        assert "has expired" in _failed(hub, "token_expired")

    def test_that_is_missing_is_a_connection_not_set_up(self, hub: Hub) -> None:
        with pytest.raises(ConnectionNotSetUp):
            open_hubspot(Connection(source="hubspot"))


class TestAScope:
    def test_without_which_nothing_works_is_named(self, hub: Hub) -> None:
        hub.portal.control("scopes", remove=["crm.objects.deals.read"])
        assert "lacks a scope: crm.objects.deals.read" in _failed(hub, "scope_missing")

    def test_of_owners_is_named(self, hub: Hub) -> None:
        hub.portal.control("scopes", remove=["crm.objects.owners.read"])
        assert "crm.objects.owners.read" in _failed(hub, "scope_missing")

    def test_of_what_can_be_done_without_is_left_out_with_a_note(self, hub: Hub) -> None:
        hub.portal.control("scopes", remove=["sales-email-read"])
        run = hub.sync()
        assert run.state == RunState.SUCCEEDED
        assert "may not read emails" in hub.result(run, "emails").note
        with context.tenant_wide(hub.tenant.id):
            assert not Activity.objects.filter(source="hubspot", kind="email").exists()
            assert Activity.objects.filter(source="hubspot", kind="call").exists()


class TestTrouble:
    @pytest.mark.parametrize(
        "fault",
        [
            {"kind": "status", "status": 500}, {"kind": "status", "status": 503}, {"kind": "cut"}, {"kind": "timeout"},
            {"kind": "status", "status": 429}, {"kind": "status", "status": 200, "body": "<html>Sorry</html>"},
            {"kind": "status", "status": 200, "body": '{"results": [{"id": null}]}'},
        ],
        ids=str,
    )  # fmt: skip
    def test_that_passes_leaves_no_trace(
        self, hub: Hub, settings: LazySettings, fault: dict[str, object]
    ) -> None:
        settings.CRM_HTTP_TIMEOUT_SECONDS = 2
        for path in ("/objects/deals", "/associations/deals/contacts", "/objects/contacts"):
            hub.portal.control("fault", path_contains=path, **fault)
        run = hub.sync()
        assert (run.state, run.error_message) == (RunState.SUCCEEDED, "")
        assert_equal(hub)

    def test_with_a_property_that_was_removed_keeps_its_last_values(self, hub: Hub) -> None:
        hub.sync()
        hub.portal.control("schema", object="deals", remove="hs_next_step")
        run = hub.sync()
        assert run.state == RunState.SUCCEEDED
        assert "hs_next_step" in hub.result(run, "deals").note


class TestACall:
    @pytest.fixture
    def client(self, hub: Hub) -> Client:
        address = f"{hub.portal.base}/portals/{hub.portal.name}"
        return Client(Access(address, hub.portal.facts["token"], "", 0))

    def test_for_more_than_an_address_holds_says_what_to_do(self, client: Client) -> None:
        with pytest.raises(ConfigurationProblem, match="Map fewer custom fields"):
            client.get("/crm/v3/objects/deals", Records, properties="x" * 17_000)

    def test_to_nowhere_says_so(self, client: Client) -> None:
        with pytest.raises(ConfigurationProblem) as raised:
            client.get("/crm/v3/objects/unicorns", Records)
        assert "HubSpot" in raised.value.sentence

    def test_with_half_a_character_in_its_answer_is_read(self, hub: Hub, client: Client) -> None:
        body = '{"results": [{"id": "1", "properties": {"dealname": "half \\ud83e"}}]}'
        hub.portal.control("fault", kind="status", status=200, path_contains="/objects/deals", body=body)
        assert client.get("/crm/v3/objects/deals", Records).results[0].get("dealname").startswith("half ")

    def test_to_an_address_inside_is_not_made(self) -> None:
        client = Client(Access("https://10.0.0.1", "pat-na1-secret", "1", 0))
        with pytest.raises(ConfigurationProblem, match="private network"):
            client.get("/crm/v3/objects/deals", Records)

    def test_to_no_host_passes_perhaps(self) -> None:
        client = Client(Access("https://nowhere.invalid", "pat-na1-secret", "1", 0))
        with pytest.raises(PassingProblem) as raised:
            client.get("/crm/v3/objects/deals", Records)
        assert "pat-na1-secret" not in raised.value.sentence


class TestTheCheck:
    def test_tells_which_portal_it_is_and_keeps_that(self, hub: Hub) -> None:
        source = open_hubspot(hub.connection)
        portal_id = str(hub.portal.facts["portal_id"])
        assert source.check().startswith(f"Signed in to portal {portal_id}, and deals can be read.")
        source.close()
        assert (hub.connection.portal_id, hub.connection.account_label) == (
            portal_id,
            f"Portal {portal_id} (app.hubspot.com)",
        )

    def test_names_a_scope_that_is_missing(self, hub: Hub) -> None:
        hub.portal.control("scopes", remove=["crm.objects.deals.read"])
        with pytest.raises(ConfigurationProblem, match=r"crm\.objects\.deals\.read"):
            open_hubspot(hub.connection).check()


class TestDescribing:
    def test_names_every_field_that_is_read(self, hub: Hub) -> None:
        source = open_hubspot(hub.connection)
        for spec in source.objects():
            described = source.describe(spec)
            assert described is not None
            assert set(spec.fields) - described.keys() <= {spec.currency_field}
        deals = source.describe(source.objects()[4])
        assert deals is not None
        assert (deals["region"].is_custom, deals["days_open"].is_calculated, deals["amount"].kind) == (
            True,
            True,
            "number",
        )

    def test_gives_samples_as_the_mirror_would_hold_them(self, hub: Hub) -> None:
        source = open_hubspot(hub.connection)
        deals = next(spec for spec in source.objects() if spec.name == "deals")
        rows = source.sample(deals, ["dealname", "hs_deal_stage_probability", "closedate", "region"], 5)
        assert len(rows) == 5
        assert all(
            row["dealname"] and row["hs_deal_stage_probability"].isdigit() and len(row["closedate"]) == 10
            for row in rows
        )
