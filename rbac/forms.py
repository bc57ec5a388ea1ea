"""The forms of the people pages. What may be, the services decide; these only read."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from django import forms
from django.db.models import QuerySet
from django.http import QueryDict

from rbac.forms_people import MemberField
from rbac.selectors import manager_candidates
from rbac.services import MemberSeen
from tenants.models import Member, RoleCode, Tenant
from tenants.services import roles_of

_INCOMPLETE = "This page is incomplete. Open it anew and choose there."
_REASON = "Say why, in a few words: the reason stays in the audit log."


def _role_field(tenant: Tenant, offered: Collection[RoleCode] | None) -> forms.ChoiceField:
    field = forms.ChoiceField(label="Role", choices=[(role.value, role.label) for role in roles_of(tenant)])
    if offered is not None and set(offered) != set(roles_of(tenant)):
        # Only shown less: whoever sends another role gets the service's sentence, and the attempt is on record.
        field.widget.choices = [(role.value, role.label) for role in offered]
        field.help_text = "Roles at or above your own are given by somebody with a higher one; admins by the vendor's staff."
    return field


def _manager_field(candidates: QuerySet[Member]) -> MemberField:
    return MemberField(people=candidates, label="Reports to", nobody="Nobody")


class RoleForm(forms.Form):
    """What a member is. ``offered`` are the roles to choose from; None: every role of the workspace."""

    def __init__(
        self,
        data: QueryDict | None,
        *,
        tenant: Tenant,
        current: str = "",
        offered: Collection[RoleCode] | None = None,
    ) -> None:
        super().__init__(data, initial={"role": current})
        self.fields["role"] = _role_field(tenant, offered)

    @property
    def role(self) -> RoleCode:
        """The role that was chosen."""
        return RoleCode(self.cleaned_data["role"])


class RoleChangeForm(RoleForm):
    """What a member shall be instead; ``seen`` is the role that the reader saw, kept in a hidden field."""

    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(
        self,
        data: QueryDict | None,
        *,
        tenant: Tenant,
        current: str,
        offered: Collection[RoleCode] | None = None,
    ) -> None:
        super().__init__(data, tenant=tenant, current=current, offered=offered)
        self.initial["seen"] = current
        self.role_seen: RoleCode | None = None

    def clean(self) -> None:
        """Read ``seen``. Raises: ValidationError, of the whole form: nobody sees the field itself."""
        given = self.cleaned_data.get("seen", "")
        if given and given not in RoleCode:
            raise forms.ValidationError(_INCOMPLETE)
        self.role_seen = RoleCode(given) if given else None


_NOBODY = "nobody"


class MemberSeenForm(forms.Form):
    """A member in place of another; ``seen`` is who stood there when the reader looked, kept in a hidden field."""

    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: QueryDict | None, *, chosen: str, current: UUID | None) -> None:
        self.member_seen: MemberSeen | None = None
        super().__init__(data, initial={chosen: str(current or ""), "seen": str(current or _NOBODY)})

    def clean(self) -> None:
        """Read ``seen``. Raises: ValidationError, of the whole form: nobody sees the field itself."""
        given = self.cleaned_data.get("seen", "")
        try:
            found = None if given == _NOBODY or not given else UUID(given)
        except ValueError as error:
            raise forms.ValidationError(_INCOMPLETE) from error
        self.member_seen = MemberSeen(found) if given else None


class ManagerForm(MemberSeenForm):
    """Whom a member reports to."""

    def __init__(
        self, data: QueryDict | None, *, candidates: QuerySet[Member], current: UUID | None = None
    ) -> None:
        super().__init__(data, chosen="manager", current=current)
        self.fields["manager"] = _manager_field(candidates)

    @property
    def manager(self) -> Member | None:
        """The manager that was chosen."""
        chosen: Member | None = self.cleaned_data["manager"]
        return chosen


def manager_form_of(member: Member, data: QueryDict | None = None) -> ManagerForm:
    """The form of a member of ``people_of``: everybody to choose from, and the present manager, who may have left."""
    current: UUID | None = member.manager_id  # type: ignore[attr-defined]  # annotated by people_of
    besides = member.id if data is None else None  # a circle is refused by the service, with its sentence
    people = manager_candidates(member.tenant_id, besides=besides, current=current)
    return ManagerForm(data, candidates=people, current=current)


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

    def __init__(
        self, data: QueryDict | None, *, tenant: Tenant, candidates: QuerySet[Member],
        offered: Collection[RoleCode] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(data, tenant=tenant, offered=offered)
        self.fields["manager"] = _manager_field(candidates)

    @property
    def manager(self) -> Member | None:
        """The manager that was chosen."""
        chosen: Member | None = self.cleaned_data["manager"]
        return chosen


class DeactivateForm(forms.Form):
    """Why somebody's access ends, and who takes the deals over (None: they stay where managers above see them)."""

    def __init__(self, data: QueryDict | None = None, *, candidates: QuerySet[Member]) -> None:
        super().__init__(data)
        self.fields["heir"] = MemberField(
            people=candidates,
            label="Pass the deals on to",
            nobody="Nobody",
            help_text="Without anybody, the deals stay where they are and managers above go on seeing them.",
        )

    @property
    def heir(self) -> Member | None:
        """Who takes the deals over."""
        chosen: Member | None = self.cleaned_data["heir"]
        return chosen

    reason = forms.CharField(
        max_length=300, help_text="Kept in the audit log.", error_messages={"required": _REASON}
    )
