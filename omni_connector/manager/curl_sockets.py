"""The sockets of libcurl's connections: which are waited for, and which may carry another request.

libcurl looks whether an idle connection is alive only after it was idle for a second. Until then bytes that nothing asked
for would be taken for the answer to the next request, and a request would be sent into a connection that is closed. So
the socket is looked at by ourselves, in the last moment before each request is sent.
"""

import select
import socket
from select import POLLIN, POLLOUT  # An ImportError on Windows, where the other wire is used.

import pycurl


class Sockets:
    """The sockets of one ``CurlMulti``; used by its thread only."""

    def __init__(self) -> None:
        # A poll object names sockets by their numbers only. An epoll would go on reporting one that a forked
        # child still holds, after it was closed here.
        self._poll = select.poll()
        self._unnamed: set[int] = set()  # New ones, whose local port is not known yet.
        self._unused: set[int] = set()  # Ports of connections on which no request was sent.
        self._ports: dict[int, int] = {}
        self._by_port: dict[int, select.poll] = {}  # What looks at the socket of a port.

    def watch(self, what: int, fd: int, _multi: object, _data: object) -> None:
        """Take what libcurl wants to wait for: the multi's ``M_SOCKETFUNCTION``."""
        if what == pycurl.POLL_REMOVE:
            try:  # noqa: SIM105 - suppress() costs more than all of this, for each request.
                self._poll.unregister(fd)
            except KeyError:  # It was never waited for.
                pass
        else:
            self._poll.register(fd, MASKS[what])

    def made(self, fd: int, _purpose: int) -> int:
        """Take note of a new socket: a handle's ``SOCKOPTFUNCTION``."""
        self._by_port.pop(self._ports.pop(fd, 0), None)
        self._unnamed.add(fd)
        return int(pycurl.SOCKOPT_OK)

    def add(self, fd: int) -> None:
        """Wait for a socket of our own to be readable, too."""
        self._poll.register(fd, POLLIN)

    def wait(self, seconds: float) -> list[tuple[int, int]]:
        """Return sockets with what can be done, as ``socket_action`` wants it."""
        ready = self._poll.poll(max(0.0, seconds * 1000))
        return [(fd, BITS.get(events, pycurl.CSELECT_IN | pycurl.CSELECT_OUT)) for fd, events in ready]

    def is_clean(self, local_port: int, *, fresh: bool) -> bool:
        """Return whether a request may be sent on the connection with this local port: nothing waits to be read.

        Args:
            local_port: of the connection.
            fresh: libcurl was asked for a new connection.
        """
        if self._unnamed:
            self._name_new_ones()
        look = self._by_port.get(local_port)
        if look is None:
            return fresh
        if local_port in self._unused:
            # Nobody else's answer can come. TLS 1.3 sends session tickets, which are read before the answer.
            self._unused.discard(local_port)
            return True
        return not look.poll(0)

    def _name_new_ones(self) -> None:
        for fd in list(self._unnamed):
            try:
                # A copy, of whatever family it is.
                with socket.fromfd(fd, socket.AF_INET, socket.SOCK_STREAM) as copy:
                    name = copy.getsockname()
            except OSError:  # Closed meanwhile: of several addresses of a host, another was faster.
                self._unnamed.discard(fd)
                continue
            host, port = name[:2] if isinstance(name, tuple) else (None, 0)
            if not isinstance(host, str):  # Closed, and its number belongs to a socket of another family now.
                self._unnamed.discard(fd)
            elif port:  # 0 before it is connected.
                self._unnamed.discard(fd)
                self._unused.add(port)
                self._ports[fd] = port
                look = self._by_port[port] = select.poll()
                look.register(fd, POLLIN)


BITS = {POLLIN: pycurl.CSELECT_IN, POLLOUT: pycurl.CSELECT_OUT}
"""Anything else, such as an error, is for libcurl to find out."""
MASKS = {pycurl.POLL_IN: POLLIN, pycurl.POLL_OUT: POLLOUT, pycurl.POLL_INOUT: POLLIN | POLLOUT}
