"""A path that dies in mid-session is replaced by the relay, and comes back when it can."""
import contextlib
import socket
import threading
import time

from harness import Daemon, FloeLab, two_sites, wait_until
from run import expect, measured, say

PORT = 7000


class Trickle:
    """A TCP connection through the tunnel that sends a numbered line ten times a second and counts the echoes."""

    def __init__(self, client: Daemon, server: Daemon):
        self.echoed, self.last, self.longest, self.error = 0, time.monotonic(), 0.0, None
        self.running = True
        listener = server.socket(PORT)
        listener.listen(1)
        self.client = client.socket(0)
        self.client.settimeout(10)
        accepting = threading.Thread(target=self._serve, args=(listener,), daemon=True)
        accepting.start()
        self.client.connect((server.address, PORT))
        self.client.settimeout(90)
        threading.Thread(target=self._send, daemon=True).start()
        threading.Thread(target=self._receive, daemon=True).start()

    @staticmethod
    def _serve(listener: socket.socket) -> None:
        with listener, listener.accept()[0] as peer, contextlib.suppress(OSError):
            while data := peer.recv(4096):
                peer.sendall(data)

    def _send(self) -> None:
        with contextlib.suppress(OSError):
            number = 0
            while self.running:
                self.client.sendall(b"%d\n" % number)
                number += 1
                time.sleep(0.1)

    def _receive(self) -> None:
        try:
            for line in self.client.makefile("rb"):
                expect(int(line) == self.echoed, f"line {line!r} where {self.echoed} was next")
                now = time.monotonic()
                self.longest, self.last = max(self.longest, now - self.last), now
                self.echoed += 1
            raise ConnectionError("closed by the other side")
        except Exception as error:
            if self.running:
                self.error = error

    def wait_progress(self, timeout: float) -> float:
        """Seconds until another line came back."""
        before, started = self.echoed, time.monotonic()
        wait_until(lambda: self.echoed > before or self.error, timeout, what="the TCP connection to move")
        expect(not self.error, f"the TCP connection broke: {self.error}")
        return time.monotonic() - started

    def close(self) -> None:
        self.running = False
        with contextlib.suppress(OSError):
            self.client.shutdown(socket.SHUT_RDWR)
        self.client.close()


def test_relay_takes_over_and_gives_back(net: FloeLab) -> None:
    pair = two_sites(net).start().wait_direct()
    a, b = pair.a, pair.b
    site_a, site_b = net.lab.nodes["site_a"], net.lab.nodes["site_b"]
    trickle = Trickle(a, b)
    trickle.wait_progress(5)

    started = time.monotonic()
    site_a.block(ip=site_b.public_ip)
    site_b.block(ip=site_a.public_ip)
    time.sleep(0.3)  # what was on its way arrives
    trickle.wait_progress(30)
    say(measured("direct path cut: the inner TCP connection goes on after", time.monotonic() - started, 10))
    for here, there in pair.both:
        wait_until(lambda: here.path(there)["kind"] == "relay", 10, what=f"{here} to say that it is relayed")

    site_a.unblock()
    site_b.unblock()
    started = time.monotonic()
    for here, there in pair.both:
        here.wait_direct(there, 90)
    say(measured("direct path back: used again after", time.monotonic() - started, 65))
    trickle.wait_progress(10)
    say(f"the one TCP connection carried {trickle.echoed} lines; its longest silence was {trickle.longest:.2f} s")
    trickle.close()


def test_relay_dies_and_the_direct_path_does_not_care(net: FloeLab) -> None:
    pair = two_sites(net).start().wait_direct()
    trickle = Trickle(pair.a, pair.b)
    trickle.wait_progress(5)

    net.turn.proc.stop()
    time.sleep(3)

    trickle.wait_progress(5)
    expect(trickle.longest < 5, f"the connection was silent for {trickle.longest:.2f} s")
    trickle.close()
