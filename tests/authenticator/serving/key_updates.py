"""A TLS 1.3 client that sends KeyUpdate messages, which the module `ssl` cannot.

It calls the OpenSSL that Python's own module is linked with.
"""

from __future__ import annotations

import _ssl
import ctypes
import socket

_KEY_UPDATE_REQUESTED = 1  # SSL_KEY_UPDATE_REQUESTED (openssl/ssl.h)
_OPENSSL = ctypes.CDLL(_ssl.__file__)
_BUFFER = 1024 * 1024


def _new(function: str, *arguments: ctypes.c_void_p) -> ctypes.c_void_p:
    """Call a function that returns a pointer."""
    called = getattr(_OPENSSL, function)
    called.restype = ctypes.c_void_p
    made = called(*arguments)
    assert made, function
    return ctypes.c_void_p(made)


class KeyUpdater:
    """A connection that is past its handshake. The certificate is not verified.

    Args:
        sock: connected.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._context = _new("SSL_CTX_new", _new("TLS_client_method"))
        self._ssl = _new("SSL_new", self._context)
        memory = _new("BIO_s_mem")
        self._incoming, self._outgoing = _new("BIO_new", memory), _new("BIO_new", memory)
        _OPENSSL.SSL_set_bio(self._ssl, self._incoming, self._outgoing)
        while _OPENSSL.SSL_connect(self._ssl) != 1:
            sock.sendall(self._said())
            data = sock.recv(64 * 1024)
            assert data
            _OPENSSL.BIO_write(self._incoming, data, len(data))
        sock.sendall(self._said())

    def send(self, number: int, *, requested: bool) -> None:
        """Send so many KeyUpdate messages at once.

        Args:
            number: how many.
            requested: whether each asks the server for one of its own.
        """
        for _ in range(number):
            kind = _KEY_UPDATE_REQUESTED if requested else 0
            assert _OPENSSL.SSL_key_update(self._ssl, kind) == 1
            assert _OPENSSL.SSL_do_handshake(self._ssl) == 1
        self._sock.sendall(self._said())

    def _said(self) -> bytes:
        buffer = ctypes.create_string_buffer(_BUFFER)
        said = bytearray()
        while (size := _OPENSSL.BIO_read(self._outgoing, buffer, _BUFFER)) > 0:
            said += buffer.raw[:size]
        return bytes(said)
