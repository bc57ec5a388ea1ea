"""What the pipeline room refuses."""

from __future__ import annotations

from http import HTTPStatus
from typing import ClassVar

from isolation.errors import DomainError


class DatasetUnknown(DomainError):
    code: ClassVar = "pipeline.dataset_unknown"
    status: ClassVar = HTTPStatus.NOT_FOUND
    sentence: ClassVar = "There is no dataset “{path}”. Use one of: {known}."


class BuildFailed(DomainError):
    code: ClassVar = "pipeline.build_failed"
    status: ClassVar = HTTPStatus.INTERNAL_SERVER_ERROR
    sentence: ClassVar = "The build of {path} failed and changed nothing: {problem}"


class SearchTooSlow(DomainError):
    """A search ran into its time limit; the page shows the sentence instead of rows."""

    code: ClassVar = "pipeline.search_too_slow"
    status: ClassVar = HTTPStatus.SERVICE_UNAVAILABLE
    sentence: ClassVar = "This would look through too many deals. Narrow it by owner, stage or close date."
