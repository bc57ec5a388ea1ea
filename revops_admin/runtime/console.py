"""The lines of several processes on one terminal, each behind the name of its process."""

import sys
from collections import deque
from collections.abc import Callable
from typing import TextIO, TypedDict

_COLOURS = (36, 33, 32, 35, 34, 96, 93, 92)
_HELD_LINES = 5000


class Chunk(TypedDict):
    """Some bytes that process ``pid`` wrote to ``name``, its stdout or stderr, as circus hands them over."""

    data: bytes
    pid: int
    name: str


class Console:
    """Writes prefixed lines; can hold them back while a progress bar owns the terminal."""

    def __init__(self, names: list[str], output: TextIO | None = None) -> None:
        self._output = output or sys.stdout
        self._width = max(map(len, names), default=0)
        self._colours = {name: _COLOURS[at % len(_COLOURS)] for at, name in enumerate(names)}
        self._held: deque[str] | None = None

    @property
    def is_terminal(self) -> bool:
        """Whether a person is looking, so that colour and progress bars make sense."""
        return self._output.isatty()

    def hold(self) -> None:
        """Keep lines back (the newest 5,000) until ``release``."""
        self._held = deque(maxlen=_HELD_LINES)

    def release(self) -> None:
        """Write what was held back, and write through from now on."""
        held, self._held = self._held, None
        self._write("".join(held or ()))

    def line(self, name: str, text: str) -> None:
        """Write ``text`` behind ``name``."""
        prefix = f"{name:<{self._width}} │ "
        if self.is_terminal:
            prefix = f"\x1b[{self._colours.get(name, 37)}m{prefix}\x1b[0m"
        if self._held is not None:
            self._held.append(f"{prefix}{text}\n")
        else:
            self._write(f"{prefix}{text}\n")

    def say(self, text: str) -> None:
        """Write ``text`` as it is, for the user."""
        self._write(text)

    def stream(self, name: str) -> "LineStream":
        """Return a writer for the bytes of one of ``name``'s outputs."""
        return LineStream(lambda text: self.line(name, text))

    def _write(self, text: str) -> None:
        try:
            self._output.write(text)
            self._output.flush()
        except OSError:
            # Whoever read our output has gone (a closed pipe or terminal); the processes must not die of it.
            self._held = deque(maxlen=_HELD_LINES)


class LineStream:
    """Collects chunks of bytes into lines: a chunk may end within a line, or within a letter."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._rest = b""

    def __call__(self, chunk: Chunk) -> None:
        """Take the next chunk."""
        *lines, self._rest = (self._rest + chunk["data"]).split(b"\n")
        for line in lines:
            self._write(line.decode(errors="replace").rstrip("\r"))

    def close(self) -> None:
        """Write the last line, if it had no end."""
        if self._rest:
            self._write(self._rest.decode(errors="replace"))
            self._rest = b""
