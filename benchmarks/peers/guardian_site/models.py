"""Deals with guardian's own table of rights for them, as its documentation advises for large tables, and an end beside each right."""

from __future__ import annotations

from django.db import models
from guardian.models import UserObjectPermissionBase


class Workspace(models.Model):
    """What generic rights are held on."""


class Deal(models.Model):
    """What direct rights are held on."""


class DealUserObjectPermission(UserObjectPermissionBase):
    """A right on one deal; that it has ended is known, and nothing asks."""

    content_object = models.ForeignKey(Deal, on_delete=models.CASCADE)
    ends_at = models.DateTimeField(null=True)
