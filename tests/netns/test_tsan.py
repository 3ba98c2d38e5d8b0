"""Packet threads under ThreadSanitizer: two-way load while sessions, paths, addresses and peers change, and no data race.

Its programs come from the preset `tsan`: `tests/run.sh tsan` builds them and points FLOE_BIN there.
"""
import itertools
import json
import signal
import threading
import time
from datetime import datetime

from harness import FLOED, Daemon, FloeLab, make_key, peer_section, section, two_sites, wait_until
from run import Skip, case, expect
from test_reload import reload
from transfer import both_ways

SECONDS = 140  # a session is followed by another after 120
MEGABYTES = 5  # each way at a time: seconds, with the sanitizer
SLOW = 60  # seconds; the sanitizer makes all about ten times as slow
OPTIONS = "halt_on_error=0:exitcode=66:history_size=4"


class Worker:
    """Does one thing again and again until it is told to end, or it fails."""

    def __init__(self, step, pause: float = 0):
        self.step, self.pause, self.count, self.error = step, pause, 0, None
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            while not self.ending.is_set():
                self.step()
                self.count += 1
                self.ending.wait(self.pause)
        except Exception as error:  # Told by end().
            self.error = error

    def end(self, at_least: int) -> str:
        self.ending.set()
        self.thread.join()
        if self.error:
            raise self.error
        expect(self.count >= at_least, f"done {self.count} times, wanted: {at_least}")
        return f"{self.count} times"


def reloader(a: Daemon, b: Daemon, c: Daemon):
    """A function that gives the next set of peers to a daemon: b goes on, with other addresses at times."""
    always, more = peer_section(b), peer_section(b, allowed_ips=[f"{b.address}/32", "10.72.0.0/24"])
    strangers = [section("[[peer]]", name=f"stranger{number}", public_key=make_key()[1], allowed_ips=[f"10.73.{number}.0/24"])
                 for number in range(3)]
    sets = itertools.cycle([[always, peer_section(c)], [peer_section(c, allowed_ips=[f"{c.address}/32", "10.74.0.0/24"]), always],
                            [more, *strangers], [strangers[0], always], [always]])

    def step() -> None:
        a.peers = next(sets)
        reload(a)
    return step


def handshake_of(daemon: Daemon, other: Daemon) -> datetime:
    return datetime.fromisoformat(daemon.peer(other)["latest_handshake"])


def ask_status(daemons: list[Daemon]) -> None:
    for daemon in daemons:
        done = daemon.floe("status", "-d", "--json")
        expect(not done.returncode, f"floe status on {daemon}: exit {done.returncode}: {done.stderr}")
        json.loads(done.stdout)


def change_paths(net: FloeLab, a: Daemon, b: Daemon, until: float) -> int:
    """Direct, relayed, direct, from another address, from another network, and again; how often the path was another."""
    sites = itertools.cycle([net.lab.site("other", "eim_apdf"), a.host.site])
    changes = 0
    while time.monotonic() < until:
        here = a.host.site
        here.block(ip=b.host.site.public_ip)
        wait_until(lambda: a.path(b)["kind"] == "relay", SLOW, 0.5, what="the relay to take over")
        time.sleep(3)
        here.unblock()
        wait_until(lambda: a.path(b)["kind"] == "direct", SLOW, 0.5, what="the direct path")
        time.sleep(3)
        a.host.readdress()
        time.sleep(5)
        a.host.roam(next(sites))
        time.sleep(3)
        wait_until(lambda: a.path(b)["kind"] == "direct", SLOW, 0.5, what="a direct path from the other network")
        changes += 4
    return changes


def test_no_data_races(net: FloeLab) -> None:
    if b"__tsan_init" not in FLOED.read_bytes():
        raise Skip(f"{FLOED} was built without ThreadSanitizer: tests/run.sh tsan")
    pair = two_sites(net)
    a, b = pair.a, pair.b
    c = net.daemon(net.lab.site("site_c", "eim_apdf").host("c"))
    c.add_peer(a)
    daemons = [a, b, c]
    for daemon in daemons:
        daemon.sections["tun"] = {"threads": 2}
        daemon.sections["log"]["level"] = "info"
        daemon.env = {"TSAN_OPTIONS": OPTIONS}
        daemon.start()
    with case("a link", vital=True):
        pair.wait_direct()
        expect(a.ping(b, 3, 5) is not None, "no answer")
    with case("load both ways while all changes") as note:
        first, until = handshake_of(a, b), time.monotonic() + SECONDS
        load = Worker(lambda: both_ways(a.host, a.address, b.host, b.address, MEGABYTES * 1_000_000))
        config = Worker(reloader(a, b, c), pause=1)
        status = Worker(lambda: ask_status(daemons), pause=0.2)
        pings = Worker(lambda: c.ping(a, 5, 1))
        try:
            note(f"{change_paths(net, a, b, until)} changes of the path")
        finally:
            ends = {"transfers": load, "reloads": config, "questions": status, "pings": pings}
            for worker in ends.values():
                worker.ending.set()
            for (name, worker), at_least in zip(ends.items(), (5, 40, 40, 40)):
                note(f"{name}: {worker.end(at_least)}")
        later = (handshake_of(a, b) - first).total_seconds()
        expect(later > 100, f"the latest session began only {later:.0f} s after the first")
        note(f"another session after {later:.0f} s")
    with case("no data race, and a clean end"):
        for proc in (*(daemon.proc for daemon in daemons), net.rendezvous.proc):
            proc.send_signal(signal.SIGTERM)
            status, text = proc.wait(SLOW), proc.log.read_text(errors="replace")
            expect("WARNING: ThreadSanitizer" not in text, text[text.find("WARNING: ThreadSanitizer"):])
            expect(status == 0, f"{proc.args[-1]} ended with {status}, see {proc.log}")
