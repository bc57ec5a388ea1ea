"""Rights on the tables that Django and allauth bring along, as the models of ours declare theirs; migration 0003 gives them."""

from __future__ import annotations

from isolation.wall import ALL_RIGHTS, SharedRights, register_foreign


def _rights(**given: str) -> SharedRights:
    return SharedRights(name="foreign", is_foreign=True, **given)


FOREIGN = {
    "django_session": _rights(accounts=ALL_RIGHTS),
    "account_emailaddress": _rights(accounts=ALL_RIGHTS),
    "account_emailconfirmation": _rights(accounts=ALL_RIGHTS),
    # Django admin is read-only here, and nobody has rights by Django's own groups.
    "django_admin_log": _rights(platform="SELECT"),
    "auth_permission": _rights(),
    "auth_group": _rights(),
    "auth_group_permissions": _rights(),
    "django_content_type": _rights(login="SELECT", platform="SELECT"),
    "django_migrations": _rights(login="SELECT"),
}
register_foreign(FOREIGN)
