"""hubspot-api-client, HubSpot's own Python client, signs in, writes, meets errors and checks webhooks at the sandbox."""

import json
import queue
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import urllib3
from hand import ADDRESS, AWKWARD, Hand
from hubspot.crm import contacts, deals, pipelines, properties
from hubspot.exceptions import InvalidSignatureTimestampError
from hubspot.oauth import ApiException as OAuthRefusal
from hubspot.utils.oauth import get_auth_url
from hubspot.utils.signature import Signature
from hubspot_parts import client, ids, people, search_for, told, where
from urllib3.util import Retry

pytest_plugins = ("hubspot_parts",)
CALLBACK = "http://localhost:1/callback"
SCOPES = ("oauth", "crm.objects.deals.read", "crm.objects.owners.read")


def code_of(scratch: Hand) -> str:
    """A code from the page on which a person lets the app in."""
    url = get_auth_url(scratch.facts()["client_id"], CALLBACK, SCOPES, state="a b&c")
    page = urlsplit(url)._replace(scheme="http", netloc=urlsplit(ADDRESS).netloc).geturl()
    assert "Connect app" in requests.get(page, timeout=20).text
    answer = requests.post(page, data={"decision": "allow"}, allow_redirects=False, timeout=20)
    back = parse_qs(urlsplit(answer.headers["location"]).query)
    assert back["state"] == ["a b&c"]
    return back["code"][0]


def app(scratch: Hand) -> dict[str, str]:
    """What the app signs its token requests with."""
    facts = scratch.facts()
    return {"client_id": facts["client_id"], "client_secret": facts["client_secret"]}


class TestSigningIn:
    def test_with_a_private_apps_token(self, hs: Any, portal: Hand) -> None:
        details = hs.api_request({"path": "/account-info/v3/details"})
        assert details.json()["portalId"] == portal.facts()["portal_id"]

    def test_with_a_code_then_with_the_refresh_token(self, scratch: Hand) -> None:
        tokens = client().oauth.tokens_api
        first = tokens.create(
            grant_type="authorization_code", code=code_of(scratch), redirect_uri=CALLBACK, **app(scratch)
        )
        assert (first.token_type, first.expires_in) == ("bearer", 1800)
        owners = client(first.access_token).crm.owners.get_all()
        assert len(owners) == len(people(scratch))
        second = tokens.create(grant_type="refresh_token", refresh_token=first.refresh_token, **app(scratch))
        assert second.access_token != first.access_token

    def test_what_a_token_may_do_can_be_asked(self, scratch: Hand) -> None:
        tokens = client().oauth.tokens_api.create(
            grant_type="authorization_code", code=code_of(scratch), redirect_uri=CALLBACK, **app(scratch)
        )
        info = client().oauth.access_tokens_api.get(tokens.access_token)
        assert (info.hub_id, set(info.scopes)) == (scratch.facts()["portal_id"], set(SCOPES))
        kept = client().oauth.refresh_tokens_api.get(tokens.refresh_token)
        assert (kept.hub_id, kept.user_id) == (info.hub_id, info.user_id)
        assert (kept.client_id, set(kept.scopes)) == (scratch.facts()["client_id"], set(SCOPES))
        client().oauth.refresh_tokens_api.archive(tokens.refresh_token)
        with pytest.raises(OAuthRefusal) as refused:
            client().oauth.tokens_api.create(
                grant_type="refresh_token", refresh_token=tokens.refresh_token, **app(scratch)
            )
        assert (refused.value.status, told(refused.value)["status"]) == (400, "BAD_REFRESH_TOKEN")

    def test_an_access_token_ends_after_half_an_hour(self, scratch: Hand) -> None:
        tokens = client().oauth.tokens_api.create(
            grant_type="authorization_code", code=code_of(scratch), redirect_uri=CALLBACK, **app(scratch)
        )
        scratch.command("clock", advance_seconds=1801)
        with pytest.raises(deals.exceptions.UnauthorizedException) as refused:
            client(tokens.access_token).crm.deals.basic_api.get_page()
        assert told(refused.value)["category"] == "EXPIRED_AUTHENTICATION"
        again = client().oauth.tokens_api.create(
            grant_type="refresh_token", refresh_token=tokens.refresh_token, **app(scratch)
        )
        assert client(again.access_token).crm.deals.basic_api.get_page().results

    @pytest.mark.parametrize(
        ("wrong", "status"),
        [
            ({"client_secret": "guessed"}, "BAD_CLIENT_SECRET"),
            ({"client_id": "stranger"}, "BAD_CLIENT_ID"),
            ({"refresh_token": "never"}, "BAD_REFRESH_TOKEN"),
        ],
    )
    def test_wrong_credentials_are_the_clients_own_error(
        self, scratch: Hand, wrong: dict[str, str], status: str
    ) -> None:
        given = {"grant_type": "refresh_token", "refresh_token": "never"} | app(scratch) | wrong
        with pytest.raises(OAuthRefusal) as refused:
            client().oauth.tokens_api.create(**given)
        assert refused.value.status == 400
        assert told(refused.value)["status"] == status

    def test_an_unknown_token_is_the_clients_own_error(self) -> None:
        with pytest.raises(deals.exceptions.UnauthorizedException) as refused:
            client("pat-na1-stranger").crm.deals.basic_api.get_page()
        assert (refused.value.status, told(refused.value)["category"]) == (401, "INVALID_AUTHENTICATION")


class TestRecords:
    def test_create_read_update_archive(self, writer: Any, scratch: Hand, deal: str) -> None:
        api = writer.crm.deals.basic_api
        before = api.get_by_id(deal)
        assert before.properties["amount"] == "1200.5"
        api.update(deal, deals.SimplePublicObjectInput(properties={"amount": "", "dealname": AWKWARD}))
        there = next(each for each in scratch.records("deals") if each["id"] == deal)
        assert there["properties"]["dealname"] == api.get_by_id(deal).properties["dealname"] == AWKWARD
        assert not there["properties"]["amount"]
        api.archive(deal)
        with pytest.raises(deals.exceptions.NotFoundException):
            api.get_by_id(deal)
        gone = api.get_by_id(deal, archived=True)
        assert (gone.archived, gone.updated_at) == (True, datetime.fromisoformat(there["updatedAt"]))

    def test_awkward_text_is_found(self, writer: Any, scratch: Hand) -> None:
        made = writer.crm.deals.basic_api.create(
            deals.SimplePublicObjectInputForCreate(properties={"dealname": AWKWARD})
        )
        found = writer.crm.deals.search_api.do_search(
            search_for(filter_groups=where("dealname", "EQ", value=AWKWARD), properties=["dealname"])
        )
        assert {each.id: each.properties["dealname"] for each in found.results}[made.id] == AWKWARD

    def test_a_new_record_with_its_associations(self, writer: Any, scratch: Hand) -> None:
        company = ids(scratch.records("companies"))[0]
        kind = deals.AssociationSpec(association_category="HUBSPOT_DEFINED", association_type_id=341)
        link = deals.PublicAssociationsForObject(to=deals.PublicObjectId(id=company), types=[kind])
        made = writer.crm.deals.basic_api.create(
            deals.SimplePublicObjectInputForCreate(properties={"dealname": "Linked"}, associations=[link])
        )
        there = next(each for each in scratch.records("deals") if each["id"] == made.id)
        assert [each["id"] for each in there["associations"]["companies"]] == [company]

    def test_merging_leaves_one(self, writer: Any, scratch: Hand, deal: str) -> None:
        other = ids(scratch.records("deals"))[0]
        merge = deals.PublicMergeInput(primary_object_id=deal, object_id_to_merge=other)
        kept = writer.crm.deals.basic_api.merge(merge)
        assert kept.id in ids(scratch.records("deals"))
        assert other not in ids(scratch.records("deals"))

    def test_a_person_who_wants_to_be_forgotten(self, writer: Any, scratch: Hand) -> None:
        gone = ids(scratch.records("contacts"))[-1]
        writer.crm.contacts.basic_api.purge(contacts.PublicGdprDeleteInput(object_id=gone))
        assert gone not in ids(scratch.records("contacts", archived=1))
        with pytest.raises(contacts.exceptions.NotFoundException):
            writer.crm.contacts.basic_api.get_by_id(gone, archived=True)

    def test_a_property_of_ones_own(self, writer: Any) -> None:
        api = writer.crm.properties.core_api
        new = properties.PropertyCreate(
            name="witness_score",
            label="Score",
            type="number",
            field_type="number",
            group_name="dealinformation",
        )
        assert api.create("deals", new).name == "witness_score"
        made = writer.crm.deals.basic_api.create(
            deals.SimplePublicObjectInputForCreate(properties={"dealname": "Scored", "witness_score": "7"})
        )
        read = writer.crm.deals.basic_api.get_by_id(made.id, properties=["witness_score"])
        assert read.properties["witness_score"] == "7"
        api.archive("deals", "witness_score")
        assert "witness_score" not in {each.name for each in api.get_all("deals").results}

    def test_a_renamed_stage_leaves_its_deals_alone(self, writer: Any, scratch: Hand) -> None:
        there = scratch.records("deals")[0]
        pipeline, stage = there["properties"]["pipeline"], there["properties"]["dealstage"]
        api = writer.crm.pipelines.pipeline_stages_api
        patch = pipelines.PipelineStagePatchInput(label="Renamed", metadata={})
        assert api.update("deals", pipeline, stage, patch).label == "Renamed"
        assert api.get_by_id("deals", pipeline, stage).label == "Renamed"
        assert next(each for each in scratch.records("deals") if each["id"] == there["id"]) == there

    def test_a_value_that_does_not_fit_names_its_property(self, writer: Any) -> None:
        with pytest.raises(deals.ApiException) as refused:
            writer.crm.deals.basic_api.create(
                deals.SimplePublicObjectInputForCreate(properties={"amount": "much"})
            )
        assert refused.value.status == 400
        assert "amount" in told(refused.value)["message"]


class TestThingsThatGoWrong:
    @pytest.mark.parametrize(
        ("status", "error"),
        [
            (401, deals.exceptions.UnauthorizedException),
            (403, deals.exceptions.ForbiddenException),
            (404, deals.exceptions.NotFoundException),
            (429, deals.exceptions.ApiException),
            (500, deals.exceptions.ServiceException),
            (503, deals.exceptions.ServiceException),
        ],
    )
    def test_refusals_are_the_clients_own_errors(
        self, writer: Any, scratch: Hand, status: int, error: type[Exception]
    ) -> None:
        scratch.fault(kind="status", status=status, path_contains="/objects/deals")
        with pytest.raises(error) as refused:
            writer.crm.deals.basic_api.get_page()
        assert type(refused.value) is error
        assert refused.value.status == status  # type: ignore[attr-defined]  # each of these errors has one
        assert told(refused.value)["correlationId"]
        assert writer.crm.deals.basic_api.get_page().results

    def test_a_missing_scope_is_named(self, writer: Any, scratch: Hand) -> None:
        scratch.command("scopes", remove=["crm.objects.deals.read"])
        with pytest.raises(deals.exceptions.ForbiddenException) as refused:
            writer.crm.deals.basic_api.get_page()
        scratch.command("scopes", add=["crm.objects.deals.read"])
        body = told(refused.value)
        assert body["category"] == "MISSING_SCOPES"
        assert body["errors"][0]["context"]["requiredScopes"] == ["crm.objects.deals.read"]

    def test_an_address_that_is_too_long(self, writer: Any) -> None:
        with pytest.raises(deals.ApiException) as refused:
            writer.crm.deals.basic_api.get_page(properties=[f"property_{number}" for number in range(2000)])
        assert refused.value.status == 414

    def test_the_limit_of_ten_seconds(self, writer: Any, scratch: Hand) -> None:
        requests.delete(f"{scratch.address}/stats", timeout=20)
        scratch.command("switches", calls_per_ten_seconds=3)
        pages = [writer.crm.deals.basic_api.get_page_with_http_info(limit=1) for _ in range(3)]
        assert [headers["X-HubSpot-RateLimit-Remaining"] for _, _, headers in pages] == ["2", "1", "0"]
        with pytest.raises(deals.ApiException) as refused:
            writer.crm.deals.basic_api.get_page()
        body = told(refused.value)
        assert (refused.value.status, body["policyName"]) == (429, "TEN_SECONDLY_ROLLING")
        assert body["errorType"] == "RATE_LIMIT"

    def test_the_limit_of_searches(self, writer: Any, scratch: Hand) -> None:
        requests.delete(f"{scratch.address}/stats", timeout=20)
        scratch.command("switches", searches_per_second=2)
        with pytest.raises(deals.ApiException) as refused:
            for _ in range(50):
                writer.crm.deals.search_api.do_search(search_for())
        assert told(refused.value)["message"] == "You have reached your secondly limit."

    def test_a_client_that_retries_waits_as_it_is_told(self, scratch: Hand) -> None:
        retry = Retry(
            total=3, status_forcelist=[429, 502], respect_retry_after_header=True, backoff_factor=0.01
        )
        patient = client(scratch.facts()["token"], retry)
        scratch.fault(
            kind="status", status=429, path_contains="/objects/deals", times=2, headers={"Retry-After": "1"}
        )
        started = time.monotonic()
        assert patient.crm.deals.basic_api.get_page().results
        assert time.monotonic() - started >= 2

    def test_an_answer_cut_in_the_middle_is_not_taken_for_whole(self, writer: Any, scratch: Hand) -> None:
        scratch.fault(kind="cut", path_contains="/objects/deals")
        with pytest.raises(urllib3.exceptions.HTTPError):
            writer.crm.deals.basic_api.get_page(limit=100)
        assert writer.crm.deals.basic_api.get_page().results

    def test_a_server_that_keeps_silent_runs_into_the_clients_time_limit(
        self, writer: Any, scratch: Hand
    ) -> None:
        scratch.fault(kind="timeout", path_contains="/objects/deals", seconds=5)
        with pytest.raises(urllib3.exceptions.HTTPError):
            writer.crm.deals.basic_api.get_page(_request_timeout=0.3)


class Receiver(HTTPServer):
    """Keeps what is delivered to it: headers and body."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taking)
        self.taken: queue.Queue[tuple[dict[str, str], str]] = queue.Queue()

    @property
    def url(self) -> str:
        """Where to deliver."""
        return f"http://127.0.0.1:{self.server_port}/hooks?a=b"


class Taking(BaseHTTPRequestHandler):
    """Takes a delivery."""

    def do_POST(self) -> None:
        """Take it and say so."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        assert isinstance(self.server, Receiver)
        self.server.taken.put(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def delivery(scratch: Hand, writer: Any) -> Iterator[tuple[dict[str, str], str, str]]:
    """Headers, body and address of a delivery about a deal with an awkward name."""
    receiver = Receiver()
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    scratch.command("webhooks", subscription={"url": receiver.url, "client_secret": "hush"})
    writer.crm.deals.basic_api.create(
        deals.SimplePublicObjectInputForCreate(properties={"dealname": AWKWARD})
    )
    headers, body = receiver.taken.get(timeout=10)
    yield headers, body, receiver.url
    receiver.shutdown()


class TestWebhooks:
    def check(self, delivery: tuple[dict[str, str], str, str], **changed: str) -> bool:
        """What the client's own helper says of a delivery, or of one that was tampered with."""
        headers, body, url = delivery
        given = {
            "signature": headers["x-hubspot-signature-v3"],
            "timestamp": headers["x-hubspot-request-timestamp"],
            "client_secret": "hush",
            "request_body": body,
            "http_uri": url,
        }
        return bool(Signature.is_valid(signature_version="v3", http_method="POST", **given | changed))

    def test_the_signature_is_accepted(self, delivery: tuple[dict[str, str], str, str]) -> None:
        assert self.check(delivery)
        events = json.loads(delivery[1])
        assert {"deal.creation", "deal.propertyChange"} & {each["subscriptionType"] for each in events}

    @pytest.mark.parametrize(
        "changed",
        [
            {"client_secret": "guessed"},
            {"request_body": "[]"},
            {"http_uri": "http://127.0.0.1/other"},
            {"timestamp": str(int(time.time() * 1000) + 1)},
        ],
    )
    def test_a_tampered_one_is_refused(
        self, delivery: tuple[dict[str, str], str, str], changed: dict[str, str]
    ) -> None:
        assert not self.check(delivery, **changed)

    def test_an_old_one_is_refused(self, delivery: tuple[dict[str, str], str, str]) -> None:
        with pytest.raises(InvalidSignatureTimestampError):
            self.check(delivery, timestamp=str(int(time.time() * 1000) - 400_000))

    def test_the_older_signature_is_accepted(self, delivery: tuple[dict[str, str], str, str]) -> None:
        headers, body, _ = delivery
        assert headers["x-hubspot-signature-version"] == "v1"
        signature = headers["x-hubspot-signature"]
        assert Signature.is_valid(signature, "hush", body, signature_version="v1")
        assert not Signature.is_valid(signature, "hush", body + " ", signature_version="v1")
