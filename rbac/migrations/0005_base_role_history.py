"""The members that exist already begin their history with what they are, from the day they joined.

The owner of the tables sees no tenant's rows while row security is forced on it. Both tables stand without that for the length
of this transaction; ALTER TABLE locks them against everybody else meanwhile.
"""

from django.db import migrations

_BACKFILL = """
    ALTER TABLE tenants_member NO FORCE ROW LEVEL SECURITY;
    ALTER TABLE rbac_baseroleperiod NO FORCE ROW LEVEL SECURITY;
    INSERT INTO rbac_baseroleperiod (tenant_id, member_id, role, valid_from, valid_until, changed_by)
    SELECT m.tenant_id, m.id, m.role, m.joined_at,
           CASE WHEN m.is_active THEN NULL ELSE greatest(m.joined_at, coalesce(m.deactivated_at, m.joined_at)) END,
           'as found when the history began'
    FROM tenants_member m
    WHERE NOT EXISTS (SELECT FROM rbac_baseroleperiod p WHERE p.tenant_id = m.tenant_id AND p.member_id = m.id);
    SET CONSTRAINTS ALL IMMEDIATE;
    ALTER TABLE tenants_member FORCE ROW LEVEL SECURITY;
    ALTER TABLE rbac_baseroleperiod FORCE ROW LEVEL SECURITY;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('rbac', '0004_custom_roles'),
    ]

    operations = [migrations.RunSQL(_BACKFILL, migrations.RunSQL.noop)]
