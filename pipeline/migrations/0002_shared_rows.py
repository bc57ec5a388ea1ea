
import isolation.wall
from isolation.operations import AlterWall
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('isolation', '0004_shared_context'),
        ('pipeline', '0001_initial'),
        ('tenants', '0003_desk_roles'),
    ]

    operations = [
        AlterWall('dealhealth', isolation.wall.TenantWall(name='pipeline_dealhealth_wall', shared_through=('id', 'deal', 'deal_edit'), visible_through='owner_id')),
        AlterWall('recentchange', isolation.wall.TenantWall(name='pipeline_recentchange_wall', shared_through=('opportunity_id', 'deal', 'deal_edit'), visible_through='owner_id')),
    ]
