"""Mail where no SMTP host is named: the log shows what a reader would see, not how it would travel."""

from __future__ import annotations

from django.core.mail import EmailMessage
from django.core.mail.backends.console import EmailBackend


class ReadableConsole(EmailBackend):
    """Prints recipients, subject and text of each message, without its HTML twin."""

    def write_message(self, message: EmailMessage) -> None:
        """Write one message to the stream."""
        text = "\n".join(f"    {line}" for line in str(message.body).strip().splitlines())
        self.stream.write(f"Mail to {', '.join(message.to)}\n    {message.subject}\n\n{text}\n\n")
