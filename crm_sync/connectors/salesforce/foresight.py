"""Answers to many small questions, asked for in one call: a run that finds nothing changed then costs three."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from itertools import islice
from urllib.parse import urlencode

import msgspec

from crm_sync.connectors.base import BudgetSpent, ConfigurationProblem, PassingProblem
from crm_sync.connectors.salesforce.client import VERSION, Client
from crm_sync.connectors.salesforce.problems import api_problem

Key = tuple[str, str]
"""What is asked and of which object: ("updated", "Account")."""
Question = tuple[str, Mapping[str, str]]
"""An address below the version and its parameters."""
_A_BATCH = 25
# Refusals that a call of its own would meet as well; whatever else went wrong is asked for again.
_CERTAIN = {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND}


class _Answer(msgspec.Struct):
    statusCode: int
    result: object = None


class _Batch(msgspec.Struct):
    results: list[_Answer]


class Foresight:
    """The answers that came early, each until it is taken."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._answers: dict[Key, _Answer] = {}

    def ask(self, questions: Mapping[Key, Question]) -> None:
        """Ask them all. What cannot be had this way is asked for by itself later. Raises: ConfigurationProblem, BudgetSpent."""
        left = iter(questions.items())
        while part := dict(islice(left, _A_BATCH)):
            self._ask(part)

    def _ask(self, questions: Mapping[Key, Question]) -> None:
        wanted = [{"method": "GET", "url": _address(*question)} for question in questions.values()]
        try:
            found = self._client.json("POST", "composite/batch", body={"batchRequests": wanted})
            answers = msgspec.convert(found, _Batch).results
        except BudgetSpent:
            raise
        except (PassingProblem, msgspec.ValidationError):
            return
        except ConfigurationProblem as problem:
            if problem.code == "not_found":
                return
            raise
        for key, answer in zip(questions, answers, strict=False):
            if answer.statusCode < HTTPStatus.BAD_REQUEST or answer.statusCode in _CERTAIN:
                self._answers[key] = answer

    def has(self, key: Key) -> bool:
        """Whether there is an answer."""
        return key in self._answers

    def take(self, key: Key) -> object:
        """The answer, which is gone then. Raises: ConfigurationProblem, PassingProblem, where it is a refusal."""
        answer = self._answers.pop(key)
        if answer.statusCode >= HTTPStatus.BAD_REQUEST:
            raise api_problem(answer.statusCode, msgspec.json.encode(answer.result), {})
        return answer.result


def _address(path: str, params: Mapping[str, str]) -> str:
    return f"{VERSION}/{path}?{urlencode(params)}" if params else f"{VERSION}/{path}"
