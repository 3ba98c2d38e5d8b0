"""floe in the laboratory: rendezvous servers and daemons as objects. See README.md.

    with FloeLab() as net:
        pair = two_sites(net, "eim_apdf", "symmetric")
        pair.a.wait_up(pair.b)
        print(pair.a.ping(pair.b), pair.a.path(pair.b))
"""
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from lab import Lab, LabError, Node, Proc, Server, Turn, cleanup as lab_cleanup, wait_until

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("FLOE_BIN", ROOT / "build/release/app"))
FLOED = BIN / "floed/floed"
FLOE = BIN / "floe/floe"
RENDEZVOUS = BIN / "rendezvous/floe-rendezvous"

LINK_TIMEOUT = 30  # seconds; what is measured is reported, this only ends a wait that is hopeless


def missing_programs() -> list[str]:
    return [str(path) for path in (FLOED, FLOE, RENDEZVOUS) if not os.access(path, os.X_OK)]


def floe(*args, stdin: str | None = None, timeout: float = 60) -> subprocess.CompletedProcess:
    """Run the command line program; it needs no namespace, for it talks over a unix socket."""
    return subprocess.run([str(FLOE), *map(str, args)], input=stdin or "", text=True, capture_output=True,
                          timeout=timeout)


def make_key() -> tuple[str, str]:
    """(private, public), both in WireGuard's base64."""
    private = floe("key", "gen")
    public = floe("key", "pub", stdin=private.stdout)
    if private.returncode or public.returncode:
        raise LabError(f"floe key: {private.stderr}{public.stderr}")
    return private.stdout.strip(), public.stdout.strip()


def write_secret(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text + "\n")
    return path


def toml(value) -> str:
    """A Python value as TOML: JSON's strings, numbers, lists and booleans are also TOML's."""
    return json.dumps(value)


def section(heading: str, **keys) -> str:
    lines = [f"{key} = {toml(value)}" for key, value in keys.items() if value is not None]
    return "\n".join([heading, *lines, ""])


def peer_section(other, **keys) -> str:
    """For another Daemon, or whatever else has a name, a key and an address."""
    return section("[[peer]]", **{**dict(name=other.name, public_key=other.public_key,
                                         allowed_ips=[f"{other.address}/32"]), **keys})


def cpu_seconds(pid: int) -> float:
    """What a process has used so far, all of its threads together, in user and kernel mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Rendezvous:
    """A floe-rendezvous on a server of the laboratory."""

    def __init__(self, server: Server, port: int = 8080, ipv6: bool = False):
        self.server, self.port = server, port
        self.listen = [f"{host}:{port}" for host in [server.ip, f"[{server.ip6}]"][:1 + ipv6]]
        self.urls = [f"ws://{address}" for address in self.listen]
        self.stun_uri = f"stun:{server.ip}:3478"
        self.options = ["--dev"] + [word for address in self.listen for word in ("--listen", address)]
        self.start()

    def start(self) -> None:
        self.proc: Proc = self.server.popen([RENDEZVOUS, "serve", *self.options])
        wait_until(self._answers, what=f"floe-rendezvous, see {self.proc.log}")

    def _answers(self) -> bool:
        if self.proc.poll() is not None:
            raise LabError(f"floe-rendezvous ended with {self.proc.returncode}: {self.proc.log.read_text()[-2000:]}")
        with self.server.socket(kind=socket.SOCK_STREAM) as sock:
            sock.settimeout(0.2)
            return sock.connect_ex((self.server.ip, self.port)) == 0

    def kill(self) -> None:
        self.proc.kill()
        self.proc.wait()

    def stop(self) -> int:
        self.proc.send_signal(signal.SIGTERM)
        return self.proc.wait(10)


class SecureRendezvous(Rendezvous):
    """One with a certificate of the laboratory's own CA and a configuration; daemons need trust() in their environment."""

    def __init__(self, server: Server):
        self.server, self.port = server, 443
        self.listen, self.urls, self.stun_uri = [f"{server.ip}:443"], [f"wss://{server.ip}"], f"stun:{server.ip}:3478"
        self.dir = server.lab.dir / "rendezvous"
        self.dir.mkdir()
        self.renew()
        self.config_file = self.dir / "floe-rendezvous.toml"
        self.config_file.write_text(section("[server]", listen=self.listen) + "\n" + section("[tls]", certificate="chain.pem", key="key.pem"))
        self.options = ["--config", self.config_file]
        self.start()

    def renew(self, ip: str | None = None) -> None:
        """Another certificate, for this address or its own."""
        self.ca, certificate, key = self.server.lab.certificate("rendezvous", [ip or self.server.ip])
        for new, name in ((certificate, "chain.pem"), (key, "key.pem")):
            shutil.copy(new, self.dir / f"{name}.new")
            os.replace(self.dir / f"{name}.new", self.dir / name)

    def trust(self) -> dict[str, str]:
        return {"SSL_CERT_FILE": str(self.ca)}


class Daemon:
    """A floed with its keys, configuration and state, on a host of the laboratory."""

    def __init__(self, net: "FloeLab", host: Node, name: str, number: int):
        self.net, self.host, self.name = net, host, name
        self.address = f"10.71.0.{number}"
        self.dir = net.lab.dir / f"floe-{name}"
        (self.dir / "state").mkdir(parents=True)
        self.private_key, self.public_key = make_key()
        write_secret(self.dir / "key", self.private_key)
        self.config_file, self.socket_file = self.dir / "floe.toml", self.dir / "floe.sock"
        self.peers: list[str] = []  # [[peer]] sections
        self.sections: dict[str, dict] = {"node": {}, "log": {"level": "debug"}}  # what a test changes
        self.relay_urls: list[str] | None = None  # instead of the relay's first, likewise
        self.stun_urls: list[str] = []  # before those of rendezvous and relay, likewise
        self.env: dict[str, str] = {}  # beside that of the tests, likewise
        self.proc: Proc | None = None

    def __repr__(self) -> str:
        return self.name

    # Configuration

    def add_peer(self, other, **keys) -> None:
        self.peers.append(peer_section(other, **keys))

    def config(self) -> str:
        node = dict(name=self.name, private_key_file="key", addresses=[f"{self.address}/24"])
        parts = [section("[node]", **{**node, **self.sections["node"]})]
        rendezvous, turn = self.net.rendezvous, self.net.turn
        if rendezvous:
            parts.append(section("[rendezvous]", urls=rendezvous.urls))
        stun = self.stun_urls + [server.stun_uri for server in (rendezvous, turn) if server]
        if stun:
            parts.append(section("[stun]", urls=stun))
        if turn:
            write_secret(self.dir / "turn.password", turn.password)
            parts.append(section("[[relay]]", urls=self.relay_urls or [turn.uris[0]], username=turn.user, password_file="turn.password"))
        parts += [section(f"[{name}]", **keys) for name, keys in self.sections.items() if name != "node"]
        return "\n".join(parts + self.peers)

    # Life

    @property
    def argv(self) -> list:
        return [FLOED, "--config", self.config_file, "--state-dir", self.dir / "state", "--socket", self.socket_file]

    def start(self, ready: bool = True) -> "Daemon":
        """Start it; with ready, return once it answers `floe status`."""
        self.config_file.write_text(self.config())
        self.proc = self.host.popen(self.argv, env={**os.environ, **self.env})
        if ready:
            self.wait_ready()
        return self

    def wait_ready(self, timeout: float = 10) -> None:
        wait_until(lambda: self._alive() and self.socket_file.exists() and self.floe("status", "--json").returncode == 0,
                   timeout, what=f"floed {self.name}, see {self.proc.log}")

    def _alive(self) -> bool:
        if self.proc.poll() is not None:
            raise LabError(f"floed {self.name} ended with {self.proc.returncode}:\n{self.log_tail()}")
        return True

    def kill(self) -> None:
        """As the kernel would when memory runs out: no time to clean up."""
        self.proc.kill()
        self.proc.wait()

    def stop(self, timeout: float = 5) -> float:
        """End it politely; the seconds it took. It has to go by itself, and say that all is well."""
        started = time.monotonic()
        self.proc.send_signal(signal.SIGTERM)
        try:
            status = self.proc.wait(timeout)
        except subprocess.TimeoutExpired:
            raise LabError(f"floed {self.name} still runs {timeout} s after SIGTERM") from None
        if status:
            raise LabError(f"floed {self.name} ended with {status} on SIGTERM:\n{self.log_tail()}")
        return time.monotonic() - started

    def log_tail(self, lines: int = 15) -> str:
        return "\n".join(self.proc.log.read_text(errors="replace").splitlines()[-lines:])

    # Questions

    def floe(self, *args, timeout: float = 60) -> subprocess.CompletedProcess:
        return floe("--socket", self.socket_file, *args, timeout=timeout)

    def status(self) -> dict:
        done = self.floe("status", "--json")
        if done.returncode:
            raise LabError(f"floe status on {self.name}: exit {done.returncode}: {done.stderr}")
        return json.loads(done.stdout)

    def peer(self, other: "Daemon") -> dict:
        return next(peer for peer in self.status()["peers"] if peer["name"] == other.name)

    def path(self, other: "Daemon") -> dict:
        return self.peer(other)["path"]

    def describe(self, other: "Daemon") -> str:
        path = self.path(other)
        return (f"{path['kind']} {path.get('local_type')}:{path.get('local')} > "
                f"{path.get('remote_type')}:{path.get('remote')}")

    def _wait(self, condition: str, timeout: float) -> float:
        started = time.monotonic()
        done = self.floe("wait", "--for", condition, "--timeout", f"{timeout:g}s", timeout=timeout + 10)
        if done.returncode:
            self._alive()
            raise LabError(f"floe wait --for {condition} on {self.name}: exit {done.returncode} after "
                           f"{time.monotonic() - started:.1f} s: {done.stderr.strip()}; {self.status()['peers']}")
        return time.monotonic() - started

    def wait_up(self, other: "Daemon", timeout: float = LINK_TIMEOUT) -> float:
        """Wait until the link carries data; the seconds it took."""
        return self._wait(f"peer={other.name}", timeout)

    def wait_direct(self, other: "Daemon", timeout: float = LINK_TIMEOUT) -> float:
        return self._wait(f"direct={other.name}", timeout)

    def rendezvous_state(self) -> str:
        return self.status()["rendezvous"][0]["state"]

    def ping(self, other: "Daemon", count: int = 1, timeout: float = 2) -> float | None:
        """Mean round trip in ms through the tunnel, or None if nothing came back."""
        return self.host.ping(other.address, count, timeout)

    def wait_ping(self, other: "Daemon", timeout: float = LINK_TIMEOUT) -> float:
        """Ping until an answer comes, also while the interface is yet to appear; the seconds it took."""
        started = time.monotonic()
        wait_until(lambda: not self.host.run(["ping", "-n", "-q", "-i", "0.02", "-c", 1, "-w", 1, other.address]).returncode,
                   timeout, what=f"an answer to pings from {self} to {other}")
        return time.monotonic() - started

    def socket(self, port: int, kind=socket.SOCK_STREAM) -> socket.socket:
        """A socket of the host, bound to the inner address."""
        sock = self.host.socket(kind=kind)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((self.address, port))
        return sock

    # Cost

    def rss_mib(self) -> float:
        text = Path(f"/proc/{self.proc.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.proc.pid)


@dataclass
class FloeLab:
    """A laboratory with at most one rendezvous and one relay, and any number of daemons."""

    lab: Lab = field(default_factory=Lab)
    rendezvous: Rendezvous | None = None
    turn: Turn | None = None
    daemons: list[Daemon] = field(default_factory=list)

    def __enter__(self) -> "FloeLab":
        return self

    def __exit__(self, *_) -> None:
        self.lab.close()

    def start_rendezvous(self, name: str = "rendezvous", **kw) -> Rendezvous:
        """kw: port, ipv6 (serve on both families)."""
        self.rendezvous = Rendezvous(self.lab.server(name), **kw)
        return self.rendezvous

    def start_relay(self, name: str = "relay") -> Turn:
        """A coturn; it answers STUN as well, from an address that is not the rendezvous'."""
        self.turn = self.lab.server(name).coturn()
        return self.turn

    def daemon(self, host: Node, name: str | None = None) -> Daemon:
        daemon = Daemon(self, host, name or host.name, len(self.daemons) + 1)
        self.daemons.append(daemon)
        return daemon

    def dead_server(self, name: str = "dead") -> Server:
        """A server whose address is right and that swallows all it is sent."""
        server = self.lab.server(name)
        server.block()
        return server

    @staticmethod
    def link(a: Daemon, b: Daemon) -> None:
        """Make each a peer of the other. Before they start."""
        a.add_peer(b)
        b.add_peer(a)

    def keep(self, where: Path) -> None:
        """Copy logs, captures, configurations and what the daemons last said of themselves."""
        for daemon in self.daemons:
            with contextlib.suppress(Exception):
                (daemon.dir / "status.json").write_text(json.dumps(daemon.status(), indent=1))
        shutil.rmtree(where, ignore_errors=True)
        where.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(self.lab.dir, where, ignore=shutil.ignore_patterns("*.sock", "lock", "key", "*.password", "*.key"))


@dataclass
class Pair:
    """Two daemons on two sites that are each other's peer."""

    net: FloeLab
    a: Daemon
    b: Daemon

    def start(self) -> "Pair":
        self.a.start()
        self.b.start()
        return self

    def wait_direct(self) -> "Pair":
        self.a.wait_direct(self.b)
        self.b.wait_direct(self.a)
        return self

    @property
    def both(self) -> list[tuple[Daemon, Daemon]]:
        return [(self.a, self.b), (self.b, self.a)]


def two_sites(net: FloeLab, kind_a: str = "eim_apdf", kind_b: str = "eim_apdf", relay: bool = True) -> Pair:
    """A rendezvous, a relay, and two sites with a host and a daemon each; the daemons are not started."""
    net.start_rendezvous()
    if relay:
        net.start_relay()
    a = net.daemon(net.lab.site("site_a", kind_a).host("a"))
    b = net.daemon(net.lab.site("site_b", kind_b).host("b"))
    net.link(a, b)
    return Pair(net, a, b)


def host_state(node: Node) -> str:
    """What a program could leave behind on a host: interfaces, addresses, routes, rules, firewall."""
    questions = ("ip -o link", "ip -o addr", "ip route show table all", "ip -6 route show table all", "ip rule",
                 "ip -6 rule", "nft list ruleset")
    text = "\n".join(f"$ {question}\n{node.run(question).stdout}" for question in questions)
    # Lifetimes count down, and statistics move, by themselves.
    return re.sub(r"(valid_lft|preferred_lft|expires) \S+", r"\1", text)
