"""For clients of servers of our own: they speak plain HTTP, and reading the world's certificates takes a client 25 ms of computing."""

import ssl

UNENCRYPTED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
