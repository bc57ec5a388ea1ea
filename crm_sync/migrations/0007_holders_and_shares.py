
import django.db.models.deletion
import django.db.models.functions.datetime
import isolation.clock
import isolation.wall
from isolation.operations import AlterWall
from django.db import migrations, models


# "UPDATE OF" and WHEN leave every other change of a row as cheap as it was; a first load, which only inserts, pays nothing.
FORMER = """
    CREATE FUNCTION crm_sync_note_former_owner() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
    BEGIN
        INSERT INTO public.crm_sync_formerowner (tenant_id, kind, row_id, owner_id) VALUES (OLD.tenant_id, TG_ARGV[0], OLD.id, OLD.owner_id);
        RETURN NULL;
    END
    $body$;
    CREATE TRIGGER crm_sync_note_former_owner AFTER UPDATE OF owner_id ON crm_sync_opportunity
        FOR EACH ROW WHEN (OLD.owner_id IS DISTINCT FROM NEW.owner_id) EXECUTE FUNCTION crm_sync_note_former_owner('deal');
    CREATE TRIGGER crm_sync_note_former_owner AFTER UPDATE OF owner_id ON crm_sync_account
        FOR EACH ROW WHEN (OLD.owner_id IS DISTINCT FROM NEW.owner_id) EXECUTE FUNCTION crm_sync_note_former_owner('account');
    CREATE FUNCTION crm_sync_note_former_holder() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
    BEGIN
        INSERT INTO public.crm_sync_formerholder (tenant_id, owner_id, member_id) VALUES (OLD.tenant_id, OLD.id, OLD.member_id);
        RETURN NULL;
    END
    $body$;
    CREATE TRIGGER crm_sync_note_former_holder AFTER UPDATE OF member_id ON crm_sync_owner
        FOR EACH ROW WHEN (OLD.member_id IS DISTINCT FROM NEW.member_id) EXECUTE FUNCTION crm_sync_note_former_holder();
"""
NO_FORMER = """
    DROP TRIGGER crm_sync_note_former_owner ON crm_sync_opportunity;
    DROP TRIGGER crm_sync_note_former_owner ON crm_sync_account;
    DROP FUNCTION crm_sync_note_former_owner();
    DROP TRIGGER crm_sync_note_former_holder ON crm_sync_owner;
    DROP FUNCTION crm_sync_note_former_holder();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('isolation', '0004_shared_context'),
        ('crm_sync', '0006_absent_fields'),
        ('tenants', '0003_desk_roles'),
    ]

    operations = [
        migrations.CreateModel(
            name='FormerHolder',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('owner_id', models.BigIntegerField()),
                ('member_id', models.UUIDField(null=True)),
                ('valid_until', models.DateTimeField(db_default=isolation.clock.StatementNow())),
            ],
        ),
        migrations.CreateModel(
            name='FormerOwner',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('kind', models.CharField(max_length=8)),
                ('row_id', models.BigIntegerField()),
                ('owner_id', models.BigIntegerField(null=True)),
                ('valid_until', models.DateTimeField(db_default=isolation.clock.StatementNow())),
            ],
        ),
        migrations.AddField(
            model_name='opportunity',
            name='first_seen_at',
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
        ),
        migrations.AddField(
            model_name='owner',
            name='holder_origin',
            field=models.CharField(blank=True, choices=[('', 'Same e-mail'), ('chosen', 'Chosen'), ('passed_on', 'Passed on')], db_default='', max_length=10),
        ),
        migrations.AddIndex(
            model_name='contact',
            index=models.Index(fields=['tenant', 'account_id'], name='crm_sync_contact_of_account'),
        ),
        migrations.AddIndex(
            model_name='opportunity',
            index=models.Index(fields=['tenant', 'account_id'], name='crm_sync_deal_of_account'),
        ),
        AlterWall('account', isolation.wall.TenantWall(name='crm_sync_account_wall', shared_through=('id', 'account', 'account_edit'), visible_through='owner_id')),
        AlterWall('activity', isolation.wall.TenantWall(name='crm_sync_activity_wall', shared_through=('opportunity_id', 'deal', 'deal_edit'), visible_through='deal_owner_id')),
        AlterWall('contact', isolation.wall.TenantWall(name='crm_sync_contact_wall', shared_through=('id', 'contact', 'contact_edit'), visible_through='owner_id')),
        AlterWall('contactrole', isolation.wall.TenantWall(name='crm_sync_contactrole_wall', shared_through=('opportunity_id', 'deal', 'deal_edit'), visible_through='deal_owner_id')),
        AlterWall('opportunity', isolation.wall.TenantWall(name='crm_sync_opportunity_wall', shared_through=('id', 'deal', 'deal_edit'), visible_through='owner_id')),
        AlterWall('owner', isolation.wall.TenantWall(name='crm_sync_owner_wall', shared_through=('id', 'owner', 'owner'), visible_through='id')),
        AlterWall('stagechange', isolation.wall.TenantWall(name='crm_sync_stagechange_wall', shared_through=('opportunity_id', 'deal', 'deal_edit'), visible_through='deal_owner_id')),
        migrations.AddField(
            model_name='formerholder',
            name='tenant',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='tenants.tenant'),
        ),
        migrations.AddField(
            model_name='formerowner',
            name='tenant',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='tenants.tenant'),
        ),
        migrations.AddIndex(
            model_name='formerholder',
            index=models.Index(fields=['tenant', 'owner_id', 'valid_until'], name='crm_sync_former_of_owner'),
        ),
        migrations.AddConstraint(
            model_name='formerholder',
            constraint=isolation.wall.TenantWall(name='crm_sync_formerholder_wall', visible_through='owner_id'),
        ),
        migrations.AddIndex(
            model_name='formerowner',
            index=models.Index(fields=['tenant', 'kind', 'row_id', 'valid_until'], name='crm_sync_former_of_row'),
        ),
        migrations.AddConstraint(
            model_name='formerowner',
            constraint=isolation.wall.TenantWall(name='crm_sync_formerowner_wall', visible_through='owner_id'),
        ),
        migrations.RunSQL(FORMER, NO_FORMER),
    ]
