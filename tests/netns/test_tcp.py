"""What floed does where UDP does not pass, and the names of the local network."""
import os
import socket
import time

from harness import Daemon, FloeLab, Pair, make_key, wait_until
from lab import HERE
from run import case, expect, measured, say
from test_fallback import Trickle

STRANGERS = 4  # of one source: ice/driver/tcp_flows.h
FLOOD = 200


def without_udp(net: FloeLab, kind_a: str, kind_b: str) -> Pair:
    """Two daemons, a rendezvous, and no UDP: its relay cannot be had either."""
    net.start_rendezvous()
    pair = Pair(net, *(net.daemon(net.lab.site(f"site_{name}", kind).host(name)) for name, kind in (("a", kind_a), ("b", kind_b))))
    for daemon in (pair.a, pair.b):
        daemon.host.site.block(proto="udp")
    net.link(pair.a, pair.b)
    return pair


def wait_transport(pair: Pair, transport: str, timeout: float) -> float:
    started = time.monotonic()
    for here, there in pair.both:
        wait_until(lambda: here.path(there).get("transport") == transport, timeout, what=f"{here} to say {transport}")
        expect(here.path(there)["kind"] == "direct", f"{here}: {here.path(there)}")
    return time.monotonic() - started


def test_udp_is_blocked_and_comes_back(net: FloeLab) -> None:
    pair = without_udp(net, "none", "none")
    with case("linked over TCP", vital=True) as note:
        started = time.monotonic()
        pair.start()
        pair.a.wait_up(pair.b)
        note(measured("after", time.monotonic() - started, 3))
        wait_transport(pair, "tcp", 5)
        expect(pair.a.ping(pair.b, count=3) is not None, "no answer to pings")
    with case("a TCP transfer inside") as note:
        gigabits = net.lab.iperf(pair.a.host, pair.b.host, ip=pair.b.address, seconds=2)
        backwards = net.lab.iperf(pair.a.host, pair.b.host, ip=pair.b.address, seconds=2, reverse=True)
        note(f"{gigabits:.2f} and {backwards:.2f} Gbit/s")
        expect(min(gigabits, backwards) > 0.001, "next to nothing came through")
        wait_transport(pair, "tcp", 5)
    trickle = Trickle(pair.a, pair.b)
    trickle.wait_progress(5)
    with case("moves to UDP") as note:
        for daemon in (pair.a, pair.b):
            daemon.host.site.unblock()
        note(measured("after", wait_transport(pair, "udp", 60), 25))
        trickle.wait_progress(5)
        note(f"{trickle.echoed} lines, longest silence {trickle.longest:.2f} s")
    with case("and back, when UDP is blocked in mid-session") as note:
        started = time.monotonic()
        for daemon in (pair.a, pair.b):
            daemon.host.site.block(proto="udp")
        time.sleep(0.3)  # what was on its way arrives
        trickle.wait_progress(60)
        note(measured("traffic again after", time.monotonic() - started, 10))
        wait_transport(pair, "tcp", 30)
    trickle.close()


def test_from_behind_a_nat(net: FloeLab) -> None:
    """Who is behind a NAT connects to who is not, whichever of the two offers."""
    pair = without_udp(net, "eim_apdf", "none")
    pair.start()
    pair.a.wait_up(pair.b)
    pair.b.wait_up(pair.a)
    wait_transport(pair, "tcp", 5)
    expect(pair.b.ping(pair.a, count=3) is not None, "no answer to pings")


def test_a_link_over_udp_makes_no_connection(net: FloeLab) -> None:
    net.start_rendezvous()
    a, b = (net.daemon(net.lab.site(f"site_{name}", "none").host(name)) for name in "ab")
    net.link(a, b)
    a.host.nft_table("inet", "count", f"""chain in {{ type filter hook input priority 0
        tcp dport 41820 counter\n }}\nchain out {{ type filter hook output priority 0\n tcp dport 41820 counter\n }}""")
    Pair(net, a, b).start().wait_direct()
    time.sleep(5)
    counted = a.host.run(["nft", "list", "table", "inet", "count"]).stdout
    expect(counted.count("packets 0 ") == 2, counted)


def descriptors(daemon: Daemon) -> int:
    return len(os.listdir(f"/proc/{daemon.proc.pid}/fd"))


def test_strangers(net: FloeLab) -> None:
    """Connections that say nothing are few, are closed, and do not keep a peer from connecting."""
    pair = without_udp(net, "eim_apdf", "none")
    thief = net.lab.site("elsewhere", "none").host("thief")
    pair.b.start()
    before, cpu = descriptors(pair.b), pair.b.cpu_seconds()
    connections = []
    for _ in range(FLOOD):
        sock = thief.socket(kind=socket.SOCK_STREAM)
        sock.connect((pair.b.host.ip, 41820))
        connections.append(sock)
    held = descriptors(pair.b) - before
    expect(held <= STRANGERS, f"{held} connections of one source are held")

    pair.a.start()
    pair.a.wait_up(pair.b)
    wait_transport(pair, "tcp", 5)
    say(f"{FLOOD} connections cost {pair.b.cpu_seconds() - cpu:.2f} s of CPU, the link included; {held} were held")
    wait_until(lambda: descriptors(pair.b) - before <= 2, 20, what="the strangers to be closed, and the peer's connections not")
    expect(pair.a.ping(pair.b, count=3) is not None, "no answer to pings")
    for sock in connections:
        sock.close()


def test_relay_only_listens_nowhere(net: FloeLab) -> None:
    net.start_rendezvous()
    a, b = (net.daemon(net.lab.site(f"site_{name}", "none").host(name)) for name in "ab")
    a.sections["paths"] = {"prefer": "relay-only"}
    net.link(a, b)
    Pair(net, a, b).start()
    a.wait_up(b)
    listening = a.host.run(["ss", "-Htln"]).stdout
    expect(listening == "", f"it listens: {listening}")


def test_local_names(net: FloeLab) -> None:
    """A peer that tells nothing but a name of the local network: it is found, and checked."""
    net.start_rendezvous()
    site = net.lab.site("home", "eim_apdf")
    a, host = net.daemon(site.host("a")), site.host("b")
    private, public = make_key()
    a.peers.append(f'[[peer]]\nname = "b"\npublic_key = "{public}"\nallowed_ips = ["10.71.0.2/32"]\n')
    name = "8d1f0b4e-6f0b-4a55-9c3e-0d5b0a6f7c11.local"
    for program in (["mdns_responder.py", name, host.ip, "everybody"],
                    ["named_peer.py", net.rendezvous.urls[0], private, a.public_key, name, 41900]):
        proc = host.popen(["/usr/bin/python3", HERE / "peers" / program[0], *program[1:]])
        wait_until(lambda: "ready" in proc.log.read_text(), what=f"{program[0]}, see {proc.log}")
    a.start()
    wait_until(lambda: "checked" in proc.log.read_text(), 15, what=f"a check, see {proc.log}")
