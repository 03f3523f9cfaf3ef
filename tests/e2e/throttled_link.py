"""A TCP link of few bytes a second, for the end-to-end tests: what connects to its address
reaches the target, as slowly as asked for, and nothing is lost."""

import contextlib
import socket
import threading
import time

# Small, so that what is on its way waits at the sender, as on a slow line.
BUFFER = 8192
PIECE = 1024


class ThrottledLink:
    """`to_target` and `from_target`: bytes a second of all connections together, in each
    direction. None: as fast as it goes."""

    def __init__(self, target, to_target=None, from_target=None):
        host, port = target.rsplit(":", 1)
        self._target = host, int(port)
        self._rates = to_target, from_target
        self._sockets = []
        self._lock = threading.Lock()
        self._free_at = [0.0, 0.0]  # When the link has sent what it was given so far.
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        with self._lock:
            sockets, self._sockets = [self._listener, *self._sockets], []
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.socket()
                far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
                try:
                    far.connect(self._target)
                except OSError:
                    near.close()
                    far.close()
                    continue
                with self._lock:
                    self._sockets += [near, far]
                for way, ends in enumerate(((near, far), (far, near))):
                    threading.Thread(target=self._carry, args=(way, *ends), daemon=True).start()

    def _carry(self, way, source, sink):
        try:
            while piece := source.recv(PIECE):
                time.sleep(self._delay(way, len(piece)))
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)  # The other direction goes on.
        except OSError:
            for each in (source, sink):
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def _delay(self, way, size):
        """Until a piece of `size` bytes is over."""
        rate = self._rates[way]
        if rate is None:
            return 0
        with self._lock:
            now = time.monotonic()
            self._free_at[way] = max(self._free_at[way], now) + size / rate
            return self._free_at[way] - now
