"""How long two machines need to be linked: from the start of the second daemon to the first answered ping."""
import statistics
import time

from harness import Daemon, FloeLab, two_sites
from run import say

RUNS = 20  # -n changes it


def one_run(a: Daemon, b: Daemon) -> float:
    """Milliseconds from the start of b to the first answer to a's pings, which are 10 ms apart."""
    ping = a.host.popen(["ping", "-n", "-q", "-i", "0.01", "-c", 1, "-w", 30, b.address])
    time.sleep(0.2)
    started = time.monotonic()
    b.start(ready=False)
    answered = ping.wait(40) == 0
    took = (time.monotonic() - started) * 1000
    b.wait_direct(a)
    b.stop()
    return took if answered else float("nan")


def run_many(what: str, a: Daemon, b: Daemon) -> str:
    a.start()
    time.sleep(1)
    took = []
    for _ in range(RUNS):
        took.append(one_run(a, b))
        time.sleep(0.5)
    answered = sorted(value for value in took if value == value)
    if not answered:
        return f"{what}: none of {RUNS} runs linked"
    p95 = answered[min(len(answered) - 1, round(0.95 * len(answered)))]
    say("ms: " + " ".join(f"{value:.0f}" for value in took))
    return f"{what}: p50 {statistics.median(answered):.0f} ms, p95 {p95:.0f} ms, {len(answered)} of {RUNS} runs"


def bench_two_sites(net: FloeLab) -> str:
    """40 ms from anywhere to anywhere: 10 ms each way on every line to the internet."""
    pair = two_sites(net)
    for name in ("site_a", "site_b", "rendezvous", "relay"):
        net.lab.link(net.lab.nodes[name], delay_ms=10)
    return run_many("port-restricted NATs, 40 ms round trip", pair.a, pair.b)


def bench_relay_only(net: FloeLab) -> str:
    pair = two_sites(net, "symmetric", "symmetric")
    for name in ("site_a", "site_b", "rendezvous", "relay"):
        net.lab.link(net.lab.nodes[name], delay_ms=10)
    for daemon, _ in pair.both:
        daemon.wait_direct = daemon.wait_up  # there is no direct path to wait for
    return run_many("symmetric NATs, through the relay, 40 ms round trip", pair.a, pair.b)


def bench_one_lan(net: FloeLab) -> str:
    net.start_rendezvous()
    site = net.lab.site("lan", "eim_apdf")
    net.lab.link(site, delay_ms=10)
    a, b = net.daemon(site.host("a")), net.daemon(site.host("b"))
    net.link(a, b)
    return run_many("two hosts of one LAN", a, b)
