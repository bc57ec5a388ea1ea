"""The whole program as it runs on a server, with a CRM, a mail server and the cast: sandbox, web, worker and beat."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest
from pytest_django.plugin import DjangoDbBlocker

from crm_sync.models import Connection, RunKind, RunState, SyncRun, SyncSchedule
from crm_sync.services.connections import connection_save
from isolation import context
from tenants.models import RoleCode
from tenants.services import partner_key_issue
from tests import cast
from tests.alerts.conftest import MailServer
from tests.conftest import WorkerDatabase
from tests.whole_path.people import Visitor
from tests.whole_path.processes import Processes, processes_on, until

ORGANISATIONS = {cast.ACME: ("acme", 250, 11), cast.PARTNER: ("gamma", 30, 12)}
SELLING = (RoleCode.SALES_MANAGER, RoleCode.SALES_REP)


@dataclass
class House:
    """Where everything is, and what the people carry."""

    web: str
    sandbox: str
    processes: Processes
    mail: MailServer
    access_key: str

    def control(self, organisation: str, command: str, **body: object) -> None:
        """Change something in an organisation of the sandbox."""
        address = f"{self.sandbox}/_sandbox/orgs/{organisation}/{command}"
        httpx.post(address, json=body).raise_for_status()

    def crm_rows(self, organisation: str, name: str) -> list[dict[str, str]]:
        """All undeleted rows of an object, as the sandbox itself has them."""
        address = f"{self.sandbox}/_sandbox/orgs/{organisation}/snapshot"
        answer = httpx.get(address, params={"object": name}).raise_for_status()
        return list(csv.DictReader(io.StringIO(answer.text)))

    def crm_deals_of(self, organisation: str, *emails: str) -> set[str]:
        """The ids of the deals that these people own in the CRM."""
        owners = {row["Id"] for row in self.crm_rows(organisation, "User") if row["Email"] in emails}
        assert len(owners) == len(emails)
        return {row["Id"] for row in self.crm_rows(organisation, "Opportunity") if row["OwnerId"] in owners}


def write_people(path: Path) -> Path:
    """The cast's sellers of Acme as the sandbox reads them; the reporting lines are the cast's."""
    sellers = {
        key: person for key, person in cast.PEOPLE.items() if person[0] == cast.ACME and person[1] in SELLING
    }
    above = dict(cast.REPORTING)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Email", "FirstName", "LastName", "ManagerEmail"])
        for key, (_, _, email, name) in sellers.items():
            manager = cast.PEOPLE[above[key]][2] if key in above else ""
            writer.writerow([email, *name.split(" ", 1), manager])
    return path


def connect(slug: str, sandbox: str) -> None:
    """Give a workspace the credentials of its organisation; its first sync is due at once."""
    tenant = cast.tenant_of(slug)
    organisation = ORGANISATIONS[slug][0]
    with context.tenant_wide(tenant.id):
        connection_save(
            connection=Connection.objects.get(tenant=tenant), login_url=sandbox, client_id=f"sandbox-{organisation}",
            secret=f"sandbox-secret-{organisation}", acting_user=cast.PLANTER,
        )  # fmt: skip


def runs_of(slug: str) -> list[SyncRun]:
    """The runs of a workspace, newest first. Fails where one failed."""
    tenant = cast.tenant_of(slug)
    with context.tenant_wide(tenant.id):
        runs = list(SyncRun.objects.filter(tenant=tenant).order_by("-requested_at"))
    assert not [run.error_message for run in runs if run.state == RunState.FAILED]
    return runs


def synced(slug: str, times: int) -> bool:
    """Whether so many syncs of a workspace have succeeded; what runs by night does not count."""
    done = [run for run in runs_of(slug) if run.state == RunState.SUCCEEDED and run.kind == RunKind.SYNC]
    return len(done) >= times


def make_due(slug: str) -> None:
    """Let the time until the next scheduled sync have passed."""
    tenant = cast.tenant_of(slug)
    with context.tenant_wide(tenant.id):
        schedule = SyncSchedule.objects.get(tenant=tenant)
        schedule.due_at = schedule.due_at.replace(year=schedule.due_at.year - 1)
        schedule.save(update_fields=["due_at"])


@pytest.fixture(scope="module")
def house(
    worker_database: WorkerDatabase, worker_id: str, django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[House]:  # fmt: skip
    """Everything runs and the first syncs, which the schedule made, are through."""
    directory = tmp_path_factory.mktemp("house")
    with ExitStack() as stack:
        stack.enter_context(django_db_blocker.unblock())
        stack.callback(worker_database.renew)
        mail = stack.enter_context(MailServer())
        variables = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(mail.port)}
        processes = stack.enter_context(processes_on(worker_database, worker_id, directory, **variables))
        processes.start_worker()
        processes.start_beat()
        people = write_people(directory / "people.csv")
        sandbox = processes.start_sandbox(
            *(f"{name}={scale}:{seed}{f':{people}' if slug == cast.ACME else ''}"
              for slug, (name, scale, seed) in ORGANISATIONS.items())
        )  # fmt: skip
        for slug in ORGANISATIONS:
            connect(slug, sandbox)
        partner = cast.member_of("partner")
        with context.tenant_wide(partner.tenant_id):
            _, access_key = partner_key_issue(member=partner, acting_user=cast.PLANTER)
        web = processes.start_web()
        for slug in ORGANISATIONS:
            until(f"the first sync of {slug}", partial(synced, slug, 1))
        yield House(web, sandbox, processes, mail, access_key)


@pytest.fixture
def visitor(house: House) -> Iterator[Visitor]:
    """Somebody who has not signed in yet."""
    with Visitor(house.web) as one:
        yield one
