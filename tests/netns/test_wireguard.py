"""A plain WireGuard device as the peer: wireguard-go on the other host."""
import hashlib
import os
import socket
import threading
from pathlib import Path

from harness import Daemon, FloeLab, Proc, make_key, section, wait_until, write_secret
from lab import Host
from run import case, expect

PORT, ADDRESS, MEGABYTES = 51820, "10.71.0.200", 20


class WireGuard:
    """wireguard-go with one peer, on a host."""

    def __init__(self, net: FloeLab, host: Host):
        # Its control socket is named for the device, and all namespaces share /var/run.
        self.net, self.host, self.device = net, host, f"wg{os.getpid()}"
        self.name, self.address = "plain", ADDRESS
        self.private_key, self.public_key = make_key()
        self.key_file = write_secret(net.lab.dir / "wireguard.key", self.private_key)
        self.proc: Proc = host.popen(["env", "WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD=1", "LOG_LEVEL=verbose",
                                      "wireguard-go", "-f", self.device])
        self.control = Path(f"/var/run/wireguard/{self.device}.sock")
        wait_until(lambda: self.control.exists() and "UAPI listener started" in self.proc.log.read_text(),
                   what=f"wireguard-go, see {self.proc.log}")
        self.wg("set", self.device, "listen-port", PORT, "private-key", self.key_file)
        host.iproute(f"addr add {ADDRESS}/24 dev {self.device}", f"link set {self.device} mtu 1408 up")

    def wg(self, *args) -> str:
        done = self.host.run(["wg", *args])
        expect(not done.returncode, f"wg: {done.stderr}")
        return done.stdout

    def add_peer(self, daemon: Daemon, endpoint: bool) -> None:
        where = ["endpoint", f"{daemon.host.ip}:41820"] if endpoint else []
        self.wg("set", self.device, "peer", daemon.public_key, "allowed-ips", f"{daemon.address}/32", *where)

    def forget_peer(self, daemon: Daemon) -> None:
        self.wg("set", self.device, "peer", daemon.public_key, "remove")

    def handshakes(self) -> int:
        return int(self.wg("show", self.device, "latest-handshakes").split()[-1])

    def close(self) -> None:
        self.proc.stop()
        self.control.unlink(missing_ok=True)

    def ping(self, ip: str) -> float | None:
        return self.host.ping(ip, 3, 5)


def transfer(source: Host, source_ip: str, target: Host, target_ip: str, port: int) -> None:
    """Send random bytes over TCP and compare what arrives."""
    data = os.urandom(MEGABYTES * 1_000_000)
    with target.socket(kind=socket.SOCK_STREAM, bind=(target_ip, port)) as listener, \
            source.socket(kind=socket.SOCK_STREAM, bind=(source_ip, 0)) as client:
        listener.listen(1)
        client.settimeout(60)
        client.connect((target_ip, port))
        server = listener.accept()[0]
        server.settimeout(60)
        sending = threading.Thread(target=lambda: (client.sendall(data), client.shutdown(socket.SHUT_WR)))
        sending.start()
        digest, size = hashlib.sha256(), 0
        with server:
            while piece := server.recv(1 << 16):
                digest.update(piece)
                size += len(piece)
        sending.join()
    expect(size == len(data), f"{size} bytes came out of {len(data)}")
    expect(digest.digest() == hashlib.sha256(data).digest(), "other bytes came out than went in")


def test_wireguard_go_is_a_peer(net: FloeLab) -> None:
    daemon = net.daemon(net.lab.site("home", "none").host("home_pc"))
    plain = WireGuard(net, net.lab.site("office", "none").host("office_pc"))
    daemon.peers.append(section("[[peer]]", name=plain.name, public_key=plain.public_key,
                                allowed_ips=[f"{ADDRESS}/32"], endpoint=f"{plain.host.ip}:{PORT}"))
    try:
        with case("floe begins the handshake"):
            plain.add_peer(daemon, endpoint=False)
            daemon.start()
            expect(daemon.host.ping(ADDRESS, 3, 5) is not None, "no answer from wireguard-go")
            expect(plain.handshakes() > 0, "wireguard-go has seen no handshake")
            expect(daemon.status()["peers"][0]["state"] == "up", f"the status says {daemon.status()['peers'][0]}")
        with case("WireGuard begins the handshake"):
            daemon.stop()
            plain.forget_peer(daemon)
            plain.add_peer(daemon, endpoint=True)
            daemon.start()
            expect(plain.ping(daemon.address) is not None, "no answer from floe")
            expect(plain.handshakes() > 0, "wireguard-go has seen no handshake")
        with case(f"{MEGABYTES} MB from floe to WireGuard"):
            transfer(daemon.host, daemon.address, plain.host, ADDRESS, 7100)
        with case(f"{MEGABYTES} MB from WireGuard to floe"):
            transfer(plain.host, ADDRESS, daemon.host, daemon.address, 7101)
    finally:
        plain.close()
