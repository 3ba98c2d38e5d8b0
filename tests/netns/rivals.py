"""Other VPNs on the two hosts that floe is measured on, configured as their manuals advise for speed.

Each is an object with name, package, ends (inner addresses), pids (its daemons) and close().
"""
import json
import shutil
import textwrap
from pathlib import Path

from harness import FloeLab, wait_until
from lab import Node, command
from wireguard import PORT, WireGuard


class Rival:
    """Two daemons of another VPN. Configured and started by the classes below."""

    name = package = ""

    def __init__(self, net: FloeLab, hosts: list[Node], outer: list[str], subnet: str):
        self.net, self.hosts, self.outer = net, hosts, outer
        self.ends, self.procs = [f"{subnet}.1", f"{subnet}.2"], []
        self.dir = net.lab.dir / self.name
        self.dir.mkdir()
        self.start()
        wait_until(lambda: hosts[0].ping(self.ends[1]), 30, what=f"{self.name}, see {[str(proc.log) for proc in self.procs]}")

    def start(self) -> None:
        raise NotImplementedError

    def run(self, host: Node, argv: list) -> None:
        self.procs.append(host.popen(argv))

    def write(self, path: str, text: str, mode: int = 0o600) -> Path:
        file = self.dir / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode)
        file.chmod(mode)
        file.write_text(textwrap.dedent(text))
        return file

    @property
    def pids(self) -> list[int]:
        return [proc.pid for proc in self.procs]

    def close(self) -> None:
        for proc in self.procs:
            proc.stop()


class WireGuardGo(Rival):
    """As wg-quick sets it up: an MTU of 1420."""

    name = package = "wireguard-go"

    def start(self) -> None:
        self.devices = [WireGuard(self.net, host, end) for host, end in zip(self.hosts, self.ends)]
        self.procs = [device.proc for device in self.devices]
        for here, there, outer in (*zip(self.devices, self.devices[::-1], self.outer[::-1]),):
            here.add_peer(there, endpoint=f"{outer}:{PORT}")

    def close(self) -> None:
        for device in self.devices:
            device.close()


class OpenVpn(Rival):
    """Point to point with TLS. --fast-io and buffers left to the kernel (0), as its manual says for speed; Debian 12 has no kernel part (DCO)."""

    name = package = "openvpn"

    def start(self) -> None:
        prints = []
        for number in "12":
            command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
                    f"/CN=end{number}", "-keyout", f"{self.dir}/{number}.key", "-out", f"{self.dir}/{number}.pem")
            shown = command("openssl", "x509", "-in", f"{self.dir}/{number}.pem", "-noout", "-fingerprint", "-sha256")
            prints.append(shown.strip().split("=")[1])
        for i, role in enumerate(("tls-server", "tls-client")):
            other = 1 - i
            self.run(self.hosts[i], [
                "openvpn", "--dev", "tun", "--proto", "udp", "--port", 1194, "--remote", self.outer[other],
                "--ifconfig", self.ends[i], self.ends[other],
                f"--{role}", *(["--dh", "none"] if i == 0 else []), "--cert", self.dir / f"{i + 1}.pem", "--key", self.dir / f"{i + 1}.key",
                "--peer-fingerprint", prints[other], "--cipher", "CHACHA20-POLY1305", "--data-ciphers", "CHACHA20-POLY1305",
                "--sndbuf", 0, "--rcvbuf", 0, "--txqueuelen", 1000, "--fast-io", "--disable-dco", "--verb", 3])


class Nebula(Rival):
    """ChaCha20-Poly1305; batches, buffers and queue of its example for fast networks, and the MTU that 1500 bytes outside allow."""

    name = package = "nebula"

    def start(self) -> None:
        def cert(*args) -> None:
            command("nebula-cert", *map(str, args))
        cert("ca", "-name", "bench", "-out-crt", self.dir / "ca.crt", "-out-key", self.dir / "ca.key")
        for i in (0, 1):
            base = self.dir / f"end{i}"
            cert("sign", "-ca-crt", self.dir / "ca.crt", "-ca-key", self.dir / "ca.key", "-name", f"end{i}", "-ip", f"{self.ends[i]}/24",
                 "-out-crt", f"{base}.crt", "-out-key", f"{base}.key")
            allow = [{"port": "any", "proto": "any", "host": "any"}]
            config = self.write(f"end{i}.yml", json.dumps({  # JSON is also YAML.
                "pki": {"ca": str(self.dir / "ca.crt"), "cert": f"{base}.crt", "key": f"{base}.key"},
                "static_host_map": {self.ends[1 - i]: [f"{self.outer[1 - i]}:4242"]}, "lighthouse": {"am_lighthouse": False, "hosts": []},
                "listen": {"host": "0.0.0.0", "port": 4242, "batch": 128, "read_buffer": 10485760, "write_buffer": 10485760},
                "tun": {"dev": "nebula1", "tx_queue": 500, "mtu": 1440}, "cipher": "chachapoly", "punchy": {"punch": False},
                "firewall": {"outbound": allow, "inbound": allow}, "logging": {"level": "info", "format": "text"}}))
            self.run(self.hosts[i], ["nebula", "-config", config])


class Tinc(Rival):
    """Version 1.0 has no ChaCha20: its own choice of cipher. Without compression, with larger buffers than the kernel's."""

    name = package = "tinc"

    def start(self) -> None:
        for i in (0, 1):
            end, peer = f"end{i}", f"end{1 - i}"
            base = self.write(f"{end}/tinc.conf", f"Name = {end}\nMode = router\nAddressFamily = ipv4\n"
                              f"UDPRcvBuf = 1048576\nUDPSndBuf = 1048576\nConnectTo = {peer}\n").parent
            self.write(f"{end}/tinc-up", f'#!/bin/sh\nip link set "$INTERFACE" up\nip addr add {self.ends[i]}/24 dev "$INTERFACE"\n', 0o700)
            self.write(f"{end}/hosts/{end}", f"Address = {self.outer[i]}\nSubnet = {self.ends[i]}/32\nCompression = 0\n")
            command("tincd", "-c", str(base), "-K2048", stdin="\n\n")
        for i in (0, 1):
            shutil.copy(self.dir / f"end{1 - i}/hosts/end{1 - i}", self.dir / f"end{i}/hosts/end{1 - i}")
            self.run(self.hosts[i], ["tincd", "-c", self.dir / f"end{i}", "-D", "-d1", f"--pidfile={self.dir}/end{i}.pid"])


ALL = (WireGuardGo, OpenVpn, Nebula, Tinc)


def version(package: str) -> str:
    return command("dpkg-query", "-W", "-f", "${Version}", package)


def missing() -> list[str]:
    programs = {"wireguard-go": "wireguard-go", "openvpn": "openvpn", "nebula": "nebula-cert", "tinc": "tincd", "ethtool": "ethtool"}
    return [package for package, program in programs.items() if not shutil.which(program)]
