"""Fields whose changes move no stamp: read of all rows, and only these columns written. Nothing is inserted, ``modified_at`` stays."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from django.db.models.functions import Now

from crm_sync.connectors.base import FieldDescription, Kind, ObjectSpec, Page, PlaceLost
from crm_sync.engine import links, stage
from crm_sync.engine.batch import Counts
from crm_sync.engine.feed import Feed
from crm_sync.engine.run import Run, save
from crm_sync.engine.scope import Scope
from crm_sync.engine.sql import MERGED, STAGE, checks, literal, staged, values
from crm_sync.models import Connection, SyncObjectResult


class Refresh(Run):
    """A run of kind ``refresh``."""

    def refresh_objects(self) -> None:
        """Bring every field that no stamp speaks of up to date. Raises: as ``sync_objects``."""
        objects = [
            (spec, self._result(spec, place)) for place, spec in enumerate(self._objects) if not spec.parent
        ]
        self._each(self._refresh, objects)
        with self._step():
            Connection.objects.filter(pk=self._connection.pk).update(refreshed_at=Now())

    def _refresh(self, spec: ObjectSpec, result: SyncObjectResult) -> None:
        usable, note = self._usable(spec)
        narrow = narrowed(usable, self._described[spec.name] or {}) if usable else None
        if narrow is None:
            with self._step():
                save(
                    result,
                    is_begun=True,
                    is_done=True,
                    note=note or "No field of it changes without a stamp.",
                )
            return
        scope = self._scope(narrow)
        if not result.place:
            self._open(scope, result)
        try:
            self._load_fields(scope, result)
        except PlaceLost:
            self._close(result)
            raise

    def _load_fields(self, scope: Scope, result: SyncObjectResult) -> None:
        with Feed(self._source.pages(scope.spec, None, result.place)) as pages:
            for page in pages:
                started = time.monotonic()
                with self._step():
                    self._count(result, merged(scope, page))
                    seconds = result.seconds + time.monotonic() - started
                    save(
                        result, is_begun=True, place=page.after, is_done=not page.after,
                        rows_expected=page.rows_in_all, seconds=seconds,
                    )  # fmt: skip
                self._listener(result, scope.spec)


def narrowed(spec: ObjectSpec, described: Mapping[str, FieldDescription]) -> ObjectSpec | None:
    """The object with nothing but the columns and custom fields that are read anew; None where there are none."""

    def moves_no_stamp(field: str) -> bool:
        return field in spec.unstamped or (field in described and described[field].is_calculated)

    fixed = {spec.id_field, spec.stamp_field}
    columns = tuple(c for c in spec.columns if c.fields[0] not in fixed and moves_no_stamp(c.fields[0]))
    custom = tuple(c for c in spec.custom if moves_no_stamp(c.field))
    if not columns and not custom:
        return None
    has_money = any(column.kind is Kind.MONEY for column in columns)
    return replace(
        spec, columns=columns, custom=custom, references=(), kept=(), deleted_field="",
        currency_field=spec.currency_field if has_money else "",
    )  # fmt: skip


def merged(scope: Scope, page: Page) -> Counts:
    """Write a page's values where they differ. Rows with a bad value keep the old one: whole rows are judged by the syncs."""
    stage.create(scope)
    read = stage.fill(scope, stage.Cleaned(page.chunks), page.rows)
    is_bad = " OR ".join(f"({check.is_bad})" for check in checks(scope.spec))
    rejected = scope.run(f"DELETE FROM {STAGE} s WHERE {is_bad}")
    changed = _update(scope)
    links.follow_merge(scope)
    links.note_touched(scope)
    stage.drop(scope)
    return Counts(read=read, changed=changed, unchanged=read - changed - rejected, rejected=0)


def _update(scope: Scope) -> int:
    scope.run(
        f"CREATE TEMPORARY TABLE {MERGED} (id bigint, is_new boolean, has_new_copies boolean, old_deal_id bigint) ON COMMIT DROP"
    )
    news = _news(scope.spec)
    incoming = ", ".join(f"{sql} AS {name}" for name, (sql, _) in news.items())
    return scope.run(
        f"""
        WITH changed AS (
            UPDATE {scope.table} t SET {", ".join(f"{name} = {value}" for name, (_, value) in news.items())}
            FROM (SELECT {incoming}, {staged(scope.spec.id_field)} AS own_id FROM {STAGE} s) AS i
            WHERE {scope.own_rows} AND t.external_id = i.own_id
              AND ({", ".join(f"t.{name}" for name in news)}) IS DISTINCT FROM ({", ".join(value for _, value in news.values())})
            RETURNING t.id
        )
        INSERT INTO {MERGED} SELECT id, false, true, NULL FROM changed
        """
    )


def _news(spec: ObjectSpec) -> dict[str, tuple[str, str]]:
    """{column: (SQL over a staged row ``s``, SQL over ``i`` for the new value)}."""
    known = values(spec)
    news = {column.name: (known[column.name], f"i.{column.name}") for column in spec.columns}
    if spec.custom:
        keys = ", ".join(literal(custom.key) for custom in spec.custom)
        news["custom"] = (known["custom"], f"(t.custom - ARRAY[{keys}]) || i.custom")
    return news
