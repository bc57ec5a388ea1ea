"""Writes about connections, their schedules and runs."""
