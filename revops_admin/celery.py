"""The Celery application: one worker pool, one beat, one tick."""

from __future__ import annotations

import os

from celery import Celery
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "revops_admin.settings.local")

app = Celery("revops_admin")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.beat_schedule = {
    "tick": {
        "task": "revops_admin.tasks.tick",
        "schedule": float(settings.TICK_SECONDS),
        "options": {"expires": 10 * settings.TICK_SECONDS},
    }
}
