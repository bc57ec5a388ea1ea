from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("crm_sync", "0005_hubspot_stage_of_change"),
    ]

    operations = [
        migrations.AddField(
            model_name="synccursor",
            name="absent",
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name="syncobjectresult",
            name="absent",
            field=models.JSONField(default=list),
        ),
    ]
