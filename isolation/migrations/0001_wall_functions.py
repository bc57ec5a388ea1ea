"""The functions that policies call. Each is loud: without its setting a statement fails instead of seeing nothing.

On a new database these are only what tables can be made with: 0003 replaces them before anything runs. Two were made without the
name of the policy's role at first; 0003 brings older databases to the same state.
"""

from django.db import migrations


def _function(name: str, parameter: str, setting: str, returns: str, missing: str) -> str:
    return f"""
        CREATE FUNCTION {name}({parameter}) RETURNS {returns} LANGUAGE plpgsql STABLE PARALLEL SAFE AS $body$
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
            _function("revops_tenant_id", "role_of_policy text", "revops.tenant_id", "bigint", "no tenant context is set")
            + _function("revops_owner_ids", "role_of_policy text", "revops.owner_ids", "bigint[]", "no visible owners are set")
            + _function("revops_user_id", "", "revops.user_id", "uuid", "no person context is set")
            + _function("revops_platform_reason", "", "revops.reason", "text", "no reason for platform access is set"),
            "DROP FUNCTION revops_tenant_id(text), revops_owner_ids(text), revops_user_id(), revops_platform_reason();",
        )
    ]
