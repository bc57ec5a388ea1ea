"""Who a person is, in whatever workspaces: the tables here belong to no tenant."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower, Now
from django.utils.crypto import salted_hmac

from isolation.actors import Actor
from isolation.ids import uuid7
from isolation.wall import ALL_RIGHTS, SharedRights


class UserManager(BaseUserManager["User"]):
    """Looks people up by e-mail, whatever its capitals."""

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=(username or "").lower())

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """A saved user with a hashed (or unusable) password; ``accounts.services.user_create`` is the audited way."""
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser):
    """One person. Rights come from memberships in workspaces; ``is_operator`` marks the vendor's own staff."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(max_length=254, unique=True)
    name = models.CharField(max_length=150, blank=True)
    is_active = models.BooleanField(default=True)
    is_operator = models.BooleanField(default=False)
    session_epoch = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now())

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(Lower("email"), name="accounts_user_email_unique"),
            SharedRights(name="accounts_user_rights", accounts=ALL_RIGHTS, platform="SELECT"),
        ]

    def __str__(self) -> str:
        return self.email

    def get_session_auth_hash(self) -> str:
        """Changes with the password and with ``session_epoch``, so that raising the epoch ends every session at once."""
        return salted_hmac(
            "accounts.session", f"{self.password}:{self.session_epoch}", algorithm="sha256"
        ).hexdigest()

    @property
    def is_staff(self) -> bool:
        """Django admin's question."""
        return self.is_operator

    def has_perm(self, perm: str, obj: object = None) -> bool:
        """Django admin's question: operators may look at everything there; its pages write through services only."""
        return self.is_active and self.is_operator

    def has_module_perms(self, app_label: str) -> bool:
        """Django admin's question."""
        return self.has_perm(app_label)

    def as_operator(self) -> Actor:
        """This operator as the acting user. Raises: PermissionError for anybody else."""
        if not (self.is_active and self.is_operator):
            raise PermissionError(f"{self.email} is no operator.")
        return Actor.operator(user_id=self.id, email=self.email)


class AccessKey(models.Model):
    """A key that a partner carries: shown once, kept as a SHA-256 of 160 random bits."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="access_keys")
    hint = models.CharField(max_length=40)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.CharField(max_length=254)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            SharedRights(name="accounts_key_rights", accounts=ALL_RIGHTS, platform="SELECT")
        ]
