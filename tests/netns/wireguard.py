"""wireguard-go in the laboratory: a plain WireGuard device on a host, to be floe's peer or to be compared with."""
import os
from pathlib import Path

from harness import FloeLab, cpu_seconds, make_key, wait_until, write_secret
from lab import Host, LabError, Proc

PORT = 51820


class WireGuard:
    """A wireguard-go on a host; its device has the address and, unless told otherwise, the MTU that wg-quick gives."""

    def __init__(self, net: FloeLab, host: Host, address: str, mtu: int = 1420):
        # Its control socket is named for the device, and all namespaces share /var/run.
        self.host, self.address, self.device = host, address, f"wg{os.getpid()}x{len(net.lab.procs)}"[:15]
        self.name = f"plain_{host.name}"
        self.private_key, self.public_key = make_key()
        self.key_file = write_secret(net.lab.dir / f"{self.name}.key", self.private_key)
        self.control = Path(f"/var/run/wireguard/{self.device}.sock")
        self.proc: Proc = host.popen(["env", "WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD=1", "LOG_LEVEL=verbose",
                                      "wireguard-go", "-f", self.device])
        wait_until(lambda: self.control.exists() and "UAPI listener started" in self.proc.log.read_text(),
                   what=f"wireguard-go, see {self.proc.log}")
        self.wg("set", self.device, "listen-port", PORT, "private-key", self.key_file)
        host.iproute(f"addr add {address}/24 dev {self.device}", f"link set {self.device} mtu {mtu} up")

    def wg(self, *args) -> str:
        done = self.host.run(["wg", *args])
        if done.returncode:
            raise LabError(f"wg: {done.stderr}")
        return done.stdout

    def add_peer(self, peer, endpoint: str | None = None) -> None:
        """Accept a Daemon or another WireGuard; with an endpoint, call it there."""
        where = ["endpoint", endpoint] if endpoint else []
        self.wg("set", self.device, "peer", peer.public_key, "allowed-ips", f"{peer.address}/32", *where)

    def forget_peer(self, peer) -> None:
        self.wg("set", self.device, "peer", peer.public_key, "remove")

    def handshakes(self) -> int:
        return int(self.wg("show", self.device, "latest-handshakes").split()[-1])

    def ping(self, ip: str) -> float | None:
        return self.host.ping(ip, 3, 5)

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.proc.pid)

    def close(self) -> None:
        self.proc.stop()
        self.control.unlink(missing_ok=True)
