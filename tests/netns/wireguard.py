"""wireguard-go in the laboratory: a plain WireGuard device on a host, to be floe's peer or to be compared with."""
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from harness import Daemon, FloeLab, cpu_seconds, make_key, wait_until, write_secret
from lab import Host, LabError, Proc

PORT = 51820


class WireGuard:
    """A wireguard-go on a host; its device has the addresses and, unless told otherwise, the MTU that wg-quick gives."""

    def __init__(self, net: FloeLab, host: Host, address: str, mtu: int = 1420, address6: str | None = None):
        # Its control socket is named for the device, and all namespaces share /var/run.
        self.net, self.host, self.address, self.address6 = net, host, address, address6
        self.device = f"wg{os.getpid()}x{len(net.lab.procs)}"[:15]
        self.name = f"plain_{host.name}"
        self.private_key, self.public_key = make_key()
        self.key_file = write_secret(net.lab.dir / f"{self.name}.key", self.private_key)
        self.control = Path(f"/var/run/wireguard/{self.device}.sock")
        self.proc: Proc = host.popen(["env", "WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD=1", "LOG_LEVEL=verbose",
                                      "wireguard-go", "-f", self.device])
        wait_until(lambda: self.control.exists() and "UAPI listener started" in self.proc.log.read_text(),
                   what=f"wireguard-go, see {self.proc.log}")
        self.set("listen-port", PORT, "private-key", self.key_file)
        host.iproute(f"addr add {address}/24 dev {self.device}", f"link set {self.device} mtu {mtu} up",
                     *([f"addr add {address6}/64 dev {self.device} nodad"] if address6 else []))

    def wg(self, *args) -> str:
        done = self.host.run(["wg", *args])
        if done.returncode:
            raise LabError(f"wg: {done.stderr}")
        return done.stdout

    def set(self, *args) -> None:
        self.wg("set", self.device, *args)

    def show(self, what: str) -> str:
        """Of the only peer: `endpoints`, `transfer` and the like."""
        return self.wg("show", self.device, what).strip().partition("\t")[2]

    def add_peer(self, peer, endpoint: str | None = None, preshared_key: str | None = None) -> None:
        """Accept a Daemon or another WireGuard, and change what is known of it; with an endpoint, call it there."""
        allowed = f"{peer.address}/32" + (f",{peer.address6}/128" if getattr(peer, "address6", None) else "")
        more = ["endpoint", endpoint] if endpoint else []
        if preshared_key:
            more += ["preshared-key", write_secret(self.net.lab.dir / f"{self.name}.psk.key", preshared_key)]
        self.set("peer", peer.public_key, *more, "allowed-ips", allowed)

    def forget_peer(self, peer) -> None:
        self.set("peer", peer.public_key, "remove")

    def handshakes(self) -> int:
        """When the latest was, in Unix time; 0 for never."""
        return int(self.show("latest-handshakes") or 0)

    def ping(self, ip: str) -> float | None:
        return self.host.ping(ip, 3, 5)

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.proc.pid)

    def close(self) -> None:
        self.proc.stop()
        self.control.unlink(missing_ok=True)


@contextlib.contextmanager
def daemon_and_device(net: FloeLab, endpoint: str | None = None) -> Iterator[tuple[Daemon, WireGuard]]:
    """A daemon that is yet to start and a wireguard-go, on sites without NAT. The daemon calls the device where it is, or at
    `endpoint`; the device knows of no endpoint."""
    daemon = net.daemon(net.lab.site("home", "none").host("home_pc"))
    plain = WireGuard(net, net.lab.site("office", "none").host("office_pc"), "10.71.0.200", mtu=1408)
    daemon.add_peer(plain, endpoint=endpoint or f"{plain.host.ip}:{PORT}")
    plain.add_peer(daemon)
    try:
        yield daemon, plain
    finally:
        plain.close()
