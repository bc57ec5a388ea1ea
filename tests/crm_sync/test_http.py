"""The one way out of the program."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.conf import LazySettings

from crm_sync import http
from crm_sync.connectors.base import ConfigurationProblem, PassingProblem


class _Talker(BaseHTTPRequestHandler):
    """Redirects at /away, and says too much everywhere else."""

    def do_GET(self) -> None:
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "http://169.254.169.254/")
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"x" * 4096)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


@pytest.fixture
def talker() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Talker)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


class TestTheAddressGuard:
    @pytest.mark.parametrize(
        "host",
        [
            "localhost", "127.0.0.1", "10.0.0.7", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",  # noqa: S104 - it must be refused
            "224.0.0.1", "[::1]", "[fe80::1]", "[fd00::1]", "[::ffff:127.0.0.1]", "2130706433", "127.1",
        ],
    )  # fmt: skip
    def test_calls_nothing_inside_the_own_network(self, host: str, settings: LazySettings) -> None:
        settings.CRM_ALLOWED_PRIVATE_HOSTS = []
        with http.client() as client, pytest.raises(ConfigurationProblem) as refused:
            client.get(f"https://{host}/")
        assert refused.value.code == "address_private"

    def test_calls_nothing_in_the_clear(self, settings: LazySettings) -> None:
        settings.CRM_ALLOWED_PRIVATE_HOSTS = []
        with http.client() as client, pytest.raises(ConfigurationProblem) as refused:
            client.get("http://example.com/")
        assert "https://" in refused.value.sentence

    def test_lets_through_what_the_installation_allows(self, talker: str) -> None:
        with http.client() as client:
            assert client.get(talker).status_code == 200

    def test_does_not_follow_where_an_answer_sends_it(self, talker: str) -> None:
        with http.client() as client:
            assert client.get(f"{talker}/away").status_code == 302


class TestABody:
    def test_longer_than_its_bound_is_dropped(self, talker: str) -> None:
        with http.client() as client, client.stream("GET", talker) as answer, pytest.raises(PassingProblem):
            http.bounded(answer, limit=1024)
