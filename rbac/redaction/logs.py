"""Keeps addresses and telephone numbers out of log lines. Whoever reads a log was not asked for a right, so everything is masked."""

from __future__ import annotations

import logging

from rbac.redaction import masks

_TRACEBACKS = logging.Formatter()


class PersonalDataFilter(logging.Filter):
    """Put on a handler, it masks the message of every record that passes, and what a failure's traceback says.

    A message whose parts do not fit it is left to ``logging``, which tells of the mistake in the program without its parts.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask in place; every record passes."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):
            record.msg, record.args = f"a message that does not fit its parts: {record.msg!r}", None
            message = str(record.msg)
        record.msg, record.args = masks.text(message), None
        if record.exc_info and not record.exc_text:
            record.exc_text = _TRACEBACKS.formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = masks.text(record.exc_text)
        return True
