"""The forms of the people pages. What may be, the services decide; these only read."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django import forms
from django.http import QueryDict

from tenants.models import Member, RoleCode, Tenant
from tenants.services import roles_of

_REASON = "Say why, in a few words: the reason stays in the audit log."


def _role_field(tenant: Tenant) -> forms.ChoiceField:
    return forms.ChoiceField(label="Role", choices=[(role.value, role.label) for role in roles_of(tenant)])


def _manager_field(candidates: Iterable[Member]) -> forms.ChoiceField:
    people = [
        (str(member.id), f"{member.name} ({member.email})" if member.name else member.email)
        for member in candidates
    ]
    return forms.ChoiceField(label="Reports to", required=False, choices=[("", "Nobody"), *people])


class RoleForm(forms.Form):
    """What a member is."""

    def __init__(self, data: QueryDict | None, *, tenant: Tenant, current: str = "") -> None:
        super().__init__(data, initial={"role": current})
        self.fields["role"] = _role_field(tenant)

    @property
    def role(self) -> RoleCode:
        """The role that was chosen."""
        return RoleCode(self.cleaned_data["role"])


class ManagerForm(forms.Form):
    """Whom a member reports to."""

    def __init__(
        self, data: QueryDict | None, *, candidates: Iterable[Member], current: UUID | None = None
    ) -> None:
        super().__init__(data, initial={"manager": str(current or "")})
        self.candidates = {str(member.id): member for member in candidates}
        self.fields["manager"] = _manager_field(self.candidates.values())

    @property
    def manager(self) -> Member | None:
        """The manager that was chosen."""
        return self.candidates.get(self.cleaned_data["manager"])


class MemberForm(RoleForm):
    """A new member, as far as operators may set one up."""

    email = forms.EmailField(
        max_length=254,
        label="E-mail",
        error_messages={
            "required": "Enter the e-mail address.",
            "invalid": "Enter an address like name@example.com.",
        },
    )
    name = forms.CharField(max_length=150, required=False)


class AddForm(MemberForm):
    """A new member with a place in the reporting tree."""

    def __init__(self, data: QueryDict | None, *, tenant: Tenant, candidates: Iterable[Member]) -> None:
        super().__init__(data, tenant=tenant)
        self.candidates = {str(member.id): member for member in candidates}
        self.fields["manager"] = _manager_field(self.candidates.values())

    @property
    def manager(self) -> Member | None:
        """The manager that was chosen."""
        return self.candidates.get(self.cleaned_data["manager"])


class DeactivateForm(forms.Form):
    """Why somebody's access ends."""

    reason = forms.CharField(
        max_length=300, help_text="Kept in the audit log.", error_messages={"required": _REASON}
    )
