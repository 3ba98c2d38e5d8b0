"""How long two machines need to be linked: from the start of the second daemon to the first answered ping."""
import re
import statistics
import time

from harness import Daemon, FloeLab, Pair, two_sites, wait_until
from run import say

RUNS = 15  # -n changes it


def one_run(a: Daemon, b: Daemon, direct: bool) -> float:
    """Milliseconds from the start of b to the first answer to a's pings, which are 10 ms apart.

    a runs and is registered, and knows nothing of an earlier run."""
    a.start()
    wait_until(lambda: a.rendezvous_state() == "connected", what=f"{a} at the rendezvous")
    time.sleep(0.5)  # it has gathered what it can
    ping = a.host.popen(["ping", "-n", "-D", "-i", "0.01", "-c", 1, "-w", 30, b.address])
    time.sleep(0.2)
    started = time.time()
    b.start(ready=False)
    ping.wait(40)
    answer = re.search(r"^\[([\d.]+)\] \d+ bytes from", ping.log.read_text(), re.M)
    if direct:
        b.wait_direct(a)
    b.stop()
    a.stop()
    return (float(answer[1]) - started) * 1000 if answer else float("nan")


def run_many(what: str, a: Daemon, b: Daemon, direct: bool = True) -> str:
    took = [one_run(a, b, direct) for _ in range(RUNS)]
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
    return run_many("symmetric NATs, through the relay, 40 ms round trip", pair.a, pair.b, direct=False)


def bench_trouble(net: FloeLab) -> str:
    """As bench_two_sites, beside the same with something that does not work."""
    net.start_rendezvous()
    net.start_relay()
    dead = net.dead_server()
    for server in (net.rendezvous.server, net.turn.server, dead):
        net.lab.link(server, delay_ms=10)

    def pair(word: str, kind: str = "eim_apdf", **site) -> Pair:
        a, b = (net.daemon(net.lab.site(f"{word}_site_{end}", kind, **site).host(f"{word}_{end}")) for end in "ab")
        for one in (a, b):
            net.lab.link(one.host.site, delay_ms=10)
            one.env["SSL_CERT_FILE"] = str(net.turn.ca)
        net.link(a, b)
        return Pair(net, a, b)

    pairs = {"nothing wrong": pair("plain"), "a dead STUN server": pair("stun"), "a dead TURN server": pair("turn"),
             "IPv6 that leads nowhere": pair("ipv6", "dual_stack", egress="meta nfproto ipv4"),
             "UDP blocked at both, TCP to relays": pair("udp", "udp_blocked")}
    for one in (pairs["a dead STUN server"].a, pairs["a dead STUN server"].b):
        one.stun_urls = [f"stun:{dead.ip}:3478"]
    for one in (pairs["a dead TURN server"].a, pairs["a dead TURN server"].b):
        one.relay_urls = [f"turn:{dead.ip}:3478?transport=udp", f"turns:{dead.ip}:443?transport=tcp"]
    for one in (pairs["UDP blocked at both, TCP to relays"].a, pairs["UDP blocked at both, TCP to relays"].b):
        one.relay_urls = net.turn.uris[:3]
    for what, both in pairs.items():
        say(run_many(what, both.a, both.b, direct=not what.startswith("UDP")))
    return "40 ms round trip"


def bench_one_lan(net: FloeLab) -> str:
    return run_many("two hosts of one LAN", *one_lan(net))


def bench_one_lan_far_from_the_rendezvous(net: FloeLab) -> str:
    a, b = one_lan(net)
    net.lab.link(a.host.site, delay_ms=10)
    return run_many("two hosts of one LAN, 20 ms round trip to the rendezvous", a, b)


def one_lan(net: FloeLab) -> tuple[Daemon, Daemon]:
    net.start_rendezvous()
    site = net.lab.site("lan", "eim_apdf")
    a, b = net.daemon(site.host("a")), net.daemon(site.host("b"))
    net.link(a, b)
    return a, b
