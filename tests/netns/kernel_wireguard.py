"""The kernel's own WireGuard as a plain device: Debian's kernel on an emulated machine, on a LAN of the laboratory.

The machine has one program, busybox, beside wg, and a shell on its serial line that is told what to do.
"""
import gzip
import itertools
import os
import re
import select
import shutil
import stat
import subprocess
import time
from pathlib import Path

from harness import ROOT, FloeLab, make_key
from lab import LabError, Site, command
from run import Skip

CACHE = ROOT / "build/kernel-wireguard"
PORT = 51820
MODULES = ["virtio_pci", "virtio_net", "wireguard"]
INIT = """#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /tmp
/bin/busybox mount -t proc none /proc
/bin/busybox mount -t sysfs none /sys
/bin/busybox mount -t devtmpfs none /dev
exec </dev/ttyS0 >/dev/ttyS0 2>&1
/bin/busybox --install -s /bin
export PATH=/bin PS1=
stty -echo -onlcr
for module in /modules/*; do insmod $module; done
ip link set lo up
echo @ready@
exec sh
"""


def kernel() -> Path:
    """The root of an unpacked kernel package, which is downloaded once."""
    for program in ("qemu-system-x86_64", "busybox", "wg", "depmod"):
        if not shutil.which(program):
            raise Skip(f"no {program}: packaging/install-deps.sh kernel")
    root = CACHE / "root"
    if not list(root.glob("boot/vmlinuz-*")):
        shutil.rmtree(CACHE, ignore_errors=True)
        CACHE.mkdir(parents=True)
        try:
            name = re.search(r"Depends: (linux-image-\S+)", command("apt-cache", "depends", "linux-image-cloud-amd64"))[1]
            subprocess.run(["apt-get", "-q", "download", name], cwd=CACHE, check=True, capture_output=True)
        except (LabError, TypeError, subprocess.CalledProcessError) as error:
            raise Skip(f"no kernel to be had from the Debian archive: {error}") from None
        package, = CACHE.glob("*.deb")
        fresh = CACHE / "fresh"
        command("dpkg-deb", "-x", str(package), str(fresh))
        version, = (path.name for path in (fresh / "lib/modules").iterdir())
        command("depmod", "-b", str(fresh), version)
        package.unlink()
        fresh.rename(root)
    return root


def modules(root: Path) -> list[Path]:
    """Those of MODULES and what they need, in the order to load them."""
    folder, = (root / "lib/modules").iterdir()
    needs = {}
    for line in (folder / "modules.dep").read_text().splitlines():
        path, rest = line.split(":")
        needs[path] = rest.split()
    by_name = {Path(path).name.split(".")[0]: path for path in needs}
    ordered = []
    for name in MODULES:
        # A module's list begins with what needs most.
        for path in [*reversed(needs[by_name[name]]), by_name[name]]:
            if path not in ordered:
                ordered.append(path)
    return [folder / path for path in ordered]


def cpio(files: dict[str, tuple[int, bytes]]) -> bytes:
    """An archive of the kind that the kernel unpacks ("newc"), of paths with modes and contents."""
    def entry(number: int, path: str, mode: int, data: bytes) -> bytes:
        name = path.encode() + b"\0"
        fields = [number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0]
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
        return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)
    folders = {str(parent) for path in files for parent in Path(path).parents if str(parent) != "."}
    parts = [entry(i, path, stat.S_IFDIR | 0o755, b"") for i, path in enumerate(sorted(folders), 1)]
    parts += [entry(i, path, stat.S_IFREG | mode, data) for i, (path, (mode, data)) in enumerate(files.items(), 1000)]
    return b"".join(parts) + entry(0, "TRAILER!!!", 0, b"")


def initramfs(root: Path) -> bytes:
    files = {"init": (0o755, INIT.encode()), "bin/busybox": (0o755, Path(shutil.which("busybox")).read_bytes())}
    wg = shutil.which("wg")
    libraries = re.findall(r"(/\S+)", " ".join(line.split("=>")[-1] for line in command("ldd", wg).splitlines()))
    for path in [wg, *libraries]:
        files["bin/wg" if path == wg else path.lstrip("/")] = (0o755, Path(path).read_bytes())
    for number, module in enumerate(modules(root)):
        files[f"modules/{number:02}-{module.name}"] = (0o644, module.read_bytes())
    return gzip.compress(cpio(files), 1)


class KernelWireGuard:
    """An emulated machine on a site's LAN, with a WireGuard device wg0."""

    name = "plain_kernel"
    serial = itertools.count(1)

    def __init__(self, net: FloeLab, site: Site, address: str, mtu: int = 1408):
        root, image = kernel(), net.lab.dir / "kernel.initrd"
        image.write_bytes(initramfs(root))
        self.address, self.ip = address, site.pool4.take()
        self.private_key, self.public_key = make_key()
        tap = f"tap{next(self.serial)}"
        site.iproute(f"tuntap add {tap} mode tap", f"link set {tap} master lan up")
        vmlinuz, = root.glob("boot/vmlinuz-*")
        self.log = open(net.lab.dir / "kernel.log", "wb")
        self.proc = site.popen([
            "qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", 256, "-nographic", "-nodefaults", "-no-reboot", "-serial", "stdio",
            "-kernel", vmlinuz, "-initrd", image, "-append", "console=ttyS0 quiet panic=1",
            "-netdev", f"tap,id=lan,ifname={tap},script=no,downscript=no",
            "-device", "virtio-net-pci,netdev=lan,romfile="], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log)
        self._read_until(b"@ready@", 120)
        self.run(f"umask 077; echo {self.private_key} > /key; ip addr add {self.ip}/{site.net4.prefixlen} dev eth0; ip link set eth0 up; "
                 f"ip route add default via {site.net4[1]}; ip link add wg0 type wireguard; wg set wg0 listen-port {PORT} private-key /key; "
                 f"ip addr add {address}/24 dev wg0; ip link set wg0 mtu {mtu} up")

    def _read_until(self, mark: bytes, timeout: float) -> bytes:
        found, deadline = b"", time.monotonic() + timeout
        while mark not in found:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.proc.stdout], [], [], left)[0] or not (piece := os.read(self.proc.stdout.fileno(), 65536)):
                raise LabError(f"the emulated machine says nothing more in {timeout} s; {found[-1000:]}")
            self.log.write(piece)
            self.log.flush()
            found += piece
        return found

    def start(self, line: str) -> None:
        """Begin a command; finish() waits for it."""
        self.proc.stdin.write(f"{{ {line}; }} 2>&1; echo \"@$?@\"\n".encode())
        self.proc.stdin.flush()

    def finish(self, timeout: float = 30, check: bool = True) -> tuple[int, str]:
        text = b""
        while not (end := re.search(rb"(.*)@(\d+)@", text, re.DOTALL)):
            text += self._read_until(b"@\n", timeout)
        if check and int(end[2]):
            raise LabError(f"on the emulated machine: {end[1].decode()}")
        return int(end[2]), end[1].decode()

    def run(self, line: str, timeout: float = 30, check: bool = True) -> str:
        self.start(line)
        return self.finish(timeout, check)[1]

    def add_peer(self, peer, endpoint: str | None = None, preshared_key: str | None = None) -> None:
        where = f"endpoint {endpoint}" if endpoint else ""
        psk = "preshared-key /psk" if preshared_key else ""
        # Without what is left of a session with a floed that has ended.
        self.run(f"wg set wg0 peer {peer.public_key} remove; {f'echo {preshared_key} > /psk; ' if preshared_key else ''}"
                 f"wg set wg0 peer {peer.public_key} {psk} {where} allowed-ips {peer.address}/32")

    def show(self, what: str) -> str:
        return self.run(f"wg show wg0 {what}").strip().partition("\t")[2]

    def handshakes(self) -> int:
        return int(self.show("latest-handshakes") or 0)

    def pings(self, ip: str) -> bool:
        self.start(f"ping -q -c 3 -W 5 {ip}")
        return self.finish(check=False)[0] == 0

    def close(self) -> None:
        self.proc.stop()
        self.log.close()
