"""What a peer learns of a node's addresses, and what answers it can get: RFC 8828."""
import re
import time

import pcap
from harness import Daemon, FloeLab, Pair, two_sites, wait_until
from run import case, expect, say

PORT = 41820
BINDING_REQUEST, BINDING_SUCCESS, BINDING_ERROR = b"\x00\x01", b"\x01\x01", b"\x01\x11"


def told(daemon: Daemon, peer: Daemon) -> list[str]:
    """The candidates that the peer has said it is at."""
    return re.findall(rf"{peer.name}: is told to be at (candidate:.*)", daemon.proc.log.read_text())


def answers(path, own: set[str]) -> tuple[int, int]:
    """(checks that came to our socket from elsewhere than a server, answers and checks that went back)."""
    came = went = 0
    for packet in pcap.packets(path):
        kind = packet.payload[:2]
        if pcap.kind_of_datagram(packet.payload) == "stun" and packet.target in own and kind == BINDING_REQUEST:
            came += 1
        elif packet.source in own and packet.target_port != 3478:
            went += 1
    return came, went


def test_relay_only_shows_nothing_but_relays(net: FloeLab) -> None:
    net.start_rendezvous()
    turn = net.start_relay()
    # A public host: nothing but the daemon itself keeps others from getting an answer.
    a = net.daemon(net.lab.site("site_a", "none").host("a"))
    b = net.daemon(net.lab.site("site_b", "none").host("b"))
    a.sections["paths"] = {"prefer": "relay-only"}
    net.link(a, b)
    # The checks that b sends to a's relay end at a's own socket, as if b had known it: authentic, and direct.
    b.host.nft_table("ip", "astray", f"""chain out {{ type nat hook output priority -100
        ip daddr {turn.ip} udp dport 49152-65535 dnat to {a.host.ip}:{PORT}\n}}""")
    capture = a.host.capture("any", "udp")
    Pair(net, a, b).start()

    a.wait_up(b)
    time.sleep(3)
    capture.stop()

    lines = told(b, a)
    expect(lines and all(" typ relay" in line for line in lines), f"other candidates were told: {lines}")
    expect(all(re.search(r" raddr (0\.0\.0\.0|::) rport 9$", line) for line in lines), f"a relay's related address was told: {lines}")
    expect(not any(a.host.ip in line for line in lines), f"our address was told: {lines}")
    came, went = answers(capture.path, {a.host.ip})
    expect(came > 0, "no direct check ever came, so nothing was shown")
    expect(went == 0, f"{went} datagrams went past the relays")
    expect(a.path(b)["kind"] == "relay", f"the path is {a.path(b)}")
    say(f"{len(lines)} candidates told, all relays; {came} direct checks came, none was answered")


def test_what_is_told_follows_the_mode(net: FloeLab) -> None:
    net.start_rendezvous()
    net.start_relay()
    home = net.lab.site("home", "eim_apdf", lan="10.9.0.0/28")
    lan = net.lab.site("lan", "eim_apdf", lan="10.8.0.0/28")
    host = home.host("a")
    second = host.attach(lan, metric=500)
    private = {host.faces[dev].ip4: dev for dev in host.faces}
    first_ip = next(ip for ip, dev in private.items() if dev != second)
    second_ip = host.faces[second].ip4
    # A bridge as containers have it and a tunnel of another overlay, neither of a name that is known.
    host.iproute("link add cont0 type bridge", "link add inside type veth peer name overlay0",
                 "link set inside master cont0 up", "link set cont0 up", "addr add 10.200.0.1/16 dev cont0",
                 "link set overlay0 up", "addr add 100.64.7.7/32 dev overlay0")
    modes = {
        "all": ({}, {first_ip, second_ip}),
        "default route and host": ({"privacy": "default-route-and-host"}, {first_ip}),
        "default route": ({"privacy": "default-route"}, set()),
        "hidden interface": ({"hide_interfaces": [second]}, {first_ip}),
        "hidden network": ({"hide_cidrs": ["10.0.0.0/8"]}, set()),
        "named interface": ({"interfaces": [second, "overlay*"]}, {second_ip, "100.64.7.7"}),
        "ignored interface": ({"ignore_interfaces": [second]}, {first_ip}),
    }
    b = net.daemon(net.lab.site("site_b", "eim_apdf").host("b"))
    a = net.daemon(host, "a")
    net.link(a, b)
    for name, (paths, wanted) in modes.items():
        with case(name):
            a.sections["paths"] = paths
            b.start()
            a.start()
            a.wait_direct(b)
            wait_until(lambda: any(" typ relay " in line for line in told(b, a)), 10, what="a relay to be told")
            lines = told(b, a)
            hosts = {line.split()[4] for line in lines if " typ host" in line}
            expect(hosts == wanted, f"told of {hosts}, wanted {wanted}: {lines}")
            public = [line for line in lines if " typ srflx" in line]
            expect(public, f"no reflexive candidate was told: {lines}")
            if not wanted:
                expect(not re.search(r"\b10\.[89]\.", " ".join(lines)), f"a private address was told: {lines}")
            a.stop()
            b.stop()
