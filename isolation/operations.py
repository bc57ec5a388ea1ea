"""What migrations do to a wall that stands."""

from __future__ import annotations

from typing import Any

from django.db.migrations.operations.base import Operation

from isolation.wall import TenantWall


class AlterWall(Operation):
    """Change what a table's wall declares: policies and rights are made anew, keys and rows are left alone.

    ``makemigrations`` writes RemoveConstraint and AddConstraint instead, which make the primary key anew as well: minutes of
    an exclusive lock on a large table. Replace the pair by this one.
    """

    reduces_to_sql = True
    reversible = True

    def __init__(self, model_name: str, wall: TenantWall) -> None:
        self.model_name = model_name
        self.wall = wall

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return type(self).__qualname__, [], {"model_name": self.model_name, "wall": self.wall}

    def state_forwards(self, app_label: str, state: Any) -> None:
        state.remove_constraint(app_label, self.model_name.lower(), self.wall.name)
        state.add_constraint(app_label, self.model_name.lower(), self.wall)

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        self._renew(app_label, schema_editor, to_state)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        self._renew(app_label, schema_editor, to_state)

    def _renew(self, app_label: str, schema_editor: Any, state: Any) -> None:
        model = state.apps.get_model(app_label, self.model_name)
        (wall,) = (one for one in model._meta.constraints if one.name == self.wall.name)
        for statement in wall.renewal(model._meta.db_table):
            schema_editor.execute(statement, params=None)

    def describe(self) -> str:
        return f"Make policies and rights of {self.model_name} anew"

    @property
    def migration_name_fragment(self) -> str:
        return f"wall_of_{self.model_name.lower()}"
