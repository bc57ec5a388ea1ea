"""The forms of a connection in the words of the pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from django.http import HttpRequest
from django.urls import reverse

from crm_sync.models import Connection
from crm_sync.shown import url
from pages.objects import Action, Page
from tenants.models import Tenant


@dataclass(frozen=True, slots=True)
class Webhook:
    """The address that a CRM should send its notices to."""

    address: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsPage(Page):
    """A form with its buttons."""

    cancel: Action
    submit: str = "Save"
    submit_kind: Literal["primary", "danger"] = "primary"
    webhook: Webhook | None = None


def webhook_of(request: HttpRequest, tenant: Tenant) -> Webhook:
    """Where HubSpot's webhooks of this workspace go."""
    note = (
        "Enter it under Webhooks of the private app and subscribe to deals, companies and contacts: "
        "created, changed, deleted, restored, merged, and their associations. Changes then arrive within seconds."
    )
    return Webhook(request.build_absolute_uri(reverse("hubspot_hook", kwargs={"slug": tenant.slug})), note)


def consent_action(connection: Connection, tenant: Tenant) -> Action:
    """The way to the CRM's own page of consent."""
    label = "Connect again with Salesforce" if connection.tokens_encrypted else "Connect with Salesforce"
    return Action(label, url("oauth_begin", tenant, source=connection.source), icon="external-link")
