"""What is masked stays masked whatever a reader asks for."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import connections
from django.test import Client

from isolation import context
from operations.models import PriorityItem
from tenants.models import Member, Tenant
from tests.conftest import WorkerDatabase
from tests.operations.conftest import NewItemMaker, again

SignedIn = Callable[[Any], Client]
ROOT = "/w/acme-corp/queue/"
SUBJECT = "Refund: write to john.smithers@corp.example or 98-12-34-56-78"
MASKED = "Refund: write to j***@corp.example or 98****5678"


def _exported(client: Client, query: str) -> list[str]:
    response: Any = client.get(f"{ROOT}export/", {"q": query})
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return [row["subject"] for row in csv.DictReader(io.StringIO(text))]


@pytest.mark.django_db
class TestASearchOfAMaskedReader:
    @pytest.fixture(autouse=True)
    def _planted(self, acme: Tenant, put: NewItemMaker) -> None:
        put(acme, subject=SUBJECT)

    @pytest.mark.parametrize("query", ["john.smithers", "smith", "-56-", "12-34", "9812", "john"])
    def test_finds_nothing_by_what_is_hidden(self, manager: Member, client_of: SignedIn, query: str) -> None:
        client = client_of(manager)
        response = client.get(ROOT, {"q": query, "state": "any"})
        assert response.status_code == 200
        assert response.context["page"].table.rows == []
        assert _exported(client, query) == []

    @pytest.mark.parametrize("query", ["refund", "@CORP.example", "5678", "***"])
    def test_finds_what_is_shown(self, manager: Member, client_of: SignedIn, query: str) -> None:
        client = client_of(manager)
        (row,) = client.get(ROOT, {"q": query}).context["page"].table.rows
        assert row.subject == MASKED
        assert _exported(client, query) == [MASKED]

    def test_is_not_narrowed_for_those_who_see_everything(self, admin: Member, client_of: SignedIn) -> None:
        (row,) = client_of(admin).get(ROOT, {"q": "john.smithers"}).context["page"].table.rows
        assert row.subject == SUBJECT


def test_items_from_before_get_their_masked_subject(
    committed: WorkerDatabase, acme: Tenant, put: NewItemMaker
) -> None:
    item = put(acme, subject=SUBJECT)
    with context.tenant_wide(acme.id):
        PriorityItem.objects.update(subject_masked="")
    fill = import_module("operations.migrations.0002_subject_masked")._fill
    with connections["owner"].schema_editor() as editor:
        fill(apps, editor)
    assert again(item).subject_masked == MASKED
