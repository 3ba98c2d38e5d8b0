"""Every NAT type against every other: always linked, and direct wherever ICE can be."""
import concurrent.futures
import itertools

from harness import Daemon, FloeLab
from run import case, expect

TYPES = ["none", "eim_eif", "eim_adf", "eim_apdf", "symmetric", "cgnat"]

# A port that changes with every destination cannot be told to the other side in advance, and a filter that looks
# at ports lets in nothing else. cgnat is eim_apdf behind a symmetric carrier: it does both.
CHANGES_PORTS = {"symmetric", "cgnat"}
FILTERS_PORTS = {"eim_apdf", "symmetric", "cgnat"}


def needs_relay(a: str, b: str) -> bool:
    return (a in CHANGES_PORTS and b in FILTERS_PORTS) or (b in CHANGES_PORTS and a in FILTERS_PORTS)


def check(name: str, a: Daemon, b: Daemon, relayed: bool) -> None:
    with case(name) as note:
        for here, there in ((a, b), (b, a)):
            here.wait_up(there, 60)
        if not relayed:
            for here, there in ((a, b), (b, a)):
                here.wait_direct(there, 60)
        for here, there in ((a, b), (b, a)):
            expect(here.ping(there, count=5) is not None, f"no answer to pings from {here} to {there}")
            path = here.path(there)
            wanted = "relay" if relayed else "direct"
            expect(path["kind"] == wanted, f"{here} to {there} is {path}, which should be {wanted}")
        note(a.describe(b))


def test_matrix(net: FloeLab) -> None:
    """One of each type on either side, all at once: each daemon has several peers, as in life."""
    net.start_rendezvous()
    net.start_relay()
    left = {kind: net.daemon(net.lab.site(f"l_{kind}", kind).host(f"left_{kind}")) for kind in TYPES}
    right = {kind: net.daemon(net.lab.site(f"r_{kind}", kind).host(f"right_{kind}")) for kind in TYPES}
    lan = net.lab.site("lan", "eim_apdf")
    cases = [(f"{a} x {b}", left[a], right[b], needs_relay(a, b))
             for a, b in itertools.combinations_with_replacement(TYPES, 2)]
    cases.append(("two on one LAN", net.daemon(lan.host("lan_1")), net.daemon(lan.host("lan_2")), False))
    for _, a, b, _ in cases:
        net.link(a, b)
    for daemon in net.daemons:
        daemon.start(ready=False)
    for daemon in net.daemons:
        daemon.wait_ready(30)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda one: check(*one), cases))
