"""Accounts, sessions and keys are reached in a context of their own; the bare login, which signed people in before, loses them.

With them what Django and allauth bring along: their tables have no model of ours to declare it.
"""

import isolation.wall
from accounts.foreign import FOREIGN
from django.db import migrations

# As declared now: what is added to that list later needs a migration of its own, after the one that makes the table.
FOREIGN_SQL = "\n".join(line for table, rights in FOREIGN.items() for line in rights.statements(table))


class Migration(migrations.Migration):

    dependencies = [
        ('account', '0009_emailaddress_unique_primary_email'),
        ('accounts', '0002_platform_reads'),
        ('admin', '0003_logentry_add_action_flag_choices'),
        ('auth', '0012_alter_user_first_name_max_length'),
        ('isolation', '0006_rights_of_jobs'),
        ('sessions', '0001_initial'),
    ]

    # No way back for what is foreign, as with the wall itself.
    operations = [
        migrations.RunSQL(FOREIGN_SQL),
        migrations.RemoveConstraint(
            model_name='accesskey',
            name='accounts_key_rights',
        ),
        migrations.RemoveConstraint(
            model_name='user',
            name='accounts_user_rights',
        ),
        migrations.AddConstraint(
            model_name='accesskey',
            constraint=isolation.wall.SharedRights(accounts='SELECT, INSERT, UPDATE, DELETE', name='accounts_key_rights', platform='SELECT'),
        ),
        migrations.AddConstraint(
            model_name='user',
            constraint=isolation.wall.SharedRights(accounts='SELECT, INSERT, UPDATE, DELETE', name='accounts_user_rights', platform='SELECT'),
        ),
    ]
