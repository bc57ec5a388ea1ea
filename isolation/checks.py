"""System checks: what can be known about the wall without a tenant's data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as CheckWarning
from django.db import ProgrammingError, connections, models
from django.utils.module_loading import autodiscover_modules

from isolation import context
from isolation.models import MirrorModel, SameTenantForeignKey, TenantModel
from isolation.tasks import WalledTask

# Minor releases from which INSERT … ON CONFLICT no longer leaks rows past row security.
SAFE_MINOR = {15: 20, 16: 16, 17: 12, 18: 7}


@register(Tags.models)
def tenant_models_are_walled(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """A foreign key to a tenant table must be a SameTenantForeignKey, and a table with a tenant must be a TenantModel."""
    found: list[CheckMessage] = []
    for model in apps.get_models():
        walled = issubclass(model, TenantModel)
        for field in model._meta.local_fields:
            if isinstance(field, models.ForeignKey):
                found += _foreign_key_problems(model, field, walled)
    return found


def _foreign_key_problems(model: type[models.Model], field: Any, walled: bool) -> list[CheckMessage]:
    to_tenant_table = issubclass(field.related_model, TenantModel)
    if to_tenant_table and not isinstance(field, SameTenantForeignKey):
        hint = "Use SameTenantForeignKey: a single-column key lets one tenant point at another's rows."
        return [
            Error(
                f"{model.__name__}.{field.name} points at a tenant table.",
                hint=hint,
                obj=model,
                id="isolation.E001",
            )
        ]
    if isinstance(field, SameTenantForeignKey) and not walled:
        hint = "Derive the model from TenantModel."
        return [
            Error(
                f"{model.__name__}.{field.name} is in a model without a tenant.",
                hint=hint,
                obj=model,
                id="isolation.E002",
            )
        ]
    if isinstance(field, SameTenantForeignKey) and issubclass(model, MirrorModel):
        hint = "Mirror tables keep plain ids; the merge resolves them within the tenant."
        return [
            Error(
                f"{model.__name__}.{field.name} is a key in a mirror.",
                hint=hint,
                obj=model,
                id="isolation.E003",
            )
        ]
    return []


@register()
def tasks_know_their_tenant(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Every Celery task of the project derives from WalledTask."""
    from celery import current_app

    autodiscover_modules("tasks")
    bare = [
        t
        for name, t in current_app.tasks.items()
        if not name.startswith("celery.") and not isinstance(t, WalledTask)
    ]
    hint = "Use tenant_task, tenant_steps_task, platform_task or shared_tables_task of isolation.tasks."
    return [
        Error(f"Task {task.name} does not say whose data it touches.", hint=hint, id="isolation.E010")
        for task in bare
    ]


@register(Tags.database)
def server_is_safe(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **_: Any
) -> list[CheckMessage]:
    """The program's login cannot pass row security, and the server has no known leak."""
    if not databases or "default" not in databases:
        return []
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = session_user")
        (passes,) = cursor.fetchone() or (False,)
        cursor.execute("SELECT current_setting('server_version_num')::int")
        (version,) = cursor.fetchone() or (0,)
    return [*_login_problems(passes), *_version_problems(*divmod(version, 10_000))]


def _login_problems(passes: bool) -> list[CheckMessage]:
    if not passes:
        return []
    hint = "Set DATABASE_URL to the login revops_app; `make up` makes it."
    return [Error("The program's database login passes row security.", hint=hint, id="isolation.E020")]


def _version_problems(major: int, minor: int) -> list[CheckMessage]:
    if major < 16:
        hint = "Move to PostgreSQL 16 or newer."
        return [Error(f"PostgreSQL {major} is not supported.", hint=hint, id="isolation.E021")]
    if minor >= SAFE_MINOR.get(major, 0):
        return []
    hint = f"Update to {major}.{SAFE_MINOR[major]}: older ones leak rows past row security through INSERT … ON CONFLICT."
    return [CheckWarning(f"PostgreSQL {major}.{minor} has a known leak.", hint=hint, id="isolation.W022")]


@register(Tags.database)
def contexts_are_accepted(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **_: Any
) -> list[CheckMessage]:
    """What this process signs, the database believes: key, connection and clocks fit."""
    if not databases or "default" not in databases:
        return []
    try:
        try_context()
    except ProgrammingError as error:
        told = getattr(error.__cause__, "diag", None)
        hint = (told and told.message_hint) or "Run manage.py migrate --database owner."
        return [Error(f"The database refuses contexts: {error}", hint=hint, id="isolation.E023")]
    return []


def try_context() -> None:
    """Have the database judge a context that shows nobody's rows. Raises: django.db.ProgrammingError where it refuses."""
    with context.person(UUID(int=0)), connections["default"].cursor() as cursor:
        cursor.execute("SELECT revops_user_id()")
