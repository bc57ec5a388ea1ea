"""The demo's people and organisations: who signs in, who sells, and how large each sandbox organisation is."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from tenants.models import Crm, RoleCode, TenantKind, Tier

SELLING = {RoleCode.SALES_MANAGER, RoleCode.SALES_REP}


@dataclass(frozen=True)
class Person:
    """One demo member; ``manager`` is the e-mail's first part of the manager in the same workspace."""

    name: str
    role: RoleCode
    manager: str = ""

    @property
    def mailbox(self) -> str:
        """The e-mail's part before the @."""
        return self.name.lower().replace(" ", ".")


@dataclass(frozen=True)
class Organisation:
    """One demo workspace and its CRM organisation of ``deals`` deals."""

    name: str
    slug: str
    domain: str
    tier: Tier
    timezone: str
    deals: int
    seed: int
    people: tuple[Person, ...]
    kind: TenantKind = TenantKind.CUSTOMER
    crm: Crm = Crm.SALESFORCE

    def email(self, person: Person) -> str:
        """The person's address in this organisation."""
        return f"{person.mailbox}@{self.domain}"


_ADMIN, _ANALYST, _MANAGER, _REP, _PARTNER, _AGENT = (
    RoleCode.CUSTOMER_ADMIN,
    RoleCode.REVOPS_ANALYST,
    RoleCode.SALES_MANAGER,
    RoleCode.SALES_REP,
    RoleCode.DESIGN_PARTNER,
    RoleCode.AGENT,
)

ORGANISATIONS = (
    Organisation(
        name="Acme Corp",
        slug="acme-corp",
        domain="acme.example",
        tier=Tier.ENTERPRISE,
        timezone="America/Los_Angeles",
        deals=5000,
        seed=1,
        people=(
            Person("Alice Adler", _ADMIN),
            Person("Anders Analyst", _ANALYST),
            Person("Helena Head", _MANAGER),
            Person("Marco Rossi", _MANAGER, "helena.head"),
            Person("Mei Tanaka", _MANAGER, "helena.head"),
            Person("Ravi Patel", _REP, "marco.rossi"),
            Person("Rosa Silva", _REP, "marco.rossi"),
            Person("Robert King", _REP, "mei.tanaka"),
            Person("Ruth Stone", _REP, "mei.tanaka"),
            Person("Agnes Agent", _AGENT),
        ),
    ),
    Organisation(
        name="Beta Inc",
        slug="beta-inc",
        domain="beta.example",
        tier=Tier.GROWTH,
        timezone="Europe/Berlin",
        deals=1500,
        seed=2,
        people=(
            Person("Bruno Berg", _ADMIN),
            Person("Britta Lang", _ANALYST),
            Person("Bernd Vogel", _MANAGER),
            Person("Bella Koch", _REP, "bernd.vogel"),
            Person("Boris Wolf", _REP, "bernd.vogel"),
        ),
        crm=Crm.HUBSPOT,
    ),
    Organisation(
        name="Gamma Labs",
        slug="gamma-labs",
        domain="gamma.example",
        tier=Tier.STARTER,
        timezone="Europe/London",
        deals=300,
        seed=3,
        people=(Person("Grace Hill", _PARTNER),),
        kind=TenantKind.PARTNER,
    ),
)
OPERATOR_EMAIL = "operator@revops-hub.example"


def write_people(organisation: Organisation, home: Path) -> Path | None:
    """Write the sellers as the sandbox reads them (``people-<slug>.csv``); None where nobody sells."""
    mailboxes = {person.mailbox: organisation.email(person) for person in organisation.people}
    sellers = [person for person in organisation.people if person.role in SELLING]
    if not sellers:
        return None
    path = home / f"people-{organisation.slug}.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Email", "FirstName", "LastName", "ManagerEmail"])
        for person in sellers:
            first, last = person.name.split(" ", 1)
            writer.writerow([organisation.email(person), first, last, mailboxes.get(person.manager, "")])
    return path


def sandbox_arguments(home: Path) -> list[str]:
    """What the sandbox is told of each CRM, one argument a line (``--org=…``, ``--portal=…``); the people files are in ``home``."""
    return [_sandbox_argument(organisation, home) for organisation in ORGANISATIONS]


def _sandbox_argument(organisation: Organisation, home: Path) -> str:
    people = write_people(organisation, home)
    suffix = f":{people.absolute()}" if people else ""
    option = "--portal" if organisation.crm is Crm.HUBSPOT else "--org"
    return f"{option}={organisation.slug}={organisation.deals}:{organisation.seed}{suffix}"
