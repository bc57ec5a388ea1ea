"""The masked copy of the subject, filled in for the items that are there."""

from __future__ import annotations

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from rbac.redaction.masks import text as redact

_BATCH = 1000
_TABLE = "operations_priorityitem"


def _fill(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    # The wall stands for the table's owner, too; inside this transaction nobody else can use the gap.
    editor.execute(f"ALTER TABLE {_TABLE} NO FORCE ROW LEVEL SECURITY")
    with editor.connection.cursor() as cursor:
        cursor.execute(f"SELECT id, subject FROM {_TABLE}")
        while rows := cursor.fetchmany(_BATCH):
            masked = [(redact(subject), pk) for pk, subject in rows]
            with editor.connection.cursor() as writer:
                writer.executemany(f"UPDATE {_TABLE} SET subject_masked = %s WHERE id = %s", masked)
    editor.execute(f"ALTER TABLE {_TABLE} FORCE ROW LEVEL SECURITY")


class Migration(migrations.Migration):
    dependencies = [("operations", "0001_initial")]

    operations = [
        migrations.AddField("priorityitem", "subject_masked", models.TextField(default="")),
        migrations.RunPython(_fill, migrations.RunPython.noop),
    ]
