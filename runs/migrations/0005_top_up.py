import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('runs', '0004_item_faults'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='itemresult',
            name='grades',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(), default=list, size=None),
        ),
        migrations.AddField(
            model_name='score',
            name='samples',
            field=models.PositiveSmallIntegerField(default=1),
        ),
        migrations.CreateModel(
            name='TopUp',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.CharField(choices=[('draft', 'draft'), ('queued', 'queued'), ('running', 'running'), ('paused', 'paused'), ('awaiting_review', 'awaiting review'), ('succeeded', 'succeeded'), ('failed', 'failed'), ('cancelled', 'cancelled'), ('stale', 'stale')], default='queued', max_length=16)),
                ('attempt', models.PositiveIntegerField(default=0)),
                ('worker', models.CharField(blank=True, max_length=120)),
                ('lease_until', models.DateTimeField(blank=True, null=True)),
                ('queued_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('kills', models.PositiveSmallIntegerField(default=0)),
                ('failure_code', models.CharField(blank=True, max_length=40)),
                ('failure_reason', models.TextField(blank=True)),
                ('step', models.PositiveIntegerField(default=0)),
                ('n_steps', models.PositiveIntegerField(default=0)),
                ('substep', models.CharField(blank=True, max_length=60)),
                ('eta_s', models.FloatField(blank=True, null=True)),
                ('samples', models.PositiveSmallIntegerField()),
                ('asked_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('benchmark', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='runs.benchmark')),
                ('checkpoint', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='top_ups', to='runs.checkpoint')),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='top_ups', to='runs.run')),
            ],
            options={
                'ordering': ('run', 'checkpoint', 'benchmark'),
                'indexes': [models.Index(fields=['status', 'lease_until'], name='top_up_claimable')],
                'constraints': [models.UniqueConstraint(fields=('checkpoint', 'benchmark'), name='one_top_up_per_score'), models.CheckConstraint(condition=models.Q(('status__in', ('queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled'))), name='top_up_status_is_stored')],
            },
        ),
    ]
