"""A way for the program's roles, which own no table, to refresh the planner's statistics after a load."""

from django.db import migrations

MIRRORS = ("owner", "account", "contact", "opportunity", "contactrole", "stagechange", "activity")


class Migration(migrations.Migration):
    dependencies = [("crm_sync", "0001_initial")]
    operations = [
        migrations.RunSQL(
            # SECURITY DEFINER: before PostgreSQL 17 only a table's owner may analyse it. It takes no table of the caller's choice.
            f"""
            CREATE FUNCTION crm_sync_analyze(mirror text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
            SET search_path = public, pg_temp AS $body$
            BEGIN
                IF mirror NOT IN ({", ".join(f"'crm_sync_{name}'" for name in MIRRORS)}) THEN
                    RAISE EXCEPTION '% is not a mirror table', mirror;
                END IF;
                EXECUTE format('ANALYZE %I', mirror);
            END
            $body$;
            REVOKE ALL ON FUNCTION crm_sync_analyze(text) FROM PUBLIC;
            GRANT EXECUTE ON FUNCTION crm_sync_analyze(text) TO tenant_wide;
            """,
            "DROP FUNCTION crm_sync_analyze(text);",
        )
    ]
