"""Routers that forward a port when asked: PCP, NAT-PMP and UPnP, by Debian's miniupnpd."""
import socket
import time

from harness import Daemon, FloeLab, Pair, two_sites, wait_until
from lab import PortMapper
from run import case, expect, measured, say

PORT = 41820


def mapping(daemon: Daemon, timeout: float = 20) -> dict:
    """What the daemon says is mapped, once something is."""
    return wait_until(lambda: next(iter(daemon.status()["node"]["port_mappings"]), None), timeout,
                      what=f"a port mapping of {daemon}")


def start(net: FloeLab, kind_b: str = "symmetric", portmap: list[str] | None = None, **router) -> tuple[Pair, PortMapper]:
    pair = two_sites(net, "symmetric", kind_b)
    mapper = net.lab.nodes["site_a"].port_mapper(**router)
    pair.a.sections["paths"] = {"portmap": portmap}
    return pair.start(), mapper


def link_direct(pair: Pair, mapper: PortMapper, protocol: str) -> None:
    started = time.monotonic()
    pair.wait_direct()
    seconds = time.monotonic() - started
    found = mapping(pair.a)
    expect(found["protocol"] == protocol, f"mapped by {found}")
    expect(found["external"].startswith(pair.a.host.site.public_ip), f"mapped at {found}")
    expect(mapper.mappings, "the router knows nothing of it")
    expect(pair.a.ping(pair.b, 3) is not None, "no ping passes")
    say(measured(f"{protocol}: direct after", seconds, 8))
    pair.a.stop()
    wait_until(lambda: not mapper.mappings, 5, what="the mapping to be given back")


def test_pcp(net: FloeLab) -> None:
    pair, mapper = start(net)
    link_direct(pair, mapper, "pcp")


def test_nat_pmp(net: FloeLab) -> None:
    pair, mapper = start(net, portmap=["nat-pmp"], upnp=False)
    link_direct(pair, mapper, "nat-pmp")


def test_upnp(net: FloeLab) -> None:
    pair, mapper = start(net, pcp=False)
    link_direct(pair, mapper, "upnp")


def test_nothing_is_asked_of_routers_when_it_is_not_wanted(net: FloeLab) -> None:
    pair, mapper = start(net, portmap=[])
    pair.a.wait_up(pair.b)
    time.sleep(6)
    expect(not mapper.mappings, f"mapped: {mapper.mappings}")
    expect(pair.a.path(pair.b)["kind"] == "relay", "two symmetric NATs and no mapping are a relayed link")


def test_a_router_that_restarts_is_asked_again(net: FloeLab) -> None:
    pair, mapper = start(net)
    pair.wait_direct()
    wait_until(lambda: mapper.mappings, 5, what="the mapping")
    mapper.restart()
    net.lab.nodes["site_a"].reboot(new_ip=False)
    expect(not mapper.mappings, "the restart has forgotten nothing")
    started = time.monotonic()
    wait_until(lambda: mapper.mappings, 90, what="the mapping to be made again")
    say(measured("mapped again after", time.monotonic() - started, 65))
    pair.wait_direct()


def test_upnp_router_that_restarts_is_asked_again(net: FloeLab) -> None:
    pair, mapper = start(net, pcp=False)
    wait_until(lambda: mapper.mappings, 20, what="the mapping")
    mapper.restart()
    started = time.monotonic()
    wait_until(lambda: mapper.mappings, 150, what="the mapping to be made again")
    say(measured("mapped again after", time.monotonic() - started, 65))


def test_a_crash_leaves_a_mapping_that_the_next_run_takes_over(net: FloeLab) -> None:
    pair, mapper = start(net)
    first = mapping(pair.a)
    pair.a.kill()
    expect(mapper.mappings, "a mapping goes with its lease, not with who asked for it")
    pair.a.start()
    expect(mapping(pair.a) == first, f"{mapping(pair.a)} is not {first}")
    expect(len(mapper.mappings) == 1, f"mapped: {mapper.mappings}")


def test_ipv6_pinhole(net: FloeLab) -> None:
    open_and_close_a_pinhole(net)


def test_ipv6_pinhole_by_upnp(net: FloeLab) -> None:
    open_and_close_a_pinhole(net, pcp=False)


def test_looking_for_a_router_holds_up_no_end(net: FloeLab) -> None:
    pair = two_sites(net, "symmetric", "symmetric")
    host = pair.a.host
    host.nft_table("inet", "seen", "chain out { type filter hook output priority 0\nudp dport 1900 counter\n}")
    pair.a.start()
    wait_until(lambda: "packets 0 " not in host.run(["nft", "list", "table", "inet", "seen"]).stdout, 20,
               what="the search for a router by UPnP")
    started = time.monotonic()
    pair.a.stop()
    seconds = time.monotonic() - started
    say(measured("ended after", seconds, 0.1))
    expect(seconds < 1, f"the end took {seconds:.1f} s")


def open_and_close_a_pinhole(net: FloeLab, **router) -> None:
    pair = two_sites(net, "dual_stack", "dual_stack")
    mapper = net.lab.nodes["site_a"].port_mapper(**router)
    host, server = pair.a.host, net.rendezvous.server
    host.nft_table("inet", "seen", f"chain in {{ type filter hook input priority -300\n"
                   f"ip6 saddr {server.ip6} udp dport {PORT} counter\n}}")

    def passes() -> bool:
        """Whether a packet that nobody has asked for comes through the firewall."""
        before = host.run(["nft", "list", "table", "inet", "seen"]).stdout
        with server.socket(socket.AF_INET6, bind=(server.ip6, 0)) as sock:
            sock.sendto(b"anybody there?", (host.ip6, PORT))
        time.sleep(0.2)
        return host.run(["nft", "list", "table", "inet", "seen"]).stdout != before

    expect(not passes(), "the firewall is open before anybody asks")
    pair.a.start()
    external = f"[{host.ip6}]:{PORT}"
    wait_until(lambda: external in [entry["external"] for entry in pair.a.status()["node"]["port_mappings"]], 20,
               what="a pinhole")
    expect(passes(), "the pinhole lets nothing in")
    pair.a.stop()
    wait_until(lambda: not mapper.pinholes, 5, what="the pinhole to be closed")
    expect(not passes(), "the firewall is still open")
