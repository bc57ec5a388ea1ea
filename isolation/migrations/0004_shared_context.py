"""A role for members who hold shares: what they see besides their owners' rows is in the signed context, by kind.

The field of owners (``parts[6]``) now goes on with it: ``{owners};{deal};{deal_edit};{account};…``, each an
array of ids, in the order of KINDS. Contexts of other roles are signed as before, so that processes of the last release go on working.
"""

from django.db import migrations

KINDS = ("deal", "deal_edit", "account", "account_edit", "contact", "contact_edit", "owner")

_CASES = "\n".join(f"            WHEN '{kind}' THEN {place}" for place, kind in enumerate(KINDS, start=2))

FUNCTIONS = f"""
    CREATE OR REPLACE FUNCTION revops_owner_ids(role_of_policy text) RETURNS bigint[]
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
    DECLARE
        parts text[] := public.revops_verified_context(role_of_policy);
        found text := nullif(split_part(parts[6], ';', 1), '');
    BEGIN
        IF found IS NULL THEN
            RAISE EXCEPTION 'no visible owners are set' USING ERRCODE = 'insufficient_privilege',
                HINT = 'Open a context of isolation.context around this statement.';
        END IF;
        RETURN found::bigint[];
    END
    $body$;

    CREATE FUNCTION revops_shared_ids(role_of_policy text, kind text) RETURNS bigint[]
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
    DECLARE
        parts text[] := public.revops_verified_context(role_of_policy);
        found text := nullif(split_part(parts[6], ';', CASE kind
{_CASES}
            ELSE 99 END), '');
    BEGIN
        IF found IS NULL THEN
            RAISE EXCEPTION 'no shares are set' USING ERRCODE = 'insufficient_privilege',
                HINT = 'Open a context of isolation.context around this statement.';
        END IF;
        RETURN found::bigint[];
    END
    $body$;
    REVOKE ALL ON FUNCTION revops_shared_ids(text, text) FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION revops_shared_ids(text, text) TO tenant_shared;
    GRANT EXECUTE ON FUNCTION revops_tenant_id(text), revops_owner_ids(text) TO tenant_shared;
"""

# Tables that were walled before: what tenant_member may, tenant_shared may too. The CRM's tables follow with their own migrations.
TABLES = """
    DO $body$
    DECLARE
        policy record;
        given record;
    BEGIN
        FOR policy IN
            SELECT p.polname, p.polrelid::regclass AS of_table, pg_get_expr(p.polqual, p.polrelid) AS predicate
            FROM pg_policy p JOIN pg_roles r ON r.oid = p.polroles[1]
            WHERE r.rolname = 'tenant_member' AND NOT EXISTS (
                SELECT FROM pg_policy o JOIN pg_roles s ON s.oid = o.polroles[1]
                WHERE o.polrelid = p.polrelid AND s.rolname = 'tenant_shared')
        LOOP
            EXECUTE format('CREATE POLICY %I ON %s TO tenant_shared USING (%s) WITH CHECK (%s)',
                           replace(policy.polname, 'tenant_member', 'tenant_shared'), policy.of_table,
                           replace(policy.predicate, 'tenant_member', 'tenant_shared'),
                           replace(policy.predicate, 'tenant_member', 'tenant_shared'));
            FOR given IN
                SELECT a.privilege_type FROM pg_class c, aclexplode(c.relacl) a
                WHERE c.oid = policy.of_table::oid AND a.grantee = 'tenant_member'::regrole
            LOOP
                EXECUTE format('GRANT %s ON %s TO tenant_shared', given.privilege_type, policy.of_table);
            END LOOP;
        END LOOP;
    END
    $body$;
"""


class Migration(migrations.Migration):
    dependencies = [("isolation", "0003_signed_context")]
    # No way back, as with the signature itself.
    operations = [migrations.RunSQL(FUNCTIONS + TABLES)]
