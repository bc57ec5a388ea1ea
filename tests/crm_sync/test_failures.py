"""Every code that a connector or the engine can raise has a class, and each class says what to do."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from crm_sync import failures
from crm_sync.failures import AUTH_PREFIX, CODES, WHAT_TO_DO, FailureClass, class_of, of_class, what_to_do
from crm_sync.models import Connection, RunTrigger, SyncRun
from isolation import context
from tenants.models import Tenant
from tests.conftest import ROOT

PROBLEMS = {"ConfigurationProblem", "PassingProblem", "PlaceLost", "BudgetSpent"}
# Where a problem repeats the CRM's own word, or another problem's code: what such a code looks like is told here.
REPEATED = {
    "crm_sync/connectors/salesforce/problems.py:code",  # the CRM's errorCode in lower case
    "crm_sync/connectors/hubspot/problems.py:code",  # the category in lower case
    "crm_sync/engine/execute.py:error.code",  # a refusal while a connection is opened
    "crm_sync/tokens.py:error.code",  # the same
}


def sources() -> Iterator[Path]:
    for folder in ("connectors", "engine", "mapping"):
        yield from (ROOT / "crm_sync" / folder).rglob("*.py")
    yield from (ROOT / "crm_sync").glob("*.py")


def raised() -> Iterator[tuple[str, ast.expr]]:
    """(file, first argument) of every problem that is made anywhere."""
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                if node.func.id in PROBLEMS:
                    yield str(path.relative_to(ROOT)), node.args[0]
                if node.func.id == "_fail" and len(node.args) > 1:
                    yield str(path.relative_to(ROOT)), node.args[1]


def literal_start(argument: ast.expr) -> str | None:
    """The text of a literal, or what an f-string (cut or not) begins with."""
    if isinstance(argument, ast.Subscript):
        return literal_start(argument.value)
    if isinstance(argument, ast.Constant):
        return str(argument.value)
    if isinstance(argument, ast.JoinedStr) and isinstance(argument.values[0], ast.Constant):
        return str(argument.values[0].value)
    return None


class TestEveryCode:
    def test_that_is_raised_has_a_class(self) -> None:
        listed = {code for codes in CODES.values() for code in codes}
        found = [(file, literal_start(argument), ast.unparse(argument)) for file, argument in raised()]
        assert len(found) > 25  # the walk finds them
        literal = {f"{start} in {file}": start for file, start, _ in found if start}
        assert {
            told for told, start in literal.items() if not (start in listed or start.startswith(AUTH_PREFIX))
        } == set()
        odd = {
            f"{file}:{text}"
            for file, start, text in found
            if start is None and not text.startswith("problem.")
        }
        assert odd <= REPEATED

    def test_has_one_class_only(self) -> None:
        assert sum(map(len, CODES.values())) == len(set().union(*CODES.values()))

    def test_of_a_class_that_says_what_to_do(self) -> None:
        assert set(WHAT_TO_DO) == set(FailureClass) == set(CODES)
        assert all(sentence.endswith(".") for sentence in WHAT_TO_DO.values())

    @pytest.mark.parametrize(
        ("code", "expected"),
        [("", None), ("field_missing", "schema"), ("timeout", "timeout"), ("limit", "limits"), ("internal", "program"),
         ("sign_in_invalid_grant", "auth"), ("sign_in_trouble", "crm"), ("some_word_of_the_crm", "crm")],
    )  # fmt: skip
    def test_is_classed(self, code: str, expected: str | None) -> None:
        assert class_of(code) == expected
        assert bool(what_to_do(code)) is bool(code)


@pytest.mark.django_db
def test_rows_are_found_by_the_class_that_they_are_shown_with(acme: Tenant) -> None:
    codes = ["", "sign_in_invalid_grant", "word_of_the_crm", *failures._CLASS_OF]
    with context.tenant_wide(acme.id):
        connection = Connection.objects.get()
        for code in codes:
            SyncRun.objects.create(
                tenant=acme, connection=connection, trigger=RunTrigger.MANUAL, requested_by="x", state="failed", error_code=code,
            )  # fmt: skip
        for wanted in FailureClass:
            found = set(SyncRun.objects.filter(of_class(wanted)).values_list("error_code", flat=True))
            assert found == {code for code in codes if class_of(code) is wanted}
