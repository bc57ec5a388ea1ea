"""Composition root: settings, addresses, Celery, health, metrics and the local runtime."""
