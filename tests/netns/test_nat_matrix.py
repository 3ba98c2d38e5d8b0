"""Every kind of network against every other: always linked, and directly where, and only where, the oracle says so."""
import concurrent.futures
import itertools
import socket
import threading
import time
from dataclasses import dataclass

from harness import Daemon, FloeLab, LabError, wait_until
from lab import Host, Site
from oracle import NETWORKS, expected, expected_behind_one_nat
from run import case, expect, say

NATS = ["none", "eim_eif", "eim_adf", "eim_apdf", "symmetric", "cgnat", "cgnat_eim"]

# How the laboratory makes the other networks of the oracle: a type of site, and what is changed in it.
CONDITIONS = {
    "udp_blocked": ("udp_blocked", {}),
    "open_udp_blocked": ("none", {}),
    "tcp443_only": ("tcp443_only", {}),
    "ipv6_only": ("ipv6_only", {}),
    "fw_only_ipv6": ("fw_only_ipv6", {}),
    "dual_stack": ("dual_stack", {}),
    "hard_dual_stack": ("dual_stack", {"v4": "symmetric"}),
    "broken_ipv4": ("dual_stack", {"egress": "meta nfproto ipv6"}),
    "broken_ipv6": ("dual_stack", {"egress": "meta nfproto ipv4"}),
    "mapped": ("symmetric", {}),
}
EASY, HARD = "eim_apdf", "symmetric"
LIMIT = 60  # seconds; ends a wait that is hopeless
BLOCK = bytes(range(256)) * 512  # what is sent each way, over TCP through the tunnel


@dataclass
class Row:
    """Two daemons, what they must find, and what they found."""

    name: str
    a: Daemon
    b: Daemon
    wanted: str
    reason: str
    found: str = "-"
    linked_ms: float | None = None
    direct_ms: float | None = None

    def ends(self) -> list[tuple[Daemon, Daemon]]:
        return [(self.a, self.b), (self.b, self.a)]

    def classes(self) -> list[str]:
        return [class_of(here.path(there)) for here, there in self.ends()]

    def measure(self) -> None:
        """What is found, and the times of the end that was started later, which are the shorter ones."""
        self.found = f"{self.a.describe(self.b)}, {self.a.path(self.b)['transport']}"
        for key in ("first_path", "direct"):
            took = [here.peer(there)["connect_ms"][key] for here, there in self.ends()]
            value = min((ms for ms in took if ms is not None), default=None)
            setattr(self, "linked_ms" if key == "first_path" else "direct_ms", value)


def class_of(path: dict) -> str:
    if path["kind"] != "direct":
        return path["kind"]
    if path["transport"] == "tcp":
        return "tcp"
    return "host" if path["local_type"] == path["remote_type"] == "host" else "reflexive"


def transfer(source: Daemon, sink: Daemon) -> None:
    """Bytes over TCP through the tunnel, which arrive as they were."""
    received = bytearray()
    with sink.socket(0) as listener, source.socket(0) as client:
        listener.listen(1)
        for sock in (listener, client):
            sock.settimeout(20)
        client.connect(listener.getsockname())
        with listener.accept()[0] as server:
            server.settimeout(20)
            sending = threading.Thread(target=lambda: (client.sendall(BLOCK), client.shutdown(socket.SHUT_WR)))
            sending.start()
            while data := server.recv(65536):
                received += data
            sending.join()
    expect(received == BLOCK, f"{len(received)} bytes came from {source} to {sink}, of {len(BLOCK)}, or others than were sent")


def check(row: Row) -> None:
    with case(row.name) as note:
        try:
            for here, there in row.ends():
                here.wait_up(there, LIMIT)
            wait_until(lambda: set(row.classes()) == {row.wanted}, LIMIT if row.wanted != "relay" else 5,
                       what=f"both ends of {row.name} to be {row.wanted} ({row.reason})")
        except LabError as error:
            raise LabError(f"{error}; " + "; ".join(f"{here}: {here.path(there)}" for here, there in row.ends())) from None
        finally:
            row.measure()
        for here, there in row.ends():
            expect(here.ping(there, count=2) is not None, f"no answer to pings from {here} to {there}")
            transfer(here, there)
        note(row.found)


def conclude(rows: list[Row], settle: float = 0) -> None:
    """All are still as they were found, so none has gone direct that should not, nor lost what it had. The table."""
    time.sleep(settle)
    with case("none has changed since"):
        changed = [f"{row.name} is {row.classes()} and not {row.wanted}" for row in rows if set(row.classes()) != {row.wanted}]
        expect(not changed, "; ".join(changed))
    say(f"{'networks':36} {'expected':10} {'linked ms':>9} {'direct ms':>9}  found")
    for row in rows:
        linked, direct = (f"{ms:.0f}" if ms is not None else "-" for ms in (row.linked_ms, row.direct_ms))
        say(f"{row.name:36} {row.wanted:10} {linked:>9} {direct:>9}  {row.found}")


def make_row(net: FloeLab, name: str, a: Daemon, b: Daemon, wanted: tuple[str, str]) -> Row:
    net.link(a, b)
    return Row(name, a, b, *wanted)


def start_servers(net: FloeLab) -> None:
    """All that is needed is to be had at port 443 as well, and in both families."""
    net.start_rendezvous(port=443, ipv6=True)
    net.start_relay()


def daemon(net: FloeLab, host: Host) -> Daemon:
    made = net.daemon(host)
    made.env["SSL_CERT_FILE"] = str(net.turn.ca)
    made.relay_urls = net.turn.uris[:3] * bool(host.ip4) + net.turn.uris[3:] * bool(host.ip6)
    return made


def make_site(net: FloeLab, name: str, kind: str) -> Site:
    base, change = CONDITIONS.get(kind, (kind, {}))
    site = net.lab.site(name, base, **change)
    if kind == "open_udp_blocked":
        site.block(proto="udp")
    if kind == "mapped":
        site.port_mapper()
    return site


def test_every_nat(net: FloeLab) -> None:
    """One of each type on either side, all at once: each daemon has several peers, as in life."""
    start_servers(net)
    left, right = ({kind: daemon(net, make_site(net, f"{side}_{kind}", kind).host(f"{side}_{kind}_host")) for kind in NATS}
                   for side in ("l", "r"))
    rows = [make_row(net, f"{a} x {b}", left[a], right[b], expected(NETWORKS[a], NETWORKS[b]))
            for a, b in itertools.combinations_with_replacement(NATS, 2)]
    for one in net.daemons:
        one.start(ready=False)
    for one in net.daemons:
        one.wait_ready(30)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(check, rows))
    conclude(rows)


def test_every_condition(net: FloeLab) -> None:
    """Each against an easy NAT, a hard one, and itself; one condition after the other, so that the times mean something."""
    start_servers(net)
    others = {kind: daemon(net, make_site(net, kind, kind).host(f"host_{kind}")) for kind in (EASY, HARD, "none")}
    rows = {}
    for kind in CONDITIONS:
        a, b = (daemon(net, make_site(net, f"{side}_{kind}", kind).host(f"{side}_{kind}_host")) for side in ("l", "r"))
        peers = [(EASY, others[EASY]), (HARD, others[HARD]), (kind, b)]
        if "udp_blocked" in kind:
            peers.append(("none", others["none"]))
        rows[kind] = [make_row(net, f"{kind} x {other}", a, peer, expected(NETWORKS[kind], NETWORKS[other]))
                      for other, peer in peers]
    for one in others.values():
        one.start()
    for kind in CONDITIONS:
        for one in {row.b for row in rows[kind]} - set(others.values()) | {rows[kind][0].a}:
            one.start(ready=False)
        for row in rows[kind]:
            for one in (row.a, row.b):
                one.wait_ready(30)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(check, rows[kind]))
    conclude([row for kind in CONDITIONS for row in rows[kind]])


def test_one_nat(net: FloeLab) -> None:
    """Two behind the same router: on one LAN, kept apart on it as guests are, and in two homes of one carrier."""
    start_servers(net)
    rows = []

    def add(name: str, a: Host, b: Host, same_lan: bool, hairpin: bool) -> None:
        rows.append(make_row(net, name, daemon(net, a), daemon(net, b), expected_behind_one_nat(same_lan, hairpin)))

    for kind in ("eim_apdf", "udp_blocked"):
        site = net.lab.site(f"lan_{kind}", kind)
        add(f"one LAN, {kind}", site.host(f"{kind}_1"), site.host(f"{kind}_2"), True, False)
    for hairpin in (False, True):
        word = "hairpin" if hairpin else "no_hairpin"
        site = net.lab.site(f"apart_{word}", "eim_apdf", hairpin=hairpin)
        guests = [site.host(f"guest_{word}_{number}") for number in (1, 2)]
        for guest in guests:
            site.run(["bridge", "link", "set", "dev", guest.face.port, "isolated", "on"], check=True)
        add(f"one NAT, kept apart, {word}", *guests, False, hairpin)
        carrier = net.lab.carrier(f"carrier_{word}", "eim_apdf", hairpin=hairpin)
        homes = [net.lab.site(f"home_{word}_{number}", "eim_apdf", carrier).host(f"in_home_{word}_{number}") for number in (1, 2)]
        add(f"two homes of one carrier, {word}", *homes, False, hairpin)
    for one in net.daemons:
        one.start(ready=False)
    for one in net.daemons:
        one.wait_ready(30)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(check, rows))
    conclude(rows, settle=5)
