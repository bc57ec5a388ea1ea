"""A workspace's own roles: made, changed and archived; each change begins a new version."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, fields, replace
from datetime import datetime
from itertools import count
from typing import Any

from django.db import transaction

from audit.services import record
from isolation import permissions as registry
from isolation.actors import Actor, require
from isolation.errors import InvalidInput
from pages.templatetags.formats import count as counted
from rbac.errors import RightsNotHeld, RoleArchived, RoleChangedMeanwhile, RoleInUse, RoleNameTaken
from rbac.events import CustomRoleArchived, CustomRoleChanged, CustomRoleCreated
from rbac.guards import require_apart, require_below, require_other, target_of
from rbac.held import custom_roles_of, database_now, facts_of, grants_to, roles_held
from rbac.likeness import likeness, mixed_word
from rbac.models import CustomRole, CustomRoleVersion, Sight
from rbac.permissions import ROLES_EDIT
from rbac.roles import ROLE_ALIASES
from rbac.standing import RoleFacts, shows_more
from tenants.models import Member, RoleCode, Tenant
from tenants.selectors import tenant_locked

LOWEST_CUSTOM_LEVEL = 9
NAME_LENGTH, SENTENCE_LENGTH = 60, 200
_CODE_LENGTH = 30
_RESERVED = {"new", "matrix", "export"}  # addresses of the roles pages


@dataclass(frozen=True)
class RoleDraft:
    """What a role shall be. ``level`` 1 to 9, 1 the top; ``permissions`` are registered codes."""

    name: str
    sentence: str
    level: int
    sight: Sight
    permissions: frozenset[str]


@transaction.atomic
def custom_role_create(*, tenant: Tenant, draft: RoleDraft, acting_user: Actor) -> CustomRole:
    """Make a role of the workspace's own.

    Raises: Forbidden, RoleTooHigh, RightsNotHeld, RoleNameTaken, InvalidInput.
    """
    require(acting_user, ROLES_EDIT, tenant.id)
    draft = _checked(draft)
    _require_may_make(draft, tenant.id, ("", draft.name), acting_user)
    # One change of names at a time: two roles of one name at once would not see each other.
    tenant_locked(tenant.id)
    _require_name_free(tenant, draft.name, acting_user)
    role = CustomRole(tenant=tenant, code=_code_for(tenant, draft.name), created_by=acting_user.label)
    role.save(force_insert=True)
    _begin_version(role, draft, database_now(), acting_user)
    event = CustomRoleCreated(
        target_id=role.code, target_label=draft.name, level=draft.level, sight=draft.sight.value,
        count=len(draft.permissions), permissions=sorted(draft.permissions),
    )  # fmt: skip
    record(event, acting_user=acting_user, tenant_id=tenant.id)
    return role


@transaction.atomic
def custom_role_change(*, role: CustomRole, draft: RoleDraft, version: int, acting_user: Actor) -> CustomRole:
    """Make the role something else for everybody who holds it; ``version`` is the one that the change was made on.

    Raises: Forbidden, RoleTooHigh, RightsNotHeld, OwnRoles, RoleChangedMeanwhile, RoleArchived, RoleNameTaken,
    DutiesConflict, InvalidInput.
    """
    require(acting_user, ROLES_EDIT, role.tenant_id)
    draft = _checked(draft)
    tenant_locked(role.tenant_id)
    role, before = _locked(role, acting_user)
    if version != role.version:
        raise RoleChangedMeanwhile(**_about(role, before, acting_user), by=before.changed_by)
    _require_may_make(draft, role.tenant_id, (role.code, before.name), acting_user)
    _require_name_free(role.tenant, draft.name, acting_user, besides=role)
    after = RoleFacts(
        role.code, draft.name, draft.level, draft.permissions, draft.sight, draft.sentence, role.id
    )
    _require_fits_holders(role, facts_of(before), after, acting_user)
    return _changed(role, before, draft, acting_user)


@transaction.atomic
def custom_role_archive(*, role: CustomRole, acting_user: Actor) -> CustomRole:
    """Put away a role that nobody holds. Raises: Forbidden, RoleTooHigh, RoleInUse, RoleArchived."""
    require(acting_user, ROLES_EDIT, role.tenant_id)
    role, before = _locked(role, acting_user)
    holders = grants_to(role).values("member_id").distinct().count()
    if holders:
        about = _about(role, before, acting_user)
        raise RoleInUse(**about, holders=counted(holders, "person", "people"))
    role.archived_at, role.archived_by = database_now(), acting_user.label
    role.save(update_fields=["archived_at", "archived_by"])
    event = CustomRoleArchived(target_id=role.code, target_label=before.name)
    record(event, acting_user=acting_user, tenant_id=role.tenant_id)
    return role


def _locked(role: CustomRole, acting_user: Actor) -> tuple[CustomRole, CustomRoleVersion]:
    """The role and its version as they are now, where the actor may change them."""
    found = CustomRole.objects.select_related("tenant").select_for_update(of=("self",), no_key=True)
    role = found.get(tenant_id=role.tenant_id, pk=role.pk)
    before = custom_roles_of(role.tenant_id, with_archived=True).get(role=role)
    if role.archived_at is not None:
        raise RoleArchived(**_about(role, before, acting_user))
    require_below(acting_user, facts_of(before), role.tenant_id, (role.code, before.name))
    return role, before


def _about(role: CustomRole, version: CustomRoleVersion, acting_user: Actor) -> dict[str, Any]:
    return {
        "acting_user": acting_user, "tenant_id": role.tenant_id, "target": (role.code, version.name),
        "role": version.name,
    }  # fmt: skip


def _checked(draft: RoleDraft) -> RoleDraft:
    """The draft as it may be stored. Raises: InvalidInput."""
    name = _plain("name", draft.name, NAME_LENGTH)
    if not likeness(name):
        raise InvalidInput(field="name", problem="Give the role a name with letters or digits in it.")
    if odd := mixed_word(name):
        problem = (
            f"“{odd}” mixes letters of several alphabets, which read alike. Write each word in one alphabet."
        )
        raise InvalidInput(field="name", problem=problem)
    sentence = _plain("sentence", draft.sentence, SENTENCE_LENGTH)
    if not 1 <= draft.level <= LOWEST_CUSTOM_LEVEL:
        problem = f"A level is a number from 1 (the top) to {LOWEST_CUSTOM_LEVEL}."
        raise InvalidInput(field="level", problem=problem)
    unknown = sorted(draft.permissions - registry.all_permissions().keys())
    if unknown:
        problem = f"There is no right “{unknown[0][:80]}”. The roles page lists them all."
        raise InvalidInput(field="permissions", problem=problem)
    if not draft.permissions:
        raise InvalidInput(field="permissions", problem="Choose at least one right.")
    return RoleDraft(name, sentence, draft.level, draft.sight, draft.permissions)


def _plain(field: str, text: str, longest: int) -> str:
    text = " ".join(unicodedata.normalize("NFC", text).split())
    if len(text) > longest or any(unicodedata.category(letter).startswith("C") for letter in text):
        raise InvalidInput(field=field, problem=f"Use at most {longest} plain characters.")
    return text


def _require_may_make(draft: RoleDraft, tenant_id: int, target: tuple[str, str], acting_user: Actor) -> None:
    wanted = RoleFacts("", draft.name, draft.level, draft.permissions, draft.sight)
    require_below(acting_user, wanted, tenant_id, target)
    if acting_user.is_trusted_everywhere:
        return
    excess = [
        f"“{registry.get(code).sentence}”" for code in sorted(draft.permissions - acting_user.permissions)
    ]
    if shows_more(draft.sight, Sight(acting_user.sight)):
        excess.append(f"“{draft.sight.label}”")
    if excess:
        raise RightsNotHeld(
            acting_user=acting_user, tenant_id=tenant_id, target=target, rights=", ".join(excess)
        )


def _require_name_free(
    tenant: Tenant, name: str, acting_user: Actor, besides: CustomRole | None = None
) -> None:
    """Names that read alike would let a role pass for another one."""
    own = custom_roles_of(tenant.id)
    if besides is not None:
        own = own.exclude(role=besides)
    taken = {*RoleCode.values, *map(str, RoleCode.labels), *ROLE_ALIASES, *(one.name for one in own)}
    if likeness(name) in map(likeness, taken):
        raise RoleNameTaken(acting_user=acting_user, tenant_id=tenant.id, target=("", name), name=name)


def _code_for(tenant: Tenant, name: str) -> str:
    """A code from the name that no role there has or had: ``deal_desk``, ``deal_desk_2``, …"""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    stem = re.sub(r"[^a-z0-9]+", "_", ascii_name)[:_CODE_LENGTH].strip("_") or "role"
    own = CustomRole.objects.filter(tenant=tenant, code__startswith=stem).values_list("code", flat=True)
    taken = {*own, *RoleCode.values, *_RESERVED}
    candidates = (stem if number == 1 else f"{stem}_{number}" for number in count(1))
    return next(code for code in candidates if code not in taken)


def _begin_version(role: CustomRole, draft: RoleDraft, at: datetime, acting_user: Actor) -> None:
    CustomRoleVersion(
        tenant_id=role.tenant_id, role=role, version=role.version, name=draft.name, sentence=draft.sentence,
        level=draft.level, sight=draft.sight.value, permissions=sorted(draft.permissions), valid_from=at,
        changed_by=acting_user.label,
    ).save(force_insert=True)  # fmt: skip


def _require_fits_holders(role: CustomRole, before: RoleFacts, after: RoleFacts, acting_user: Actor) -> None:
    """Nobody who holds the role may come to hold what a duty keeps apart, and nobody adds to what they hold themselves.

    Raises: DutiesConflict, naming the first; OwnRoles.
    """
    holders = list(
        Member.objects.select_for_update(no_key=True)
        .filter(tenant_id=role.tenant_id, pk__in=grants_to(role).values("member_id"))
        .order_by("pk")
    )
    held = roles_held(holders, also_later=True)
    for member in holders:
        if _is_more(after, before):
            require_other(acting_user, member)
        others = [one for one in held[member.id] if one.role.custom_id != role.id]
        for one in held[member.id]:
            if one.role.custom_id == role.id:
                require_apart(
                    acting_user, replace(one, role=after), others, role.tenant_id, target_of(member)
                )


def _is_more(after: RoleFacts, before: RoleFacts) -> bool:
    """Whether the role gives its holders anything that it did not give before."""
    return (
        not after.permissions <= before.permissions
        or after.level < before.level
        or shows_more(after.sight, before.sight)
    )


def _changed(role: CustomRole, before: CustomRoleVersion, draft: RoleDraft, acting_user: Actor) -> CustomRole:
    held = frozenset(before.permissions)
    changed = _differences(before, draft)
    if not changed and held == draft.permissions:
        return role
    at = max(database_now(), before.valid_from)
    before.valid_until = at
    before.save(update_fields=["valid_until"])
    role.version += 1
    role.save(update_fields=["version"])
    _begin_version(role, draft, at, acting_user)
    event = CustomRoleChanged(
        target_id=role.code, target_label=draft.name, version=role.version, changed=changed,
        added=sorted(draft.permissions - held), removed=sorted(held - draft.permissions),
    )  # fmt: skip
    record(event, acting_user=acting_user, tenant_id=role.tenant_id)
    return role


def _differences(before: CustomRoleVersion, draft: RoleDraft) -> dict[str, str]:
    """Which of name, sentence, level and sight change: {field: "before → after"}."""
    names = [field.name for field in fields(draft) if field.name != "permissions"]
    pairs = {name: (str(getattr(before, name)), str(getattr(draft, name))) for name in names}
    return {name: f"{old} → {new}" for name, (old, new) in pairs.items() if old != new}
