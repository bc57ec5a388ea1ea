
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("crm_sync", "0003_connectors_contracts_checks"),
        ("tenants", "0002_invitation"),
    ]

    operations = [
        migrations.AddField(
            model_name="stagechange",
            name="stage_external_id",
            field=models.CharField(blank=True, db_default="", max_length=40),
        ),
        migrations.AddField(
            model_name="stagechange",
            name="stage_id",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddIndex(
            model_name="stagechange",
            index=models.Index(
                condition=models.Q(("stage_id", None), models.Q(("stage_external_id", ""), _negated=True)),
                fields=["tenant", "stage_external_id"],
                name="crm_sync_change_no_stage",
            ),
        ),
    ]
