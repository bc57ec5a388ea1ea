"""The fixed cast that every test knows, planted once into the template database.

Acme: an admin, an analyst, a head of sales over a manager over two reps. Beta: its admin, the stranger. A design partner,
alone. One operator. Whoever sells has a CRM owner of the same e-mail.
"""

from __future__ import annotations

from datetime import UTC, datetime

from django.test import Client

from accounts.models import User
from accounts.selectors import user_by_email, user_by_id
from accounts.services import user_create
from crm_sync.models import Owner
from isolation import context
from isolation.actors import Actor
from rbac.services import reporting_line_set
from tenants.models import Member, RoleCode, Tenant, TenantKind
from tenants.provisioning import provision, request_checked
from tenants.services import member_add

PASSWORD = "correct horse battery staple"
PLANTER = Actor.system("tests.cast")
ACME, BETA, PARTNER = "acme-corp", "beta-inc", "gamma-labs"

PEOPLE = {
    "admin": (ACME, RoleCode.CUSTOMER_ADMIN, "ada@acme.test", "Ada Admin"),
    "analyst": (ACME, RoleCode.REVOPS_ANALYST, "anna@acme.test", "Anna Analyst"),
    "head": (ACME, RoleCode.SALES_MANAGER, "hugo@acme.test", "Hugo Head"),
    "manager": (ACME, RoleCode.SALES_MANAGER, "mona@acme.test", "Mona Manager"),
    "rep": (ACME, RoleCode.SALES_REP, "rita@acme.test", "Rita Rep"),
    "other_rep": (ACME, RoleCode.SALES_REP, "otto@acme.test", "Otto Rep"),
    "distant_rep": (ACME, RoleCode.SALES_REP, "dina@acme.test", "Dina Rep"),
    "stranger": (BETA, RoleCode.CUSTOMER_ADMIN, "stan@beta.test", "Stan Stranger"),
    "beta_rep": (BETA, RoleCode.SALES_REP, "bea@beta.test", "Bea Rep"),
    "partner": (PARTNER, RoleCode.DESIGN_PARTNER, "petra@gamma.test", "Petra Partner"),
}
# Who reports to whom: Rita and Otto to Mona, Mona and Dina to Hugo.
REPORTING = [("manager", "head"), ("rep", "manager"), ("other_rep", "manager"), ("distant_rep", "head")]
OPERATOR = "olga@vendor.test"


def plant() -> None:
    """Create the whole cast through the program's own services, committed."""
    for name, tier, kind in (
        ("Acme Corp", "enterprise", TenantKind.CUSTOMER),
        ("Beta Inc", "growth", TenantKind.CUSTOMER),
        ("Gamma Labs", "starter", TenantKind.PARTNER),
    ):
        request = request_checked(
            customer=name, tier=tier, crm="salesforce", timezone="America/Los_Angeles", kind=kind
        )
        provision(request, acting_user=PLANTER)
    user_create(
        email=OPERATOR, name="Olga Operator", password=PASSWORD, is_operator=True, acting_user=PLANTER
    )
    members = {key: _plant_person(*person) for key, person in PEOPLE.items()}
    for below, above in REPORTING:
        with context.tenant_wide(members[below].tenant_id):
            reporting_line_set(member=members[below], manager=members[above], acting_user=PLANTER)


def _plant_person(slug: str, role: RoleCode, email: str, name: str) -> Member:
    user = user_create(email=email, name=name, password=PASSWORD, acting_user=PLANTER)
    tenant = tenant_of(slug)
    with context.tenant_wide(tenant.id):
        member = member_add(tenant=tenant, user=user, role=role, acting_user=PLANTER)
        if role in (RoleCode.SALES_MANAGER, RoleCode.SALES_REP):
            _plant_owner(member)
    return member


def _plant_owner(member: Member) -> None:
    Owner.objects.create(
        tenant_id=member.tenant_id, source="salesforce", external_id=f"005{member.email.split('@')[0]:0>15}",
        modified_at=datetime(2026, 1, 1, tzinfo=UTC), email=member.email, name=member.name, member_id=member.id,
    )  # fmt: skip


def tenant_of(slug: str) -> Tenant:
    """A workspace of the cast."""
    with context.platform("find a workspace of the cast", PLANTER):
        return Tenant.objects.get(slug=slug)


def member_of(key: str) -> Member:
    """A member of the cast, with the tenant loaded."""
    slug, _, email, _ = PEOPLE[key]  # some join a second workspace
    with context.platform("find a member of the cast", PLANTER):
        return Member.objects.select_related("tenant").get(tenant__slug=slug, email=email)


def operator() -> User:
    """The vendor's own."""
    return account(OPERATOR)


def account(email: str) -> User:
    """The account of that address, which there must be."""
    user = user_by_email(email)
    assert user is not None, email
    return user


def account_set(user: User, **changed: object) -> None:
    """Change an account's columns behind the services' back."""
    with context.accounts():
        User.objects.filter(pk=user.pk).update(**changed)


def sign_in(client: Client, user: User) -> None:
    """Have ``client`` hold a session of that account, as if the person had typed the password."""
    with context.accounts():
        client.force_login(user)


def user_of(member: Member) -> User:
    """The account behind a member."""
    return user_by_id(member.user_id)
