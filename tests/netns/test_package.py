"""The Debian packages, installed in bare Debian systems that are booted behind two NATs."""
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

from harness import ROOT, FloeLab, LabError, floe, section, wait_until
from lab import HERE, Node, command
from run import Skip, case, expect

BUILD = Path(os.environ.get("FLOE_BUILD", ROOT / "build/release"))
CACHE = ROOT / "build/package-test"
MIRROR = os.environ.get("FLOE_DEBIAN_MIRROR", "http://deb.debian.org/debian")
# What a small Debian machine has that debootstrap's smallest variant has not.
BASE = ["systemd", "systemd-sysv", "adduser", "iproute2", "iputils-ping"]
CAP_NET_ADMIN = 1 << 12


def build_packages() -> dict[str, Path]:
    """Make the packages; their files by name."""
    where = BUILD / "packages"
    shutil.rmtree(where, ignore_errors=True)
    command("cpack", "--config", str(BUILD / "CPackConfig.cmake"), "-G", "DEB", "-B", str(where))
    shutil.rmtree(where / "_CPack_Packages", ignore_errors=True)
    return {path.name.split("_")[0]: path for path in where.glob("*.deb")}


def dependencies(packages: dict[str, Path]) -> list[str]:
    text = ", ".join(command("dpkg-deb", "-f", str(path), "Depends") for path in packages.values())
    return sorted({re.split(r"[ |(]", part.strip())[0] for part in text.split(",")} - {""})


def base_system(include: list[str]) -> Path:
    """A bare Debian with these packages; made once and kept in the build directory."""
    base, made_of = CACHE / "base", CACHE / "base.packages"
    if base.exists() and made_of.exists() and made_of.read_text().split() == include:
        return base
    shutil.rmtree(CACHE, ignore_errors=True)
    CACHE.mkdir(parents=True)
    # In a mount namespace of its own, so that what it mounts is gone even if it fails.
    done = subprocess.run(["unshare", "--mount", "debootstrap", "--variant=minbase", "--include=" + ",".join(include), "bookworm", base,
                           MIRROR], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line[:2] in ("E:", "W:")]
        raise Skip(f"no bare Debian could be made: {' '.join(said)[:300]}")
    made_of.write_text(" ".join(include))
    return base


class Box:
    """A Debian system in a directory, to be booted in the network of a host of the laboratory."""

    def __init__(self, net: FloeLab, host: Node, base: Path, package: Path):
        self.host, self.name, self.root = host, host.name, CACHE / f"box-{host.name}"
        shutil.rmtree(self.root, ignore_errors=True)
        command("cp", "-a", str(base), str(self.root))
        (self.root / "etc/hostname").write_text(f"{self.name}\n")
        shutil.copy(package, self.root / "root")
        self.chroot("dpkg", "--install", f"/root/{package.name}")

    def chroot(self, *args: str) -> str:
        return command("env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive",
                       "chroot", str(self.root), *args)

    def boot(self) -> None:
        self.proc = self.host.popen([HERE / "boot-systemd.sh", "--keep-net", self.root, self.name])
        self.pid = wait_until(self._find_pid, what=f"PID 1 of {self.name}, see {self.proc.log}")
        wait_until(lambda: self.inside("systemctl", "is-system-running").stdout.strip() in ("running", "degraded"), 60,
                   what=f"systemd on {self.name}, see {self.proc.log}")

    def _find_pid(self) -> int | None:
        if self.proc.poll() is not None:
            raise LabError(f"{self.name} did not boot: {self.proc.log.read_text()[-2000:]}")
        for pid in command("ip", "netns", "pids", self.host.ns, check=False).split():
            found = re.search(r"^NSpid:.*\t1$", read(f"/proc/{pid}/status"), re.M)
            if found and read(f"/proc/{pid}/comm").strip() == "systemd":
                return int(pid)
        return None

    def inside(self, *args: str) -> subprocess.CompletedProcess:
        return subprocess.run(["nsenter", "-t", str(self.pid), "-a", "-r", "-w", *args], capture_output=True, text=True, timeout=60)

    def service(self, name: str) -> dict[str, str]:
        shown = self.inside("systemctl", "show", "-p", "ActiveState,SubState,MainPID,NRestarts", name).stdout
        return dict(line.split("=", 1) for line in shown.splitlines())

    def wait_active(self, name: str) -> None:
        try:
            wait_until(lambda: self.service(name).get("ActiveState") == "active", 20, what=f"{name} on {self.name}")
        except LabError as error:
            raise LabError(f"{error}: {self.inside('journalctl', '-u', name, '-n', '20', '--no-pager').stdout}") from None

    def process(self, service: str) -> dict[str, str]:
        """/proc/PID/status of a service, whose PID we see from outside."""
        inner = self.service(service)["MainPID"]
        return dict(line.split(":\t", 1) for line in self.inside("cat", f"/proc/{inner}/status").stdout.splitlines() if ":\t" in line)

    def floe(self, *args) -> subprocess.CompletedProcess:
        return floe("--socket", f"/proc/{self.pid}/root/run/floe/floe.sock", *args)

    def stop(self) -> None:
        self.proc.stop(10)


def read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def configure(box: Box, other: Box, address: str, other_address: str, url: str) -> None:
    other_key = floe("key", "pub", stdin=(other.root / "var/lib/floe/key").read_text()).stdout.strip()
    (box.root / "etc/floe/floe.toml").write_text("\n".join([
        "schema = 1",
        section("[node]", name=box.name, private_key_file="/var/lib/floe/key", addresses=[f"{address}/24"]),
        section("[rendezvous]", urls=[url]),
        section("[stun]", urls=[url.replace("ws://", "stun:").replace(":8080", ":3478")]),
        section("[[peer]]", name=other.name, public_key=other_key, allowed_ips=[f"{other_address}/32"])]))


def expect_installed(box: Box) -> None:
    key = box.root / "var/lib/floe/key"
    owner = box.chroot("stat", "-c", "%U:%G %a", "/var/lib/floe/key", "/var/lib/floe").split("\n")
    expect(owner[:2] == ["floe:floe 600", "floe:floe 700"], f"the key and its directory are {owner}")
    expect(len(key.read_text().strip()) == 44, "the key file holds no key")
    wants = box.root / "etc/systemd/system/multi-user.target.wants/floe.service"
    expect(wants.is_symlink(), "the service is not enabled")
    box.chroot("floe", "config", "check", "/etc/floe/floe.toml")


def expect_sandboxed(box: Box) -> str:
    status = box.process("floe.service")
    expect(status["Uid"].split()[0] != "0", "floed runs as root")
    expect(int(status["CapEff"], 16) == CAP_NET_ADMIN, f"its capabilities are {status['CapEff']}")
    expect((status["NoNewPrivs"], status["Seccomp"]) == ("1", "2"), f"not confined: {status}")
    shown = box.inside("systemd-analyze", "security", "--no-pager", "floe.service").stdout
    exposure = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", shown)[1])
    expect(exposure < 2, f"systemd-analyze rates its exposure {exposure}")
    return f"exposure {exposure}"


def test_packages(net: FloeLab) -> None:
    with case("they are built", vital=True):
        packages = build_packages()
        expect(set(packages) == {"floe", "floe-rendezvous"}, f"made {packages}")
    with case("lintian finds no fault"):
        done = subprocess.run(["lintian", "--no-cfg", "--fail-on", "error,warning", *map(str, packages.values())],
                              capture_output=True, text=True)
        expect(done.returncode == 0, done.stdout + done.stderr)
    base = base_system(sorted({*BASE, *dependencies(packages)}))

    server = net.lab.server("rendezvous")
    a_host, b_host = (net.lab.site(f"site_{name}", "eim_apdf").host(name) for name in ("alpha", "beta"))
    boxes: list[Box] = []
    try:
        with case("they install, with a key and a valid configuration", vital=True):
            boxes.append(middle := Box(net, server, base, packages["floe-rendezvous"]))
            boxes.append(a := Box(net, a_host, base, packages["floe"]))
            boxes.append(b := Box(net, b_host, base, packages["floe"]))
            expect_installed(a)
            expect_installed(b)
        configure(a, b, "10.71.0.1", "10.71.0.2", f"ws://{server.ip}:8080")
        configure(b, a, "10.71.0.2", "10.71.0.1", f"ws://{server.ip}:8080")
        (middle.root / "etc/default/floe-rendezvous").write_text(
            f'FLOE_RENDEZVOUS_OPTIONS="--dev --listen {server.ip}:8080"\n')
        check_booted(middle, a, b)
        with case("purging leaves nothing"):
            for box in boxes:
                box.stop()
            a.chroot("dpkg", "--purge", "floe")
            left = [name for name in ("etc/floe", "var/lib/floe", "usr/bin/floed",
                                      "etc/systemd/system/multi-user.target.wants/floe.service")
                    if os.path.lexists(a.root / name)]
            expect(not left, f"left: {left}")
    finally:
        for box in boxes:
            if hasattr(box, "proc"):
                box.stop()
            shutil.rmtree(box.root, ignore_errors=True)


def check_booted(middle: Box, a: Box, b: Box) -> None:
    with case("three machines boot and start their services", vital=True):
        middle.boot()
        a.boot()
        b.boot()
        middle.wait_active("floe-rendezvous.service")
        a.wait_active("floe.service")
        b.wait_active("floe.service")
    with case("they link directly"):
        for here, there, ip in ((a, "beta", "10.71.0.2"), (b, "alpha", "10.71.0.1")):
            done = here.floe("wait", "--for", f"direct={there}", "--timeout", "30s")
            expect(done.returncode == 0, f"{here.name}: exit {done.returncode}: {done.stderr}{here.floe('status').stdout}")
            expect(here.host.ping(ip, 3) is not None, f"no answer on {here.name}")
    with case("floed has one privilege and is confined") as note:
        note(expect_sandboxed(a))
    with case("a killed daemon is started again"):
        before = a.service("floe.service")
        expect(a.inside("systemctl", "kill", "--signal=KILL", "--kill-who=main", "floe.service").returncode == 0, "it could not be killed")
        wait_until(lambda: a.service("floe.service")["NRestarts"] != before["NRestarts"], 20, what="systemd to restart it")
        a.wait_active("floe.service")
        expect(a.floe("wait", "--for", "peer=beta", "--timeout", "30s").returncode == 0, "it did not link again")
    with case("stopping the service removes the interface"):
        started = time.monotonic()
        a.inside("systemctl", "stop", "floe.service")
        expect(time.monotonic() - started < 10, "it did not end when asked")
        expect("floe0" not in a.host.run("ip -o link").stdout, "the interface is still there")
        result = a.inside("systemctl", "show", "-p", "Result", "--value", "floe.service").stdout.strip()
        expect(result == "success", f"systemd calls the result {result}")
