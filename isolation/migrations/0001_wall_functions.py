"""The functions that policies call. Each is loud: without its setting a statement fails instead of seeing nothing."""

from django.db import migrations


def _function(name: str, setting: str, returns: str, missing: str) -> str:
    return f"""
        CREATE FUNCTION {name}() RETURNS {returns} LANGUAGE plpgsql STABLE PARALLEL SAFE AS $body$
        DECLARE
            found text := nullif(current_setting('{setting}', true), '');
        BEGIN
            IF found IS NULL THEN
                RAISE EXCEPTION '{missing}' USING ERRCODE = 'insufficient_privilege',
                    HINT = 'Open a context of isolation.context around this statement.';
            END IF;
            RETURN found::{returns};
        END
        $body$;
    """


class Migration(migrations.Migration):
    initial = True
    dependencies: list[tuple[str, str]] = []
    operations = [
        migrations.RunSQL(
            _function("revops_tenant_id", "revops.tenant_id", "bigint", "no tenant context is set")
            + _function("revops_owner_ids", "revops.owner_ids", "bigint[]", "no visible owners are set")
            + _function("revops_user_id", "revops.user_id", "uuid", "no person context is set")
            + _function("revops_platform_reason", "revops.reason", "text", "no reason for platform access is set"),
            "DROP FUNCTION revops_tenant_id(), revops_owner_ids(), revops_user_id(), revops_platform_reason();",
        )
    ]
