"""Port prediction: a hard NAT against an easy one, where both ends want it."""
import time

from harness import Daemon, FloeLab, Pair, two_sites
from run import expect, measured, say


def start(net: FloeLab, a: bool = True, b: bool = True) -> Pair:
    pair = two_sites(net, "symmetric", "eim_apdf")
    for daemon, wanted in (pair.a, a), (pair.b, b):
        daemon.sections["paths"] = {"port_prediction": wanted, "portmap": []}
    return pair.start()


def counters(daemon: Daemon) -> dict:
    return daemon.status()["node"]["port_prediction"]


def test_goes_direct_within_a_minute(net: FloeLab) -> None:
    pair = start(net)
    pair.a.wait_up(pair.b)
    expect(pair.a.path(pair.b)["kind"] == "relay", "direct at once: there was nothing to predict")
    started = time.monotonic()
    pair.a.wait_direct(pair.b, 70)  # Long enough for a second attempt; that both miss has a chance of 1 in 2,500.
    pair.b.wait_direct(pair.a, 10)
    say(measured("direct after", time.monotonic() - started, 60) + f": {counters(pair.a)}, {counters(pair.b)}")
    expect(pair.a.ping(pair.b, 5) is not None, "no ping passes")
    expect(counters(pair.a)["attempts"] <= 2 and counters(pair.b)["attempts"] <= 2, "more than two attempts")
    expect(counters(pair.a)["probes"] <= 2 * 258 and counters(pair.b)["probes"] <= 2 * 1024, "more probes than allowed")
    sockets = pair.a.host.run(["ss", "-Hunlp"]).stdout.splitlines()
    own = [line for line in sockets if f"pid={pair.a.proc.pid}," in line]
    expect(0 < len(own) <= 4, f"{len(own)} sockets are open:\n" + "\n".join(own))


def test_nothing_is_tried_unless_both_want_it(net: FloeLab) -> None:
    pair = start(net, b=False)
    pair.a.wait_up(pair.b)
    time.sleep(10)
    expect(pair.a.path(pair.b)["kind"] == "relay", "direct all the same")
    expect(counters(pair.a)["probes"] == 0 and counters(pair.b) is None, f"{counters(pair.a)}, {counters(pair.b)}")
