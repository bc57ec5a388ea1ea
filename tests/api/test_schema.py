"""What the API's description promises holds for whatever a client sends: no failure, no answer outside the description."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from django.conf import settings
from django.core import signals
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as limits
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from revops_admin.wsgi import application
from tenants.models import Member
from tests import cast
from tests.api.conftest import Planted
from tests.pipeline.shares import give
from tests.test_permission_table import NOBODY, routes

pytestmark = pytest.mark.django_db
SCHEMA = schemathesis.openapi.from_wsgi("/api/v1/schema/?format=json", application)
OPERATIONS = {found.ok().label: found.ok() for found in SCHEMA.get_all_operations() if isinstance(found, Ok)}
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance,
]  # fmt: skip
TOKEN = "t" * 32
EXAMPLES = 8


@pytest.fixture(autouse=True)
def one_connection() -> Iterator[None]:
    """The program closes its connection after a request, and with it the transaction that the test rolls back."""
    ends = (signals.request_started, signals.request_finished)
    for signal in ends:
        signal.disconnect(close_old_connections)
    yield
    for signal in ends:
        signal.connect(close_old_connections)


@dataclass
class Caller:
    """Somebody signed in, and the ids that the path parameters are drawn from."""

    cookies: dict[str, str]
    tenant: str
    known: dict[str, str]

    def place(self, case: Any, is_known: bool) -> None:
        """Send the case to the own workspace, and to a row that is there if ``is_known``."""
        for name in case.path_parameters or {}:
            if name == "tenant":
                case.path_parameters[name] = self.tenant
            elif is_known or name != "external_id":
                case.path_parameters[name] = self.known[name]

    def send(self, case: Any) -> None:
        """Send it and judge the answer."""
        case.call_and_validate(cookies=self.cookies, headers={"X-CSRFToken": TOKEN}, checks=CHECKS)


def caller(member: Member, planted: Planted, client_of: Any) -> Caller:
    client = client_of(member)
    cookies = {
        "csrftoken": TOKEN,
        settings.SESSION_COOKIE_NAME: client.cookies[settings.SESSION_COOKIE_NAME].value,
    }
    ids = {
        "source": "salesforce",
        "alert_id": str(planted.alert.id),
        "run_id": str(planted.run.id),
        "member_id": str(planted.grant.member_id),
        "grant_id": str(planted.grant.id),
        "campaign_id": str(planted.review_item.campaign_id),
        "item_id": str(planted.review_item.id),
        "share_id": str(give(planted.rep_deals[0], planted.grant.member).id),
    }
    return Caller(cookies, member.tenant.slug, ids)


def known_ids(label: str, planted: Planted) -> dict[str, str]:
    deal = planted.rep_deals[0]
    if "owners" in label:
        return {"external_id": deal.owner_external_id}
    return {"external_id": planted.account.external_id if "accounts" in label else deal.external_id}


def test_every_endpoint_is_described() -> None:
    described = {label.split()[1] for label in OPERATIONS}
    helpers = {"api_schema", "api_docs", "api_unknown"}
    routed = {route.address for route in routes() if route.is_api and route.name not in helpers}
    assert len(described) == len(routed)


@pytest.mark.parametrize("label", OPERATIONS)
@pytest.mark.parametrize("who", ["admin", "rep", "partner"])
def test_answers_are_as_described(
    who: str, label: str, request: pytest.FixtureRequest, planted: Planted, client_of: Any
) -> None:
    someone = caller(request.getfixturevalue(who), planted, client_of)
    someone.known |= known_ids(label, planted)
    operation = OPERATIONS[label]
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

        @given(case=operation.as_strategy(generation_mode=mode), is_known=st.booleans())
        @limits(
            max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        def answers(case: Any, is_known: bool) -> None:
            someone.place(case, is_known)
            someone.send(case)

        answers()


@pytest.mark.parametrize("label", OPERATIONS)
def test_nobody_is_answered_without_signing_in(label: str) -> None:
    operation = OPERATIONS[label]
    values = {
        "tenant": cast.ACME,
        "external_id": "006",
        "source": "salesforce",
        **dict.fromkeys(
            ("alert_id", "run_id", "member_id", "grant_id", "campaign_id", "item_id", "share_id"), str(NOBODY)
        ),
    }
    names = [parameter.name for parameter in operation.path_parameters]
    case = operation.Case(path_parameters={name: values[name] for name in names})
    response = case.call()
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "not_authenticated"
