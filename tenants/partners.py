"""Design partners: a workspace, the one person in it, and the access keys that the person signs in with."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import Q, QuerySet

from accounts.models import AccessKey, User
from accounts.selectors import user_by_email
from accounts.services import user_create
from isolation.actors import Actor
from isolation.errors import InvalidInput, NotFound
from tenants.models import Member, RoleCode, Tenant, TenantKind
from tenants.provisioning import Request, provision, require_free
from tenants.services import member_add, partner_key_issue, partner_key_revoke


@dataclass(frozen=True)
class NewPartner:
    """What was made; ``secret`` is the access key, which nothing keeps."""

    tenant: Tenant
    member: Member
    key: AccessKey
    secret: str


@dataclass(frozen=True)
class PartnerKey:
    """One access key and whose it is."""

    tenant: Tenant
    member: Member
    key: AccessKey


def partner_create(*, request: Request, email: str, person: str, acting_user: Actor) -> NewPartner:
    """Make a partner's workspace, the partner and a first key. Raises: TenantExists, InvalidInput."""
    user = _account(email)
    require_free(request, acting_user=acting_user)
    made: list[NewPartner] = []

    def add_person(tenant: Tenant) -> None:
        account = user or user_create(email=email, name=person, password=None, acting_user=acting_user)
        member = member_add(
            tenant=tenant, user=account, role=RoleCode.DESIGN_PARTNER, name=person, acting_user=acting_user
        )
        made.append(NewPartner(tenant, member, *partner_key_issue(member=member, acting_user=acting_user)))

    provision(request, acting_user=acting_user, also=add_person)
    return made[0]


def _account(email: str) -> User | None:
    """The account of that e-mail, if there is one that may carry a key. Refused before anything is made."""
    try:
        validate_email(email)
    except ValidationError as error:
        problem = f"“{email}” is not an e-mail address. Write it like name@example.com."
        raise InvalidInput(field="email", problem=problem) from error
    user = user_by_email(email)
    if user is not None and user.is_operator:
        problem = (
            f"{email} is one of the vendor's staff, and a key would open everything. Use another address."
        )
        raise InvalidInput(field="email", problem=problem)
    return user


def partner_keys(*, with_revoked: bool) -> list[PartnerKey]:
    """Every key of every partner, by workspace and then newest first. Needs the platform context."""
    members = Member.objects.select_related("tenant").filter(tenant__kind=TenantKind.PARTNER)
    by_user: dict[UUID, list[Member]] = {}
    for member in members.order_by("tenant__slug"):
        by_user.setdefault(member.user_id, []).append(member)
    keys: QuerySet[AccessKey] = AccessKey.objects.filter(user_id__in=by_user)
    if not with_revoked:
        keys = keys.filter(revoked_at=None)
    found = [PartnerKey(member.tenant, member, key) for key in keys for member in by_user[key.user_id]]
    return sorted(found, key=lambda one: (one.tenant.slug, -one.key.created_at.timestamp()))


def partner_key_named(name: str) -> PartnerKey:
    """The one valid partner key of that id or hint (with or without its “…”). Needs the platform context.

    Raises: NotFound; InvalidInput where several fit.
    """
    wanted = Q(hint=name) | Q(hint=f"{name.rstrip('…')}…")
    with suppress(ValueError):  # a hint is no UUID
        wanted |= Q(pk=UUID(name))
    keys = set(AccessKey.objects.filter(wanted, revoked_at=None).values_list("pk", flat=True))
    fitting = [one for one in partner_keys(with_revoked=False) if one.key.pk in keys]
    if not fitting:
        raise NotFound(what=f"valid access key “{name}”")
    if len({one.key.pk for one in fitting}) > 1:
        ids = ", ".join(str(one.key.pk) for one in fitting)
        raise InvalidInput(
            field="key", problem=f"Several keys are called “{name}”. Name one by its id: {ids}."
        )
    return fitting[0]


def revoke(partner_key: PartnerKey, *, acting_user: Actor) -> None:
    """Make the key useless at once. Needs the platform context."""
    partner_key_revoke(member=partner_key.member, key=partner_key.key, acting_user=acting_user)
