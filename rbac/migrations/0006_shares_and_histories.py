import django.db.models.deletion
import isolation.clock
import isolation.ids
import isolation.models
import isolation.wall
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("isolation", "0004_shared_context"),
        ("rbac", "0005_base_role_history"),
        ("tenants", "0003_desk_roles"),
    ]

    operations = [
        migrations.CreateModel(
            name="Share",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=isolation.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("kind", models.CharField(choices=[("deal", "Deal"), ("account", "Account")], max_length=8)),
                ("source", models.CharField(max_length=12)),
                ("external_id", models.CharField(max_length=40)),
                ("label", models.CharField(max_length=200)),
                ("with_team", models.BooleanField(default=False)),
                (
                    "access",
                    models.CharField(choices=[("view", "View"), ("edit", "View and edit")], max_length=4),
                ),
                ("valid_from", models.DateTimeField(db_default=isolation.clock.StatementNow())),
                ("valid_until", models.DateTimeField(null=True)),
                ("reason", models.CharField(max_length=300)),
                ("shared_by", models.CharField(max_length=254)),
                ("revoked_at", models.DateTimeField(null=True)),
                ("revoked_by", models.CharField(blank=True, max_length=254)),
                ("revoked_reason", models.CharField(blank=True, max_length=300)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="reportingline",
            name="rbac_line_member",
        ),
        migrations.AddField(
            model_name="reportingline",
            name="set_by",
            field=models.CharField(db_default="", max_length=254),
        ),
        migrations.AddField(
            model_name="reportingline",
            name="valid_from",
            field=models.DateTimeField(db_default=isolation.clock.StatementNow()),
        ),
        migrations.AddField(
            model_name="reportingline",
            name="valid_until",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddConstraint(
            model_name="reportingline",
            constraint=models.UniqueConstraint(
                condition=models.Q(("valid_until", None)),
                fields=("tenant", "member"),
                name="rbac_line_member",
            ),
        ),
        migrations.AddField(
            model_name="share",
            name="member",
            field=isolation.models.SameTenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.member",
            ),
        ),
        migrations.AddField(
            model_name="share",
            name="shared_by_member",
            field=isolation.models.SameTenantForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.member",
            ),
        ),
        migrations.AddField(
            model_name="share",
            name="tenant",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.tenant",
            ),
        ),
        migrations.AddIndex(
            model_name="share",
            index=models.Index(fields=["tenant", "kind", "source", "external_id"], name="rbac_share_of_row"),
        ),
        migrations.AddConstraint(
            model_name="share",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("valid_until", None), ("valid_until__gt", models.F("valid_from")), _connector="OR"
                ),
                name="rbac_share_has_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="share",
            constraint=isolation.wall.TenantWall(name="rbac_share_wall"),
        ),
        migrations.AddConstraint(
            model_name="share",
            constraint=isolation.wall.SameTenantReference(
                field="member", name="rbac_share_member_same_tenant"
            ),
        ),
        migrations.AddConstraint(
            model_name="share",
            constraint=isolation.wall.SameTenantReference(
                field="shared_by_member", name="rbac_share_shared_by_member_same_tenant"
            ),
        ),
    ]
