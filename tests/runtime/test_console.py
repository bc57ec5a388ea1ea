"""Lines on the terminal."""

import io

from revops_admin.runtime.console import Chunk, Console


def chunk(data: bytes) -> Chunk:
    return Chunk(data=data, pid=1, name="stdout")


class TestLines:
    def test_stand_behind_the_name_of_their_process(self) -> None:
        output = io.StringIO()
        console = Console(["web", "worker"], output)
        console.stream("web")(chunk(b"one\ntwo\r\n"))
        assert output.getvalue() == "web    │ one\nweb    │ two\n"

    def test_are_whole_though_chunks_end_within_them(self) -> None:
        output = io.StringIO()
        stream = Console(["web"], output).stream("web")
        for part in (b"caf\xc3", b"\xa9 au", b" lait\nnext"):
            stream(chunk(part))
        assert output.getvalue() == "web │ café au lait\n"
        stream.close()
        assert output.getvalue().endswith("web │ next\n")

    def test_held_back_come_in_order_after_the_release(self) -> None:
        output = io.StringIO()
        console = Console(["web"], output)
        console.hold()
        console.line("web", "one")
        console.line("web", "two")
        assert output.getvalue() == ""
        console.release()
        console.line("web", "three")
        assert output.getvalue() == "web │ one\nweb │ two\nweb │ three\n"

    def test_may_lose_their_reader(self) -> None:
        class Gone(io.StringIO):
            def write(self, _text: str) -> int:
                raise BrokenPipeError

        console = Console(["web"], Gone())
        console.line("web", "nobody hears this")
        console.line("web", "nor this")
