"""The kernel's WireGuard as the peer, on an emulated machine. Runs only when named: it takes a Debian archive, and is slow."""
import hashlib
import os
import socket
import threading

from harness import Daemon, FloeLab, floe, section, wait_until, write_secret
from kernel_wireguard import PORT, KernelWireGuard
from run import case, expect

NOWHERE = "203.0.113.126:9"  # where nobody is, so that floe waits to be called
MEGABYTES = 8  # which an emulated processor takes seconds for


def restart(daemon: Daemon, kernel: KernelWireGuard, endpoint: str, preshared_key: str | None = None) -> None:
    if daemon.proc:
        daemon.stop()
    write_secret(daemon.dir / "psk", preshared_key or "")
    keys = {"preshared_key_file": "psk"} if preshared_key else {}
    daemon.peers = [section("[[peer]]", name=kernel.name, public_key=kernel.public_key, allowed_ips=[f"{kernel.address}/32"],
                            endpoint=endpoint, **keys)]
    daemon.start()


def to_kernel(daemon: Daemon, kernel: KernelWireGuard, data: bytes) -> str:
    """The hash that the emulated machine makes of what it is sent."""
    kernel.start("nc -l -p 7100 | sha256sum")
    with daemon.socket(0) as sock:
        sock.settimeout(60)
        wait_until(lambda: sock.connect_ex((kernel.address, 7100)) == 0, 20, what="nc")
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        return kernel.finish(60)[1].split()[0]


def from_kernel(daemon: Daemon, kernel: KernelWireGuard) -> tuple[str, str]:
    """(the hash there, the hash here) of random bytes."""
    kernel.run(f"dd if=/dev/urandom of=/tmp/data bs=1M count={MEGABYTES}", 60)
    there, received = kernel.run("sha256sum /tmp/data", 60).split()[0], hashlib.sha256()

    def receive(listener: socket.socket) -> None:
        with listener.accept()[0] as sock:
            sock.settimeout(60)
            while piece := sock.recv(1 << 16):
                received.update(piece)
    with daemon.socket(7101) as listener:
        listener.listen(1)
        listener.settimeout(60)
        thread = threading.Thread(target=receive, args=(listener,))
        thread.start()
        kernel.run(f"nc {daemon.address} 7101 < /tmp/data", 60)
        thread.join()
    return there, received.hexdigest()


def test_the_kernel_is_a_peer(net: FloeLab) -> None:
    daemon = net.daemon(net.lab.site("home", "none").host("home_pc"))
    kernel = KernelWireGuard(net, net.lab.site("office", "none"), "10.71.0.200")
    here, there = f"{daemon.host.ip}:41820", f"{kernel.ip}:{PORT}"
    try:
        with case("floe calls, the kernel knows no endpoint") as note:
            kernel.add_peer(daemon)
            restart(daemon, kernel, there)
            expect(daemon.host.ping(kernel.address, 3, 5) is not None, "no answer from the kernel")
            expect(kernel.handshakes() > 0 and kernel.show("endpoints") == here, f"it answers {kernel.show('endpoints')}")
            note(kernel.run("uname -r").strip())
        with case("the kernel calls, floe knows no endpoint"):
            restart(daemon, kernel, NOWHERE)
            kernel.add_peer(daemon, endpoint=here)
            wait_until(lambda: kernel.pings(daemon.address), 40, what="answers from floe")
            expect(daemon.status()["peers"][0]["path"]["remote"] == there, f"the path is {daemon.status()['peers'][0]['path']}")
        with case("a preshared key"):
            key = floe("key", "psk").stdout.strip()
            kernel.add_peer(daemon, preshared_key=key)
            restart(daemon, kernel, there, key)
            expect(daemon.host.ping(kernel.address, 3, 5) is not None, "no answer from the kernel")
        with case(f"{MEGABYTES} MB from floe to the kernel"):
            data = os.urandom(MEGABYTES << 20)
            expect(to_kernel(daemon, kernel, data) == hashlib.sha256(data).hexdigest(), "other bytes came out than went in")
        with case(f"{MEGABYTES} MB from the kernel to floe"):
            sent, received = from_kernel(daemon, kernel)
            expect(sent == received, "other bytes came out than went in")
        with case("both roam") as note:
            kernel.run(f"wg set wg0 listen-port {PORT + 1}")
            expect(kernel.pings(daemon.address), "no answer at the other port")
            daemon.host.readdress()
            wait_until(lambda: daemon.host.ping(kernel.address, 1, 1), 20, what="answers at floe's other address")
            expect(kernel.show("endpoints") == f"{daemon.host.ip}:41820", f"it answers {kernel.show('endpoints')}")
            note(f"{daemon.status()['peers'][0]['path']['remote']}, {kernel.show('endpoints')}")
    finally:
        kernel.close()
