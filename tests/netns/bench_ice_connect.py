"""How long ICE takes to connect, floe-ice beside libnice and aioice: from when both ends have each other's credentials."""
import statistics

from harness import FloeLab
from interop import Agent, Signaling
from run import say

RUNS = 20  # of each stack; run.py -n changes it
STACKS = ("floe", "nice", "aioice")


def one_run(a, b, kind: str, args, trickle: bool = False, env=None) -> float:
    """Milliseconds until both ends may send."""
    ends = [Agent(a, kind, "controlling", *args, env=env), Agent(b, kind, "controlled", *args, env=env)]
    try:
        for end in ends if not trickle else []:
            # Gathering is not what is measured; all candidates go with the credentials.
            end.wait(lambda self: self.values("end-of-candidates"), 20, "end-of-candidates")
        signaling = Signaling(*ends)
        linked = max(end.wait_linked(30) for end in ends)
        return (linked - max(signaling.told.values())) * 1000
    finally:
        for end in ends:
            end.close()


def say_row(name: str, took: list[float]) -> None:
    took = sorted(took)
    p95 = took[min(len(took) - 1, round(0.95 * len(took)))]
    say(f"{name:26} {statistics.median(took):7.0f} {p95:7.0f} {len(took):5}")


def table(net: FloeLab, a, b, args=()) -> str:
    say(f"{'ms':26} {'p50':>7} {'p95':>7} {'runs':>5}")
    for kind in STACKS:
        say_row(kind, [one_run(a, b, kind, args) for _ in range(RUNS)])
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


def bench_trouble(net: FloeLab) -> str:
    """floe-ice between the same two NATs, beside the same with something that does not work. Candidates go as they are
    found, so the time is that from the credentials to the link, with all that is gathered meanwhile."""
    turn, dead = net.start_relay(), net.dead_server()
    for server in (turn.server, dead):
        net.lab.link(server, delay_ms=10)
    good, silent = turn.stun_uri.removeprefix("stun:"), f"{dead.ip}:3478"
    login = ["--turn-user", turn.user, "--turn-pass", turn.password]
    relay = [word for uri in turn.uris[:3] for word in ("--turn", uri)] + login
    rows = {"nothing wrong": ("eim_apdf", {}, ["--stun", good]),
            "a dead STUN server": ("eim_apdf", {}, ["--stun", silent, "--stun", good]),
            "a dead TURN server": ("eim_apdf", {}, ["--stun", good, "--turn", f"turn:{silent}?transport=udp", *login]),
            "IPv6 that leads nowhere": ("dual_stack", {"egress": "meta nfproto ipv4"}, ["--stun", good]),
            "UDP blocked, to relays": ("udp_blocked", {}, ["--stun", good, *relay])}
    say(f"{'ms':26} {'p50':>7} {'p95':>7} {'runs':>5}")
    for number, (name, (kind, change, args)) in enumerate(rows.items()):
        a, b = (net.lab.site(f"site_{end}{number}", kind, **change).host(f"{end}{number}") for end in "ab")
        for host in (a, b):
            net.lab.link(host.site, delay_ms=10)
        env = {"SSL_CERT_FILE": str(turn.ca)}
        say_row(name, [one_run(a, b, "floe", args, trickle=True, env=env) for _ in range(RUNS)])
    return f"{RUNS} runs of each"
