"""Contexts are signed: the functions that policies call check who signed what, for whom, and until when.

Each policy names its own role, because a function of the owner's cannot see whose policy it serves: without that, a temporary
view made as ``tenant_wide`` would show a ``tenant_member`` the whole tenant.
"""

from django.db import migrations

TABLE = """
    CREATE TABLE isolation_contextkey (
        id text PRIMARY KEY,
        inner_key bytea NOT NULL CHECK (length(inner_key) = 64),
        outer_key bytea NOT NULL CHECK (length(outer_key) = 64),
        added_at timestamptz NOT NULL DEFAULT now()
    );
    -- Row security without a policy and without FORCE: a right granted by mistake still shows no key to anybody but the owner.
    ALTER TABLE isolation_contextkey ENABLE ROW LEVEL SECURITY;
    REVOKE ALL ON isolation_contextkey FROM PUBLIC, revops_app;
"""

# The fields, in order: key id, role, backend's process id, microsecond (of the epoch) up to which a transaction may have begun,
# tenant, owners, user, reason. Only the last may hold the separator. The signature is checked before any of them is believed.
VERIFY = """
    CREATE FUNCTION revops_verified_context(role_of_policy text) RETURNS text[]
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED AS $body$
    DECLARE
        payload text := coalesce(current_setting('revops.context', true), '');
        given text := coalesce(current_setting('revops.signature', true), '');
        parts text[] := string_to_array(payload, '|');
        expected bytea;
    BEGIN
        IF payload = '' THEN
            RAISE EXCEPTION 'no context is set' USING ERRCODE = 'insufficient_privilege',
                HINT = 'Open a context of isolation.context around this statement.';
        END IF;
        SELECT sha256(outer_key || sha256(inner_key || convert_to(payload, 'UTF8'))) INTO expected
        FROM public.isolation_contextkey WHERE id = parts[1];
        IF expected IS NULL THEN
            RAISE EXCEPTION 'the context is signed with a key that this database does not know'
                USING ERRCODE = 'insufficient_privilege',
                HINT = 'SECRET_KEY has changed: run manage.py rotate_context_key (docs/deploy.md, "Keys").';
        END IF;
        -- Digests of both are compared: how long that takes tells nothing about the expected signature.
        IF (sha256(convert_to(encode(expected, 'hex'), 'UTF8')) = sha256(convert_to(given, 'UTF8'))) IS NOT TRUE THEN
            RAISE EXCEPTION 'the signature of the context does not fit' USING ERRCODE = 'insufficient_privilege',
                HINT = 'Only isolation.context makes contexts; revops.* settings are not to be set by hand.';
        END IF;
        IF (parts[2] = role_of_policy AND parts[2] = current_setting('role')) IS NOT TRUE THEN
            RAISE EXCEPTION 'the context is signed for role %, not for % as %', parts[2], role_of_policy, current_setting('role')
                USING ERRCODE = 'insufficient_privilege', HINT = 'Let isolation.context take the role.';
        END IF;
        IF (parts[3] = pg_backend_pid()::text) IS NOT TRUE THEN
            RAISE EXCEPTION 'the context is signed for another connection' USING ERRCODE = 'insufficient_privilege',
                HINT = 'Behind a pooler set DATABASE_IS_POOLED=true.';
        END IF;
        -- now() is when the transaction began: a long one goes on, and a kept context is of no use in a later one.
        -- Operands of one type spare a new connection, which every request has, a third of its look-ups in the catalogue.
        IF (extract(epoch FROM now()) * 1000000::numeric <= parts[4]::numeric) IS NOT TRUE THEN
            RAISE EXCEPTION 'the context has expired' USING ERRCODE = 'insufficient_privilege',
                HINT = 'If it was made just now, the clocks of program and database differ: docs/deploy.md, "Keys".';
        END IF;
        RETURN parts;
    END
    $body$;
    REVOKE ALL ON FUNCTION revops_verified_context(text) FROM PUBLIC;
"""


def _function(name, parameter, returns, verified, found, missing, roles):
    # PARALLEL RESTRICTED: a parallel worker has a process id of its own.
    return f"""
        CREATE OR REPLACE FUNCTION {name}({parameter}) RETURNS {returns}
        LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
        DECLARE
            parts text[] := public.revops_verified_context({verified});
            found text := nullif({found}, '');
        BEGIN
            IF found IS NULL THEN
                RAISE EXCEPTION '{missing}' USING ERRCODE = 'insufficient_privilege',
                    HINT = 'Open a context of isolation.context around this statement.';
            END IF;
            RETURN found::{returns};
        END
        $body$;
        REVOKE ALL ON FUNCTION {name}({parameter.rpartition(" ")[2]}) FROM PUBLIC;
        GRANT EXECUTE ON FUNCTION {name}({parameter.rpartition(" ")[2]}) TO {roles};
    """


FUNCTIONS = (
    _function("revops_tenant_id", "role_of_policy text", "bigint", "role_of_policy", "parts[5]",
              "no tenant context is set", "tenant_member, tenant_wide")
    + _function("revops_owner_ids", "role_of_policy text", "bigint[]", "role_of_policy", "parts[6]",
                "no visible owners are set", "tenant_member")
    + _function("revops_user_id", "", "uuid", "'person'", "parts[7]", "no person context is set", "person")
    + _function("revops_platform_reason", "", "text", "'platform'", "array_to_string(parts[8:], '|')",
                "no reason for platform access is set", "platform")
)

# Tables made before call the functions without a role.
POLICIES = """
    DO $body$
    DECLARE
        policy record;
    BEGIN
        FOR policy IN
            SELECT p.polname, p.polrelid::regclass AS of_table,
                   regexp_replace(pg_get_expr(p.polqual, p.polrelid), 'revops_(tenant_id|owner_ids)\\(\\)',
                                  'revops_\\1(' || quote_literal(r.rolname) || ')', 'g') AS predicate
            FROM pg_policy p JOIN pg_roles r ON r.oid = p.polroles[1]
            WHERE pg_get_expr(p.polqual, p.polrelid) ~ 'revops_(tenant_id|owner_ids)\\(\\)'
        LOOP
            EXECUTE format('ALTER POLICY %I ON %s USING (%s) WITH CHECK (%s)',
                           policy.polname, policy.of_table, policy.predicate, policy.predicate);
        END LOOP;
    END
    $body$;
    DROP FUNCTION IF EXISTS revops_tenant_id(), revops_owner_ids();
"""

# What only the platform may read had no row security before, as it belongs to no tenant: taking the role was enough.
SHARED = """
    DO $body$
    DECLARE
        shared record;
    BEGIN
        FOR shared IN
            SELECT c.oid::regclass AS name, c.relname FROM pg_class c
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relrowsecurity
              AND has_table_privilege('platform', c.oid, 'SELECT') AND NOT has_table_privilege('revops_app', c.oid, 'SELECT')
        LOOP
            EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', shared.name);
            EXECUTE format('CREATE POLICY %I ON %s FOR INSERT TO revops_app WITH CHECK (true)',
                           shared.relname || '_login', shared.name);
            EXECUTE format('CREATE POLICY %I ON %s TO platform USING ((SELECT revops_platform_reason()) IS NOT NULL) '
                           'WITH CHECK ((SELECT revops_platform_reason()) IS NOT NULL)',
                           shared.relname || '_platform', shared.name);
        END LOOP;
    END
    $body$;
"""


class Migration(migrations.Migration):
    dependencies = [("isolation", "0002_periodic_jobs")]
    # No way back: it would open the wall to whoever can run SQL.
    operations = [migrations.RunSQL(TABLE + VERIFY + FUNCTIONS + POLICIES + SHARED)]
