"""The settings page: what it shows to whom, what it saves, what it refuses, and the file that follows."""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.test import Client

from audit.models import Event
from isolation import context
from tenants.configs import config_path
from tenants.models import Member, SettingsVersion, Tenant
from tenants.selectors import settings_of

pytestmark = pytest.mark.django_db
ClientOf = Callable[[Member], Client]
PAGE = "/w/acme-corp/settings/"
HEALTH = {"critical": "30", "at_risk": "50", "monitor": "70"}


@pytest.fixture(autouse=True)
def configs(settings: LazySettings, tmp_path: Path) -> Path:
    settings.TENANT_CONFIG_DIR = tmp_path
    return tmp_path


def in_force(tenant: Tenant) -> tuple[int, dict[str, int]]:
    with context.tenant_wide(tenant.id):
        return SettingsVersion.objects.count(), settings_of(tenant.id).thresholds.health.model_dump()


class TestTheSettingsPage:
    @pytest.mark.parametrize(
        ("who", "status"),
        [
            ("admin", 200),
            ("analyst", 200),
            ("manager", 200),
            ("rep", 200),
            ("stranger", 404),
            ("partner", 404),
        ],
    )
    def test_is_for_holders_of_the_right(
        self, who: str, status: int, request: pytest.FixtureRequest, client_of: ClientOf
    ) -> None:
        assert client_of(request.getfixturevalue(who)).get(PAGE).status_code == status

    def test_is_a_page_to_read_for_who_may_not_edit(
        self, admin: Member, rep: Member, client_of: ClientOf
    ) -> None:
        assert (
            '<button class="btn btn-secondary" type="submit">Save'
            in client_of(admin).get(PAGE).content.decode()
        )
        page = client_of(rep).get(PAGE).content.decode()
        assert "Only an admin can change it." in page
        assert ">Save<" not in page

    def test_lists_versions_with_who_and_what(self, admin: Member, client_of: ClientOf) -> None:
        client = client_of(admin)
        client.post(f"{PAGE}save/health/", HEALTH)
        newest, oldest = client.get(PAGE).context["page"].versions
        assert (newest.title, newest.actor) == ("Version 2", admin.email)
        assert "thresholds › health › critical: 40 → 30" in newest.text
        assert oldest.text == "The defaults"


class TestSavingSettings:
    def test_saves_the_next_version_and_records_it(
        self, acme: Tenant, admin: Member, client_of: ClientOf
    ) -> None:
        assert client_of(admin).post(f"{PAGE}save/health/", HEALTH).status_code == HTTPStatus.FOUND
        assert in_force(acme) == (2, {"critical": 30, "at_risk": 50, "monitor": 70})
        with context.tenant_wide(acme.id):
            event = Event.objects.order_by("-id")[0]
        assert (event.code, event.facts["changed"]) == ("tenants.settings_saved", ["thresholds"])

    def test_saves_no_version_where_nothing_changed(
        self, acme: Tenant, admin: Member, client_of: ClientOf
    ) -> None:
        client_of(admin).post(f"{PAGE}save/health/", {"critical": "40", "at_risk": "60", "monitor": "80"})
        assert in_force(acme)[0] == 1

    @pytest.mark.parametrize(
        ("section", "data", "field", "sentence"),
        [
            (
                "health",
                HEALTH | {"critical": "55"},
                "__all__",
                "“Critical below”, “At risk below” and “Monitor below” must rise, for example 40, 60, 80.",
            ),
            ("health", HEALTH | {"monitor": "101"}, "monitor", "Give a whole number from 0 to 100."),
            ("health", HEALTH | {"critical": "x"}, "critical", "Give a whole number."),
            ("health", HEALTH | {"critical": ""}, "critical", "Give a whole number."),
            (
                "hygiene",
                {"days_stale_warning": "14", "days_stale_critical": "14", "days_past_close_warning": "7"},
                "__all__",
                "“Stale: warning after (days)” must be less than “Stale: critical after (days)”",
            ),
            (
                "recipients",
                {"alert_email_recipients": "ops@acme.test\nnot-an-address"},
                "alert_email_recipients",
                "“not-an-address” is not an e-mail address.",
            ),
        ],
    )
    def test_refuses_next_to_the_field_and_keeps_what_was_typed(
        self, section: str, data: dict[str, str], field: str, sentence: str,
        acme: Tenant, admin: Member, client_of: ClientOf,
    ) -> None:  # fmt: skip
        response = client_of(admin).post(f"{PAGE}save/{section}/", data)
        assert response.status_code == HTTPStatus.BAD_REQUEST
        (form,) = [one.form for one in response.context["page"].sections if one.form.is_bound]
        assert sentence in form.errors[field][0]
        assert {name: form[name].value() for name in data} == data
        assert in_force(acme)[0] == 1

    def test_takes_addresses_each_once(self, acme: Tenant, admin: Member, client_of: ClientOf) -> None:
        text = "Ops@acme.test, boss@acme.test\nops@ACME.test"
        client_of(admin).post(f"{PAGE}save/recipients/", {"alert_email_recipients": text})
        with context.tenant_wide(acme.id):
            assert settings_of(acme.id).alert_email_recipients == ("ops@acme.test", "boss@acme.test")

    def test_switches_the_api_off(self, acme: Tenant, admin: Member, client_of: ClientOf) -> None:
        client_of(admin).post(f"{PAGE}save/features/", {})
        with context.tenant_wide(acme.id):
            assert not settings_of(acme.id).features.api_access

    def test_knows_no_other_parts(self, admin: Member, client_of: ClientOf) -> None:
        assert client_of(admin).post(f"{PAGE}save/stages/", {}).status_code == HTTPStatus.NOT_FOUND

    @pytest.mark.parametrize("who", ["analyst", "manager", "rep"])
    def test_is_for_admins(self, who: str, request: pytest.FixtureRequest, client_of: ClientOf) -> None:
        client = client_of(request.getfixturevalue(who))
        assert client.post(f"{PAGE}save/health/", HEALTH).status_code == HTTPStatus.FORBIDDEN
        assert client.post(f"{PAGE}timezone/", {"timezone": "UTC"}).status_code == HTTPStatus.FORBIDDEN


class TestTheTimeZone:
    def test_changes_how_pages_show_times(self, acme: Tenant, admin: Member, client_of: ClientOf) -> None:
        client = client_of(admin)
        client.post(f"{PAGE}timezone/", {"timezone": "Asia/Kolkata"})
        assert "When (Asia/Kolkata)" in client.get("/w/acme-corp/audit/").content.decode()

    def test_refuses_what_is_no_zone(self, admin: Member, client_of: ClientOf) -> None:
        response = client_of(admin).post(f"{PAGE}timezone/", {"timezone": "Mars/Olympus"})
        assert response.status_code == HTTPStatus.BAD_REQUEST
        assert "“Mars/Olympus” is not a time zone." in response.content.decode()


class TestTheFile:
    @pytest.mark.django_db(transaction=False)
    def test_follows_after_the_commit_and_keeps_its_resources(
        self,
        acme: Tenant,
        admin: Member,
        client_of: ClientOf,
        django_capture_on_commit_callbacks: Callable[..., object],
    ) -> None:
        path = config_path("acme-corp")
        path.write_text(json.dumps({"resources": ["kept"], "timezone": "UTC"}))
        with django_capture_on_commit_callbacks(execute=True):  # type: ignore[attr-defined]  # a context manager
            client_of(admin).post(f"{PAGE}save/health/", HEALTH)
            assert json.loads(path.read_text())["timezone"] == "UTC"
        found = json.loads(path.read_text())
        assert found["resources"] == ["kept"]
        assert found["thresholds"]["health"]["critical"] == 30
        assert found["timezone"] == acme.timezone
