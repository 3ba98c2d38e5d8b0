"""What floed says to bad input: one clear line, the right exit code, and nothing left behind."""
import base64
import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from harness import FLOED, Daemon, FloeLab, Rendezvous, host_state, make_key, section, wait_until, write_secret
from run import case, expect, say

FAILED, USAGE_OR_CONFIG, NOT_PERMITTED = 1, 2, 4


@dataclass
class Setup:
    """A daemon whose configuration is good, to be spoiled in one way at a time."""

    daemon: Daemon
    peer: str  # its [[peer]] section
    other_key: str
    before: str  # the host's state

    def run(self, text: str, argv: list | None = None) -> subprocess.CompletedProcess:
        self.daemon.config_file.write_text(text)
        try:
            return self.daemon.host.run(argv or self.daemon.argv, timeout=10)
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"it runs on: {(error.stderr or b'').decode()[-500:]}") from None

    def refuse(self, done: subprocess.CompletedProcess, code: int, *words: str) -> str:
        """Check what every refusal has in common; the line it said."""
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        # What it logs below error on its way is not the message.
        lines = [line for line in lines if not any(f" {level} " in line for level in ("trace", "debug", "info"))]
        expect(done.returncode == code, f"exit code {done.returncode}, wanted {code}: {done.stderr}")
        expect(len(lines) == 1, f"{len(lines)} lines where one was wanted: {done.stderr}")
        for word in words:
            expect(word in lines[0], f"{word!r} is not in: {lines[0]}")
        expect(self.daemon.private_key not in done.stdout + done.stderr, "the private key is in the message")
        expect(host_state(self.daemon.host) == self.before, f"left behind: {host_state(self.daemon.host)}")
        expect(not self.daemon.socket_file.exists(), "left its control socket")
        return lines[0]


def prepare(net: FloeLab) -> Setup:
    host = net.lab.site("home", "none").host("pc")
    daemon = net.daemon(host)
    _, other_key = make_key()
    peer = section("[[peer]]", name="b", public_key=other_key, allowed_ips=["10.71.0.2/32"])
    return Setup(daemon, peer, other_key, host_state(host))


def test_bad_configurations(net: FloeLab) -> None:
    setup = prepare(net)
    good, peer, where = setup.daemon.config(), setup.peer, setup.daemon.config_file.name
    second = section("[[peer]]", name="c", public_key=make_key()[1], allowed_ips=["10.71.0.2/31"])
    lines = good.splitlines()
    key_line = next(number for number, line in enumerate(lines, 1) if line.startswith("private_key_file"))
    bad = {  # name: (text, words that the message must hold)
        "unknown key": (good.replace("[node]\n", "[node]\nlisten_prot = 1\n", 1),
                        (f"{where}:2:", "listen_prot", "listen_port")),
        "unknown section": (good + "\n[ndoe]\n", ("ndoe",)),
        "wrong type": (good.replace("[node]\n", '[node]\nlisten_port = "many"\n', 1), (f"{where}:2:", "listen_port")),
        "number out of range": (good.replace("[node]\n", "[node]\nlisten_port = 70000\n", 1), (f"{where}:2:", "listen_port")),
        "not TOML": (good + "\n[[peer]\n", (f"{where}:",)),
        "bad base64": (good + peer.replace(setup.other_key, "not!base64" + setup.other_key[10:]), ("public_key",)),
        "key of the wrong length": (good + peer.replace(setup.other_key, base64.b64encode(bytes(31)).decode()), ("public_key",)),
        "own key as a peer": (good + peer.replace(setup.other_key, setup.daemon.public_key), ("public_key",)),
        "peer without a key": (good + '[[peer]]\nname = "b"\n', ("public_key",)),
        "bad prefix": (good + peer.replace("10.71.0.2/32", "10.71.0.2/33"), ("allowed_ips", "10.71.0.2/33")),
        "overlapping allowed_ips": (good + peer + second, ("allowed_ips", "10.71.0.2/31")),
        "the same peer twice": (good + peer + peer, (f"{where}:",)),
        "bad URL": (good + '[rendezvous]\nurls = ["http//nowhere"]\n', ("urls",)),
        "missing key file": (good.replace('"key"', '"no-such-file"'), (f"{where}:{key_line}:", "private_key_file", "no-such-file")),
    }
    for name, (text, words) in bad.items():
        with case(name) as note:
            note(setup.refuse(setup.run(text), USAGE_OR_CONFIG, *words))

    with case("key file that others may read") as note:
        (setup.daemon.dir / "key").chmod(0o644)
        note(setup.refuse(setup.run(good), USAGE_OR_CONFIG, "private_key_file", "chmod 600"))
        (setup.daemon.dir / "key").chmod(0o600)
    with case("key file without a key") as note:
        write_secret(setup.daemon.dir / "empty", "")
        note(setup.refuse(setup.run(good.replace('"key"', '"empty"')), USAGE_OR_CONFIG, "private_key_file"))
    with case("password file that others may read") as note:
        write_secret(setup.daemon.dir / "password", "secret").chmod(0o644)
        relay = section("[[relay]]", urls=["turn:198.51.100.10:3478"], username="u", password_file="password")
        note(setup.refuse(setup.run(good + relay), USAGE_OR_CONFIG, "password_file", "chmod 600"))
    with case("no configuration file") as note:
        argv = [FLOED, "--config", setup.daemon.dir / "nothing.toml"]
        note(setup.refuse(setup.run(good, argv), USAGE_OR_CONFIG, "nothing.toml"))
    with case("the configuration was good all along"):
        setup.daemon.start()
        setup.daemon.stop()


def test_bad_arguments(net: FloeLab) -> None:
    setup = prepare(net)
    for name, argv in {"unknown option": ["--bogus"], "option without its value": ["--config"], "stray word": ["run"]}.items():
        with case(name):
            done = setup.run("", [FLOED, *argv])
            expect(done.returncode == USAGE_OR_CONFIG, f"exit code {done.returncode}: {done.stderr}")
            expect(done.stderr.strip() and not done.stdout.strip(), f"stderr: {done.stderr!r}, stdout: {done.stdout!r}")
    with case("--help"):
        done = setup.run("", [FLOED, "--help"])
        expect(done.returncode == 0 and "--config" in done.stdout, f"exit code {done.returncode}: {done.stdout}{done.stderr}")


def for_nobody(net: FloeLab, daemon: Daemon) -> list:
    """A copy of the program and its files for the user nobody, who may see neither the checkout nor root's files."""
    home = net.lab.dir / "nobody"
    shutil.copytree(daemon.dir, home, ignore=shutil.ignore_patterns("*.sock"))
    shutil.copy(FLOED, home / "floed")
    for path in [home, *home.rglob("*")]:
        os.chown(path, 65534, 65534)
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", home / "floed", "--config", home / "floe.toml",
            "--state-dir", home / "state", "--socket", home / "floe.sock"]


def test_a_machine_that_refuses(net: FloeLab) -> None:
    setup = prepare(net)
    daemon, good = setup.daemon, setup.daemon.config()
    daemon.config_file.write_text(good)

    with case("port in use") as note:
        with daemon.host.socket(socket.AF_INET6, bind=("::", 41820)):
            note(setup.refuse(setup.run(good), FAILED, "41820"))
    with case("no /dev/net/tun") as note:
        hide = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /dev/net && exec "$@"', "sh"]
        note(setup.refuse(setup.run(good, [*hide, *daemon.argv]), FAILED, "/dev/net/tun"))
    with case("root without CAP_NET_ADMIN") as note:
        drop = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"]
        note(setup.refuse(setup.run(good, [*drop, *daemon.argv]), NOT_PERMITTED, "CAP_NET_ADMIN"))
    with case("the user nobody") as note:
        note(setup.refuse(setup.run(good, for_nobody(net, daemon)), NOT_PERMITTED, "CAP_NET_ADMIN"))
        expect(not (net.lab.dir / "nobody/floe.sock").exists(), "left its control socket")
    with case("socket in a directory that is not there") as note:
        argv = [*daemon.argv[:5], "--socket", daemon.dir / "nowhere/floe.sock"]
        note(setup.refuse(setup.run(good, argv), FAILED, "nowhere/floe.sock"))
    with case("a second floed with the same socket") as note:
        daemon.start()
        done = daemon.host.run(daemon.argv, timeout=10)
        expect(done.returncode == FAILED, f"exit code {done.returncode}: {done.stderr}")
        expect(daemon.status()["node"]["name"] == daemon.name, "the first daemon is harmed")
        note(done.stderr.strip().splitlines()[-1])
        daemon.stop()


def complaints(log: Path, address: str) -> list[str]:
    """The lines at warn or above, or at info, that name an address."""
    return [line for line in log.read_text().splitlines()
            if address in line and not any(f" {level} " in line for level in ("trace", "debug"))]


def test_a_rendezvous_that_is_not_there(net: FloeLab) -> None:
    daemon = net.daemon(net.lab.site("home", "eim_apdf").host("pc"))
    server = net.lab.server("later")
    daemon.sections["rendezvous"] = {"urls": [f"ws://{server.ip}:8080"]}
    daemon.start()

    with case("the daemon runs on and says so in its status"):
        wait_until(lambda: daemon.rendezvous_state() != "connected", 10, what="the status to tell")
        time.sleep(8)  # long enough for several tries
        expect(daemon.proc.poll() is None, "the daemon has ended")
        expect(daemon.rendezvous_state() != "connected", daemon.status()["rendezvous"])
    with case("it says so once in its log") as note:
        lines = complaints(daemon.proc.log, server.ip)
        expect(len(lines) == 1, f"{len(lines)} lines: {lines}")
        note(lines[0])
    with case("it connects when the rendezvous appears"):
        started = time.monotonic()
        Rendezvous(server)
        wait_until(lambda: daemon.rendezvous_state() == "connected", 70, what="the daemon to connect")
        say(f"connected {time.monotonic() - started:.1f} s after the rendezvous appeared")
    with case("and ends politely"):
        daemon.stop()
