from __future__ import annotations

from http import HTTPStatus

from isolation.errors import DomainError


class ItemClosed(DomainError):
    code = "operations.item_closed"
    sentence = "This item is closed, so there is nothing to review. Open the queue to see what is still open."


class FileColumns(DomainError):
    code = "operations.file_columns"
    status = HTTPStatus.BAD_REQUEST
    sentence = (
        "The file cannot be imported: {problem} It needs the columns {needed}; {optional} may be left out."
    )
    field = "file"
