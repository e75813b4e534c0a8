"""Pulls as they are done today: HTTP/1.1 over the kernel's TCP, every replica its own copy.

The server is one process at the origin with a thread and `os.sendfile` for each connection. A
replica gets its shards in order on one connection and waits as long as TCP does: after an outage it
is TCP that goes on, at the first doubling retransmission timeout after the path is back. Only a
connection that was reset is replaced, and the rest of the file asked for by range (RFC 9110 §14).

Not modelled: TLS, several connections for one file, a cache at the cloud.
"""

from __future__ import annotations

import errno
import http.client
import os
import re
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mcastlab.shards import Manifest, Shard
from mcastlab.workers import Channel, Worker, poll
from mcastplan.lab.spec import HTTP_PORT, LabPush

if TYPE_CHECKING:
    from mcastlab.network import Network

SENDFILE_BYTES = 1 << 20
READ_BYTES = 1 << 18
RETRY_S = 0.1  # between attempts to connect while there is no route
_TCP_INFO_SENT = 200  # offset of tcpi_bytes_sent, then tcpi_bytes_retrans; linux/tcp.h
_RANGE = re.compile(r"bytes=(\d+)-")
# What the network may do to a connection: anything else is a defect and is raised.
_BROKEN = (ConnectionError, http.client.IncompleteRead, http.client.BadStatusLine, TimeoutError)
_NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN})


class Listening(msgspec.Struct, frozen=True, tag="listening"):
    """The origin serves; TCP uses this congestion control."""

    congestion_control: str


class Served(msgspec.Struct, frozen=True, tag="served"):
    """A connection has ended: content and headers sent, and how much of it was sent again."""

    address: str
    sent_bytes: int
    retransmitted_bytes: int


class Server:
    """The origin's HTTP server for the files of one folder."""

    def __init__(self, network: Network, push: LabPush, folder: Path) -> None:
        """Returns once it listens. Raises `LabError`."""
        self._worker: Worker[Listening | Served] = Worker(
            network,
            push.origin.host,
            f"HTTP server of {push.transfer}",
            lambda channel: _serve(channel, push.origin.address, folder),
            commands=msgspec.Struct,
            events=Listening | Served,
        )
        told = self._worker.receive()
        assert isinstance(told, Listening)
        self.congestion_control = told.congestion_control
        self.served: list[Served] = []

    def retransmitted_bytes(self) -> int:
        """What TCP sent again on connections that have ended by now."""
        self.served += [event for _, event in poll([self._worker], 0) if isinstance(event, Served)]
        return sum(each.retransmitted_bytes for each in self.served)

    def close(self) -> None:
        self._worker.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder: Path
    channel: Channel[Any]

    def do_GET(self) -> None:
        path = self.folder / Path(self.path).name
        if not path.is_file():
            self.send_error(404)
            return
        with path.open("rb") as file:
            size_bytes = os.fstat(file.fileno()).st_size
            first = self._first(size_bytes)
            if first is None:
                return
            self._head(first, size_bytes)
            self._content(file.fileno(), first, size_bytes)

    def _first(self, size_bytes: int) -> int | None:
        """The first byte asked for; None if it was refused."""
        asked = self.headers.get("Range")
        if asked is None:
            return 0
        match = _RANGE.fullmatch(asked)
        if match is None or int(match[1]) >= size_bytes:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{size_bytes}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        return int(match[1])

    def _head(self, first: int, size_bytes: int) -> None:
        if first:
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{size_bytes - 1}/{size_bytes}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(size_bytes - first))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()

    def _content(self, file: int, first: int, size_bytes: int) -> None:
        while first < size_bytes:
            sent = os.sendfile(self.connection.fileno(), file, first, SENDFILE_BYTES)
            if not sent:  # the file became shorter
                self.close_connection = True
                return
            first += sent

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:  # the client's connection is gone; it will come back if it wants more
            self.close_connection = True
        info = self.connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        sent, again = struct.unpack_from("=QQ", info, _TCP_INFO_SENT)
        self.channel.send(Served(self.client_address[0], sent, again))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Nobody reads it."""


class _Server(socketserver.ThreadingTCPServer):
    """Not http.server's own, which asks the DNS for its name."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024


def _serve(channel: Channel[Any], address: str, folder: Path) -> None:
    handler = type("Handler", (_Handler,), {"folder": folder, "channel": channel})
    server = _Server((address, HTTP_PORT), handler)
    name = server.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    channel.send(Listening(name.rstrip(b"\0").decode()))
    channel.receive()  # there are no commands: returns when the engine is gone


def _once(response: http.client.HTTPResponse, view: memoryview) -> int:
    """As `readinto`, but no longer than for the first bytes to come."""
    content = response.read1(len(view))
    view[: len(content)] = content
    return len(content)


class Pulled(msgspec.Struct, frozen=True):
    """A shard is complete; instants of its first and last byte [ns]."""

    shard: Shard
    first_ns: int
    last_ns: int


def pull(
    address: str, manifest: Manifest, folder: Path, received: Callable[[int], None]
) -> Iterator[Pulled]:
    """Fetch the manifest's shards in order into the folder, giving each when it is complete.

    ``received`` is called with the bytes of each read. Never gives up: the engine ends a push.
    """
    client = _Client(address, received)
    for shard in manifest.shards:
        with (folder / shard.name).open("wb") as file:
            pulled = client.fetch(shard, file.write)
        yield pulled  # the file is closed: whoever reads it now finds all of it
    client.close()


class _Client:
    def __init__(self, address: str, received: Callable[[int], None]) -> None:
        self._address, self._received = address, received
        self._connection: http.client.HTTPConnection | None = None
        self._buffer = bytearray(READ_BYTES)

    def fetch(self, shard: Shard, write: Callable[[memoryview], Any]) -> Pulled:
        have, first_ns = 0, 0
        view = memoryview(self._buffer)
        while have < shard.size_bytes:
            try:
                response = self._ask(shard.name, have)
                while have < shard.size_bytes:
                    # The first byte counts when it comes; what follows fills the buffer.
                    count = response.readinto(view) if first_ns else _once(response, view)
                    if not count:
                        raise http.client.IncompleteRead(b"")
                    first_ns = first_ns or time.monotonic_ns()
                    write(view[:count])
                    have += count
                    self._received(count)
                last_ns = time.monotonic_ns()
                response.read()  # its end, so that the connection serves the next request
            except _BROKEN:
                self.close()
        return Pulled(shard, first_ns, last_ns)

    def _ask(self, name: str, first: int) -> http.client.HTTPResponse:
        connection = self._connected()
        headers = {"Range": f"bytes={first}-"} if first else {}
        connection.request("GET", f"/{name}", headers=headers)
        response = connection.getresponse()
        expected = http.client.PARTIAL_CONTENT if first else http.client.OK
        if response.status != expected:
            raise RuntimeError(f"GET {name} from byte {first}: {response.status}")
        return response

    def _connected(self) -> http.client.HTTPConnection:
        while self._connection is None:
            connection = http.client.HTTPConnection(self._address, HTTP_PORT)
            try:
                connection.connect()
            except OSError as error:
                if not isinstance(error, _BROKEN) and error.errno not in _NO_ROUTE:
                    raise
                time.sleep(RETRY_S)
            else:
                self._connection = connection
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
