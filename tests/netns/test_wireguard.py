"""A plain WireGuard device as the peer: wireguard-go on the other host, in every role and place that needs no ICE."""
import re
from contextlib import ExitStack
from dataclasses import dataclass

from harness import Daemon, FloeLab, floe, section, wait_until, write_secret
from lab import Host, Proc
from run import case, expect
from transfer import both_ways
from wireguard import PORT, WireGuard

FLOE_PORT = 41820
MEGABYTES = 512  # each way, which together is the gigabyte


@dataclass
class Link:
    """A floed and a wireguard-go that are each other's peer. Who is not told where the other is waits to be called."""

    daemon: Daemon
    plain: WireGuard

    def greet(self, first: str) -> None:
        """One end begins, and then both reach each other."""
        ends = {"floe": lambda: self.daemon.host.ping(self.plain.address, 3, 5), "plain": lambda: self.plain.ping(self.daemon.address)}
        order = [first, *ends.keys() - {first}]
        for name in order:
            expect(ends[name]() is not None, f"{name}: no answer from the other end")
        expect(self.plain.handshakes() > 0, "wireguard-go has seen no handshake")
        expect(self.daemon.status()["peers"][0]["state"] == "up", f"the status says {self.daemon.status()['peers'][0]}")

    def floe_sees(self) -> str:
        return self.daemon.status()["peers"][0]["path"]["remote"]


class Wires:
    """Makes links in one laboratory, and ends their wireguard-gos, whose control sockets are outside it."""

    def __init__(self, net: FloeLab, stack: ExitStack):
        self.net, self.stack, self.count, self.open = net, stack, 0, {}

    def hosts(self, floe_site="none", plain_site="none") -> tuple[Host, Host]:
        self.count += 1
        return self._host("home", floe_site), self._host("office", plain_site)

    def _host(self, name: str, kind: str) -> Host:
        """On a site of its own; sites without NAT, of which there are few, are shared by three."""
        site = self.open.get(name) if kind == "none" else None
        if site is None or len(site.hosts) == 3:
            site = self.net.lab.site(f"{name}{self.count}", kind)
        if kind == "none":
            self.open[name] = site
        return site.host(f"{name}_pc{self.count}")

    def link(self, hosts=None, floe_calls=True, plain_calls=True, floe_psk=None, plain_psk=None, six=False,
             floe_calls_at: str | None = None) -> Link:
        home, office = hosts or self.hosts()
        daemon = self.net.daemon(home)
        number = int(daemon.address.rpartition(".")[2])
        daemon.address6 = f"fd71::{number}" if six else None
        plain = WireGuard(self.net, office, f"10.71.0.{100 + number}", 1408, f"fd71::{100 + number}" if six else None)
        self.stack.callback(plain.close)
        at = (lambda host, port: f"[{host.ip6}]:{port}") if six else (lambda host, port: f"{host.ip}:{port}")
        keys = {}
        if floe_psk:
            write_secret(daemon.dir / "psk", floe_psk)
            keys["preshared_key_file"] = "psk"
        if six:
            daemon.sections["node"]["addresses"] = [f"{daemon.address}/24", f"{daemon.address6}/64"]
        allowed = [f"{plain.address}/32"] + ([f"{plain.address6}/128"] if six else [])
        daemon.peers.append(section("[[peer]]", name=plain.name, public_key=plain.public_key, allowed_ips=allowed,
                                    endpoint=floe_calls_at or (at(office, PORT) if floe_calls else "any"), **keys))
        plain.add_peer(daemon, at(home, FLOE_PORT) if plain_calls else None, plain_psk)
        daemon.start()
        return Link(daemon, plain)


def preshared_key() -> str:
    return floe("key", "psk").stdout.strip()


def ask_long(link: Link, seconds: int) -> Proc:
    """Pings from floe to the other end, twenty a second."""
    return link.daemon.host.popen(["ping", "-n", "-q", "-i", "0.05", "-w", seconds, link.plain.address])


def expect_all_answered(ping: Proc) -> str:
    ping.wait(200)
    sent, answered = map(int, re.search(r"(\d+) packets transmitted, (\d+) received", ping.log.read_text()).groups())
    # The last one may still be on its way when the time is over.
    expect(answered >= sent - 1 and sent > 1000, f"{answered} of {sent} pings were answered")
    return f"{answered} of {sent} pings answered"


def roles(wires: Wires) -> None:
    with case("floe calls, WireGuard knows no endpoint"):
        link = wires.link(plain_calls=False)
        link.greet("floe")
        expect(link.plain.show("endpoints") == f"{link.daemon.host.ip}:{FLOE_PORT}", f"it answers {link.plain.show('endpoints')}")
    with case("WireGuard calls, floe knows no endpoint"):
        link = wires.link(floe_calls=False)
        link.greet("plain")
        expect(link.floe_sees() == f"{link.plain.host.ip}:{PORT}", f"floe answers {link.floe_sees()}")


def preshared_keys(wires: Wires) -> None:
    with case("a preshared key"):
        key = preshared_key()
        for first in ("floe", "plain"):
            wires.link(floe_psk=key, plain_psk=key).greet(first)
    with case("another preshared key, then the right one"):
        right = preshared_key()
        link = wires.link(floe_psk=right, plain_psk=preshared_key())
        expect(link.daemon.host.ping(link.plain.address, 2, 1) is None and link.plain.host.ping(link.daemon.address, 2, 1) is None,
               "they link with different preshared keys")
        expect(link.plain.handshakes() == 0, "wireguard-go has completed a handshake")
        expect(link.daemon.status()["peers"][0]["latest_handshake"] is None, "floe has completed a handshake")
        link.plain.add_peer(link.daemon, preshared_key=right)
        wait_until(lambda: link.plain.ping(link.daemon.address), 30, what="the link with the right key")


def roaming(wires: Wires) -> None:
    link = wires.link()
    with case("WireGuard moves to another port, then to another address") as note:
        link.greet("floe")
        link.plain.set("listen-port", PORT + 1)
        expect(link.plain.ping(link.daemon.address) is not None, "no answer at the other port")
        expect(link.floe_sees() == f"{link.plain.host.ip}:{PORT + 1}", f"floe answers {link.floe_sees()}")
        link.plain.host.readdress()
        # wireguard-go holds on to its old address until it has heard nothing for 15 s.
        wait_until(lambda: link.plain.ping(link.daemon.address), 40, what="answers at the other address")
        expect(link.floe_sees() == f"{link.plain.host.ip}:{PORT + 1}", f"floe answers {link.floe_sees()}")
        expect(link.daemon.host.ping(link.plain.address, 3, 5) is not None, "floe does not reach it there")
        note(link.floe_sees())
    with case("floe moves to another address") as note:
        link.daemon.host.readdress()
        wait_until(lambda: link.daemon.host.ping(link.plain.address, 1, 1), 20, what="answers at floe's other address")
        expect(link.plain.show("endpoints") == f"{link.daemon.host.ip}:{FLOE_PORT}", f"it answers {link.plain.show('endpoints')}")
        expect(link.plain.ping(link.daemon.address) is not None, "wireguard-go does not reach it there")
        note(link.plain.show("endpoints"))


def places(wires: Wires) -> None:
    for kind in ("eim_apdf", "symmetric"):
        with case(f"WireGuard behind a NAT: {kind}"):
            link = wires.link(wires.hosts(plain_site=kind), floe_calls=False)
            link.greet("plain")
            expect(link.floe_sees().startswith(link.plain.host.site.public_ip), f"floe answers {link.floe_sees()}")
        with case(f"floe behind a NAT: {kind}"):
            link = wires.link(wires.hosts(floe_site=kind), plain_calls=False)
            link.greet("floe")
            expect(link.plain.show("endpoints").startswith(link.daemon.host.site.public_ip), "another address than the NAT's")
    with case("through a host that forwards the port"):
        forwarder, (home, office) = wires.net.lab.server("forwarder"), wires.hosts("eim_apdf")
        forwarder.sysctl("net.ipv4.ip_forward=1")
        forwarder.nft_table("ip", "forward", f"""
            chain pre {{ type nat hook prerouting priority dstnat\nudp dport {PORT} dnat to {office.ip}\n}}
            chain post {{ type nat hook postrouting priority srcnat\nip daddr {office.ip} masquerade\n}}""")
        link = wires.link((home, office), plain_calls=False, floe_calls_at=f"{forwarder.ip}:{PORT}")
        link.greet("floe")
        expect(link.plain.show("endpoints").startswith(forwarder.ip), f"it answers {link.plain.show('endpoints')}")
    with case("IPv6 outside, IPv4 and IPv6 inside") as note:
        link = wires.link(wires.hosts("ipv6_only", "ipv6_only"), six=True)
        link.greet("floe")
        ends = link.daemon.host, link.daemon.address6, link.plain.host, link.plain.address6
        expect(link.daemon.host.ping(link.plain.address6, 3, 5) is not None, "no answer over IPv6 inside")
        note(both_ways(*ends, size=20_000_000))


def test_wireguard_go_is_a_peer(net: FloeLab) -> None:
    """The long one runs beside the others: a session ends after 120 s, and nothing may be lost when it does."""
    with ExitStack() as stack:
        wires, seconds = Wires(net, stack), 135
        long = {}
        for first in ("floe", "plain"):
            long[first] = wires.link()
            long[first].greet(first)
        since = {first: link.plain.handshakes() for first, link in long.items()}
        pings = {first: ask_long(link, seconds) for first, link in long.items()}

        roles(wires)
        preshared_keys(wires)
        roaming(wires)
        places(wires)
        with case("a gigabyte, half of it each way, at once") as note:
            link = wires.link()
            link.greet("floe")
            note(both_ways(link.daemon.host, link.daemon.address, link.plain.host, link.plain.address, size=MEGABYTES << 20))
        for first, link in long.items():
            with case(f"{seconds} s and a new session, {first} began") as note:
                note(expect_all_answered(pings[first]))
                later = link.plain.handshakes() - since[first]
                expect(later >= 110, f"the latest handshake is only {later} s after the first")
                note(f"a new session after {later} s")
