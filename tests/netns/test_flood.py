"""Strangers send initiations as fast as they can: who has a session keeps it, who has a key gets one, memory stays."""
import base64
import contextlib
import time

import pcap
from harness import Daemon, FloeLab, two_sites
from lab import Node, build, wait_until
from run import case, expect, measured, say
from transfer import Transfer
from wireguard import PORT, WireGuard, daemon_and_device

MEGABYTES = 100
RATE = 50_000  # initiations a second, each from another address
PATIENCE = 180  # seconds a handshake may take in the flood: one attempt in four is heard, and WireGuard makes one in 5 s


@contextlib.contextmanager
def flood(source: Node, ip: str, port: int, public_key: str, rate: int = RATE, seconds: int = 400):
    """Initiations with a right mac1 for the receiver of this key, until the block ends."""
    proc = source.popen([build("flood", packages=["libcrypto"]), ip, port, base64.b64decode(public_key).hex(), rate, seconds])
    try:
        yield
        expect(proc.poll() is None, f"the flood has ended by itself: {proc.log.read_text()}")
    finally:
        proc.stop()


def cookie_replies(file, target: str) -> int:
    return sum(packet.target == target and packet.payload[:4] == b"\3\0\0\0" for packet in pcap.packets(file))


def timed_transfer(a: Daemon, b: Daemon, port: int) -> float:
    """Mbit/s; what arrives is what was sent."""
    started = time.monotonic()
    Transfer(a.host, a.address, b.host, b.address, port, MEGABYTES * 1_000_000).wait()
    return MEGABYTES * 8 / (time.monotonic() - started)


def test_flood_of_initiations(net: FloeLab) -> None:
    pair = two_sites(net, "none", "none", relay=False)
    a, b = pair.a, pair.b
    late = net.daemon(net.lab.site("site_c", "none").host("late"))
    net.link(a, late)
    plain = WireGuard(net, net.lab.site("office", "none").host("office_pc"), "10.71.0.200")
    # Where nobody is: plain has to come by itself.
    a.add_peer(plain, endpoint=f"{net.lab.server('nobody').ip}:{PORT}")
    strangers = net.lab.server("strangers")
    try:
        pair.start().wait_direct()
        before = timed_transfer(a, b, 7100)
        memory = a.rss_mib()
        with flood(strangers, a.host.ip, 41820, a.public_key):
            with case(f"a session carries {2 * MEGABYTES} MB through the flood"):
                during = [timed_transfer(a, b, 7101), timed_transfer(b, a, 7102)]
                say(f"Mbit/s before: {before:.0f}, in the flood: {during[0]:.0f} and {during[1]:.0f}")
            with case("a peer that comes in the flood is linked"):
                started = time.monotonic()
                late.start()
                late.wait_up(a, PATIENCE)
                say(measured("linked in the flood after", time.monotonic() - started, 5))
            with case("a plain WireGuard device gets in by a cookie"):
                capture = plain.host.capture(plain.host.dev, "udp")
                plain.add_peer(a, endpoint=f"{a.host.ip}:41820")
                started = time.monotonic()
                wait_until(lambda: plain.ping(a.address) is not None, PATIENCE, what="an answer to WireGuard's pings")
                say(measured("WireGuard is in after", time.monotonic() - started, 10))
                capture.stop()
                expect(cookie_replies(capture.path, plain.host.ip), "it was in without a cookie")
            with case("memory does not grow"):
                grown = a.rss_mib() - memory
                say(f"grown by {grown:.2f} MiB, of {memory:.1f}")
                expect(grown < 2, f"grown by {grown:.2f} MiB")
    finally:
        plain.close()


def test_cookie_of_wireguard_go(net: FloeLab) -> None:
    with daemon_and_device(net) as (daemon, plain):
        capture = daemon.host.capture(daemon.host.dev, "udp")
        with flood(net.lab.server("strangers"), plain.host.ip, PORT, plain.public_key):
            # It has begun to ask strangers for cookies.
            plain.host.run(["tcpdump", "-n", "-c", 1, "-i", plain.host.dev, "udp[8] = 3"], timeout=30, check=True)
            daemon.start()
            wait_until(lambda: daemon.host.ping(plain.address, 1, 1) is not None, PATIENCE,
                       what="an answer from wireguard-go under load")
        capture.stop()
        replies = cookie_replies(capture.path, daemon.host.ip)
        expect(replies, "wireguard-go has asked for no cookie")
        with_cookie = [packet.payload for packet in pcap.packets(capture.path)
                       if packet.target == plain.host.ip and packet.payload[:4] == b"\1\0\0\0" and any(packet.payload[132:148])]
        expect(with_cookie, "floe has sent no initiation with a cookie")
