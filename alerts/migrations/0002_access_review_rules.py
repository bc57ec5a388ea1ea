"""The workspaces that exist already get the two rules about access reviews that new ones begin with.

The owner of the tables sees no tenant's rows while row security is forced on it. Both tables stand without that for the length
of this transaction; ALTER TABLE locks them against everybody else meanwhile.
"""

from django.db import migrations

_ADD = """
    ALTER TABLE tenants_tenant NO FORCE ROW LEVEL SECURITY;
    ALTER TABLE alerts_rule NO FORCE ROW LEVEL SECURITY;
    INSERT INTO alerts_rule (id, tenant_id, name, metric, comparison, threshold, severity, cooldown_minutes, is_enabled, state)
    SELECT gen_random_uuid(), t.id, rule.name, rule.metric, 'above', 0, rule.severity, rule.cooldown, true, 'ok'
    FROM tenants_tenant t
    CROSS JOIN (VALUES ('access_review_due', 'rbac.reviews_due_soon', 'info', 10080),
                       ('access_review_overdue', 'rbac.reviews_overdue', 'warning', 1440)
               ) AS rule (name, metric, severity, cooldown)
    ON CONFLICT (tenant_id, name) DO NOTHING;
    SET CONSTRAINTS ALL IMMEDIATE;
    ALTER TABLE tenants_tenant FORCE ROW LEVEL SECURITY;
    ALTER TABLE alerts_rule FORCE ROW LEVEL SECURITY;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('alerts', '0001_initial'),
    ]

    operations = [migrations.RunSQL(_ADD, migrations.RunSQL.noop)]
