"""A role for what belongs to people and to no tenant: accounts, sessions, access keys.

The bare login read and wrote those before, and whoever injects SQL gets back to it with RESET ROLE. Which tables those are, their
own apps' migrations say.
"""

from django.db import migrations

FUNCTION = """
    CREATE FUNCTION revops_reaches_accounts() RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
    BEGIN
        PERFORM public.revops_verified_context('accounts');
        RETURN true;
    END
    $body$;
    REVOKE ALL ON FUNCTION revops_reaches_accounts() FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION revops_reaches_accounts() TO accounts;
"""


class Migration(migrations.Migration):
    dependencies = [("isolation", "0004_shared_context")]
    operations = [migrations.RunSQL(FUNCTION, "DROP FUNCTION revops_reaches_accounts()")]
