"""Operators look at jobs, heartbeats and the administration's own tables from within the platform context."""

from django.db import migrations

TABLES = "django_content_type, django_admin_log, isolation_periodicjob, isolation_heartbeat"


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("isolation", "0002_periodic_jobs"),
    ]

    operations = [
        migrations.RunSQL(f"GRANT SELECT ON {TABLES} TO platform;", f"REVOKE SELECT ON {TABLES} FROM platform;")
    ]
