"""Bytes over TCP between two hosts of the laboratory, and whether they arrive as they were."""
import contextlib
import hashlib
import os
import random
import socket
import struct
import threading
import time

from lab import Node
from run import expect

BLOCK = 1 << 20  # bytes


class Transfer:
    """One direction of one TCP connection, in two threads. wait() says how it went."""

    def __init__(self, source: Node, source_ip: str, target: Node, target_ip: str, port: int, size: int,
                 odd_sizes: int | None = None, timeout: float = 120):
        """With odd_sizes, a seed, it is written in pieces of 1 to 70,000 bytes that follow from the seed."""
        family = socket.AF_INET6 if ":" in target_ip else socket.AF_INET
        self.size, self.sent, self.received, self.got = size, hashlib.sha256(), hashlib.sha256(), 0
        self.random, self.errors = random.Random(odd_sizes) if odd_sizes is not None else None, []
        listener = target.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((target_ip, port))
        listener.listen(1)
        self.client = source.socket(family, socket.SOCK_STREAM, bind=(source_ip, 0))
        self.started = time.monotonic()
        self.client.settimeout(timeout)
        self.client.connect((target_ip, port))
        self.server = listener.accept()[0]
        self.server.settimeout(timeout)
        listener.close()
        self.threads = [threading.Thread(target=self._guard, args=(work,)) for work in (self._send, self._receive)]
        for thread in self.threads:
            thread.start()

    def _guard(self, work) -> None:
        try:
            work()
        except OSError as error:
            self.errors.append(f"{work.__name__[1:]}: {error}")

    def _send(self) -> None:
        block, left, number = os.urandom(BLOCK), self.size, 0
        while left:
            number += 1
            piece = (struct.pack("!Q", number) + block)[:min(left, BLOCK)]  # No two alike.
            self.sent.update(piece)
            left -= len(piece)
            view = memoryview(piece)
            while view:
                count = self.random.randint(1, 70_000) if self.random else len(view)
                self.client.sendall(view[:count])
                view = view[count:]
        self.client.shutdown(socket.SHUT_WR)

    def _receive(self) -> None:
        while piece := self.server.recv(1 << 18):
            self.received.update(piece)
            self.got += len(piece)

    def wait(self) -> float:
        """Gbit/s, if all arrived as it was sent."""
        for thread in self.threads:
            thread.join()
        seconds = time.monotonic() - self.started
        for sock in (self.client, self.server):
            with contextlib.suppress(OSError):
                sock.close()
        expect(not self.errors, f"{'; '.join(self.errors)}, after {self.got} bytes of {self.size}")
        expect(self.got == self.size, f"{self.got} bytes came out of {self.size}")
        expect(self.sent.digest() == self.received.digest(), "other bytes came out than went in")
        return self.size * 8e-9 / seconds


def both_ways(a: Node, ip_a: str, b: Node, ip_b: str, size: int, **kw) -> str:
    """As much in each direction at once; what it took, for the report."""
    there, back = Transfer(a, ip_a, b, ip_b, 7100, size, **kw), Transfer(b, ip_b, a, ip_a, 7101, size, **kw)
    speeds = there.wait(), back.wait()
    return f"{speeds[0]:.2f} and {speeds[1]:.2f} Gbit/s"
