"""Paths of all sizes: what fits is found out, senders are told, nothing large disappears; and marks of congestion."""
import re
import socket
import time

import pcap
from harness import Daemon, FloeLab, Pair, section, two_sites, wait_until
from run import case, expect
from transfer import Transfer

SIZE = 100_000  # bytes


def room_of(outer: int, most: int = 1408) -> int:
    """What fits into packets of IPv4 of this size: WireGuard pads to 16 bytes."""
    return min((outer - 28) // 16 * 16 - 32, most)


def give_ipv6(pair: Pair) -> None:
    """Both families inside. Before they start."""
    for number, (here, there) in enumerate(pair.both, 1):
        here.address6 = f"fd71::{number}"
        here.sections["node"]["addresses"] = [f"{here.address}/24", f"{here.address6}/64"]
        there.peers = [section("[[peer]]", name=here.name, public_key=here.public_key,
                               allowed_ips=[f"{here.address}/32", f"{here.address6}/128", f"10.99.0.{number}/32"])]


def wait_room(here: Daemon, there: Daemon, room: int, timeout: float = 40) -> None:
    def arrived() -> bool:
        path = here.path(there)
        return path["mtu"] == room and (path["mtu_probing"] or {}).get("state") == "complete"
    try:
        wait_until(arrived, timeout, what=f"the room of {here}")
    except Exception:
        raise AssertionError(f"{here} should have room for {room} bytes: {here.path(there)}") from None


def ping(here: Daemon, target: str, size: int, *options: str, count: int = 1):
    """With packets of this size in all; what ping said, and whether every one was answered."""
    header = 48 if ":" in target else 28
    done = here.host.run(["ping", "-n", "-c", count, "-W", 2, "-i", "0.3", "-s", size - header, *options, target])
    return done.stdout + done.stderr, done.returncode == 0


def expect_traffic(pair: Pair, room: int) -> None:
    """Pings that are as large as may be, some that are too large, and transfers, in both directions."""
    for number, (here, there) in enumerate(pair.both):
        said, answered = ping(here, there.address, room, "-M", "do")
        expect(answered, f"{here}: no answer to a ping of {room} bytes: {said}")
        said, answered = ping(here, there.address, room + 1, "-M", "do", count=2)
        expect(not answered and re.search(rf"mtu ?= ?{room}\b", said),
               f"{here}: a ping of {room + 1} bytes: {said}")
        said, answered = ping(here, there.address, 3000, "-M", "dont")
        expect(answered, f"{here}: no answer to a ping in fragments: {said}")
        said, answered = ping(here, there.address6, 1280)
        expect(answered, f"{here}: no answer to an IPv6 ping of 1280 bytes: {said}")
        said, answered = ping(here, there.address6, 3000)
        for _ in range(2):  # The first may find out the size of the path.
            answered = answered or ping(here, there.address6, 3000)[1]
        expect(answered, f"{here}: no answer to a large IPv6 ping: {said}")
        for ip_here, ip_there in ((here.address, there.address), (here.address6, there.address6)):
            Transfer(here.host, ip_here, there.host, ip_there, 7200 + number, SIZE, timeout=20).wait()


def test_a_small_link_on_the_way(net: FloeLab) -> None:
    pair = two_sites(net, "none", "none", relay=False)
    give_ipv6(pair)
    for mtu in (1280, 1400):
        with case(f"MTU {mtu}"):
            net.lab.link(net.lab.nodes["site_b"], mtu=mtu)
            pair.start().wait_direct()
            for here, there in pair.both:
                wait_room(here, there, room_of(mtu))
            expect_traffic(pair, room_of(mtu))
        for daemon, _ in pair.both:
            daemon.stop()


def test_ordinary_and_relayed_paths_have_the_usual_room(net: FloeLab) -> None:
    pair = two_sites(net, "symmetric", "symmetric")
    give_ipv6(pair)
    pair.start()
    for here, there in pair.both:
        here.wait_up(there)
        wait_room(here, there, 1408)
        expect(here.path(there)["mtu_probing"]["black_holes"] == 0, f"{here.path(there)}")
    expect_traffic(pair, 1408)


def too_big(daemon: Daemon) -> int:
    return daemon.status()["tunnel"]["too_big"]


def test_a_path_that_becomes_small_is_told_by_its_routers(net: FloeLab) -> None:
    """While it is in use: an ICMP message says what takes five lost probes otherwise."""
    pair = two_sites(net, "none", "none", relay=False)
    give_ipv6(pair)
    pair.start().wait_direct()
    for here, there in pair.both:
        wait_room(here, there, 1408)
        expect(too_big(here) == 0, f"{here}: sends were too big on an ordinary path")
    net.lab.link(net.lab.nodes["site_b"], mtu=1350)
    for here, there in pair.both:  # It is confirmed every 30 s while packets go out.
        wait_until(lambda: ping(here, there.address, 100)[1] and here.path(there)["mtu"] < 1408, 40,
                   what=f"{here} notices")
        wait_room(here, there, room_of(1350), timeout=5)
        expect(too_big(here) > 0, f"{here}: no send was too big: {here.path(there)}")
        expect(here.path(there)["mtu_probing"]["black_holes"] == 0, f"{here.path(there)}")
    expect_traffic(pair, room_of(1350))


def test_jumbo_frames(net: FloeLab) -> None:
    pair = two_sites(net, "none", "none", relay=False)
    give_ipv6(pair)
    for name in ("site_a", "site_b", "a", "b"):
        net.lab.link(net.lab.nodes[name], mtu=9000)
    for daemon, _ in pair.both:
        daemon.sections["tun"] = {"mtu": 8900}
    pair.start().wait_direct()
    for here, there in pair.both:
        wait_room(here, there, 8900)
    for here, there in pair.both:
        said, answered = ping(here, there.address, 8900, "-M", "do")
        expect(answered, f"{here}: no answer to a ping of 8900 bytes: {said}")
        Transfer(here.host, here.address, there.host, there.address, 7200, 50 * SIZE, timeout=20).wait()


def test_a_black_hole(net: FloeLab) -> None:
    """A router that drops what is too large, and says nothing."""
    limit = 1350
    pair = two_sites(net, "none", "none", relay=False)
    give_ipv6(pair)
    for daemon, _ in pair.both:  # Else the router would see many datagrams as a large one, as between veth devices.
        daemon.sections["tun"] = {"offload": "off"}
    pair.start().wait_direct()
    for here, there in pair.both:
        wait_room(here, there, 1408)
    net.lab.nodes["site_b"].nft_table("inet", "hole", "chain forward { type filter hook forward priority -10; "
                                      f"meta l4proto udp meta length > {limit} drop; }}")
    started = time.monotonic()
    said, seconds = "", 90
    while time.monotonic() - started < seconds and pair.a.path(pair.b)["mtu"] == 1408:
        said, _ = ping(pair.a, pair.b.address, 1408, "-M", "do", count=3)
    wait_room(pair.a, pair.b, room_of(limit))
    ping(pair.b, pair.a.address, 600, count=2)
    wait_room(pair.b, pair.a, room_of(limit), timeout=90)
    for daemon, _ in pair.both:  # Who asked while the base was in use was told that, and keeps it for ten minutes.
        daemon.host.iproute("route flush cache")
    expect_traffic(pair, room_of(limit))
    expect(pair.a.path(pair.b)["mtu_probing"]["black_holes"] > 0, f"{pair.a.path(pair.b)}")


def max_segment(net: FloeLab, pair: Pair, source: str, port: int) -> int:
    """What the far end of a connection from this address takes to be the largest segment."""
    with pair.b.host.socket(kind=socket.SOCK_STREAM, bind=(pair.b.address, port)) as listener, \
            pair.a.host.socket(kind=socket.SOCK_STREAM, bind=(source, 0)) as client:
        listener.listen(1)
        client.settimeout(5)
        client.connect((pair.b.address, port))
        with listener.accept()[0] as server:
            return server.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)


def test_forwarded_connections_are_clamped(net: FloeLab) -> str:
    pair = two_sites(net, "none", "none", relay=False)
    give_ipv6(pair)
    net.lab.link(net.lab.nodes["site_b"], mtu=1400)
    pair.start().wait_direct()
    for here, there in pair.both:
        wait_room(here, there, room_of(1400))
    pair.a.host.iproute("addr add 10.99.0.1/32 dev lo")  # Of no node: as if from a network behind this one.

    own = max_segment(net, pair, pair.a.address, 7300)
    forwarded = max_segment(net, pair, "10.99.0.1", 7301)

    expect(own > room_of(1400) - 40, f"an own connection was clamped to {own}")
    expect(forwarded <= room_of(1400) - 40, f"a forwarded connection may send segments of {forwarded}")
    return f"own {own}, forwarded {forwarded}"


def test_congestion_is_told_inside(net: FloeLab) -> None:
    pair = two_sites(net, "none", "none", relay=False)
    pair.start().wait_direct()
    net.lab.nodes["site_b"].nft_table("ip", "congested", "chain forward { type filter hook forward priority -10; "
                                      "meta l4proto udp ip ecn ect0 ip ecn set ce; }")
    outside = net.lab.nodes["site_a"].capture("any", "udp and ip[1] & 3 == 2")
    inside = pair.b.host.capture("any", "icmp[0] == 8 and ip[1] & 3 == 3")
    plain = pair.b.host.capture("any", "icmp[0] == 8 and ip[1] & 3 == 0")
    said, answered = ping(pair.a, pair.b.address, 100, "-Q", "0x02", count=3)
    expect(answered, f"no answer to marked pings: {said}")
    said, answered = ping(pair.a, pair.b.address, 100, count=3)
    expect(answered, f"no answer to plain pings: {said}")
    time.sleep(0.5)
    for capture, what in ((outside, "ECT(0) outside"), (inside, "CE inside"), (plain, "no mark inside")):
        capture.stop()
        count = sum(1 for _ in pcap.packets(capture.path))
        expect(count >= 3, f"{count} packets with {what}, wanted 3")
