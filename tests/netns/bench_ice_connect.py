"""How long ICE takes to connect, floe-ice beside libnice and aioice: from when both ends have each other's credentials."""
import statistics

from harness import FloeLab
from interop import Agent, Signaling
from run import say

RUNS = 20  # of each stack; run.py -n changes it
STACKS = ("floe", "nice", "aioice")


def one_run(a, b, kind: str, args) -> float:
    """Milliseconds until both ends may send."""
    ends = [Agent(a, kind, "controlling", *args), Agent(b, kind, "controlled", *args)]
    try:
        for end in ends:
            # Gathering is not what is measured; all candidates go with the credentials.
            end.wait(lambda self: self.values("end-of-candidates"), 20, "end-of-candidates")
        signaling = Signaling(*ends)
        linked = max(end.wait_linked(30) for end in ends)
        return (linked - max(signaling.told.values())) * 1000
    finally:
        for end in ends:
            end.close()


def table(net: FloeLab, a, b, args=()) -> str:
    say(f"{'ms':8} {'p50':>7} {'p95':>7} {'runs':>5}")
    for kind in STACKS:
        took = sorted(one_run(a, b, kind, args) for _ in range(RUNS))
        p95 = took[min(len(took) - 1, round(0.95 * len(took)))]
        say(f"{kind:8} {statistics.median(took):7.0f} {p95:7.0f} {len(took):5}")
    return f"{RUNS} runs of each"


def bench_one_lan(net: FloeLab) -> str:
    site = net.lab.site("lan", "eim_apdf")
    return table(net, site.host("a"), site.host("b"))


def bench_two_nats(net: FloeLab) -> str:
    """Port-restricted NATs, 10 ms each way on every line to the internet: 40 ms from site to site and back."""
    turn = net.start_relay()
    a, b = (net.lab.site(name, "eim_apdf") for name in ("site_a", "site_b"))
    for node in (a, b, turn.server):
        net.lab.link(node, delay_ms=10)
    return table(net, a.host("a"), b.host("b"), ["--stun", turn.stun_uri.removeprefix("stun:")])
