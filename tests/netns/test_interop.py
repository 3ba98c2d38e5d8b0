"""floe-ice against libnice, aioice and pion: real stacks, real NATs, the same line protocol on each side."""
import concurrent.futures
import itertools
import threading
import time

import pcap
from harness import FloeLab
from interop import Agent, Signaling, exchange, kinds_of
from lab import HERE, wait_until
from run import case, expect

STACKS = ("nice", "aioice", "pion")
setup = threading.Lock()  # A laboratory is built by one thread at a time.
names = itertools.count()


class Place:
    """Where a pair meets: two hosts, made under the lock."""

    def __init__(self, net: FloeLab, kind_a: str, kind_b: str | None = None, **change):
        with setup:
            number = next(names)
            site = net.lab.site(f"a{number}", kind_a, **change)
            self.a = site.host(f"ha{number}")
            other = site if kind_b is None else net.lab.site(f"b{number}", kind_b, **change)
            self.b = other.host(f"hb{number}")


def in_parallel(jobs) -> None:
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(*job) for job in jobs]:
            done.result()


def pair(net: FloeLab, place: Place, stack: str, role: str, floe_args=(), peer_args=(), delay: float = 0, change=None, env=None):
    other = {"controlling": "controlled", "controlled": "controlling"}[role]
    with setup:
        floe = Agent(place.a, "floe", role, *floe_args, env=env)
        peer = Agent(place.b, stack, other, *peer_args)
    Signaling(floe, peer, delay, change)
    return floe, peer


def link(floe: Agent, peer: Agent, note, timeout: float = 30, **data) -> None:
    started = floe.started
    linked = max(floe.wait_linked(timeout), peer.wait_linked(timeout))
    floe.wait_state("completed", timeout=10)
    exchange(floe, peer, **data)
    note(f"{linked - started:.2f} s, {'/'.join(kinds_of(floe))}")
    for agent in (floe, peer):
        expect(agent.close() == 0, f"{agent.name} ended badly")


def servers(net: FloeLab):
    turn = net.start_relay()
    stun = ["--stun", turn.stun_uri.removeprefix("stun:")]
    relay = ["--turn", turn.uris[0], "--turn-user", turn.user, "--turn-pass", turn.password]
    return stun, relay, turn


def test_paths(net: FloeLab):
    """Each stack, each role, each kind of path: the best one that there is must be found, and carry data."""
    stun, relay, _ = servers(net)
    places = [("lan", ("eim_apdf",), [], {"host", "prflx"}), ("ipv6", ("ipv6_only", "fw_only_ipv6"), [], {"host", "prflx"}),
              ("nats", ("eim_apdf", "eim_apdf"), stun, {"srflx", "prflx"}),
              ("symmetric", ("symmetric", "symmetric"), stun + relay, {"relay"})]

    def one(stack, role, name, kinds, args, wanted):
        with case(f"{stack}/{role}/{name}") as note:
            floe, peer = pair(net, Place(net, *kinds), stack, role, args, args)
            link(floe, peer, note)
            expect(set(kinds_of(floe)) & wanted, f"took {kinds_of(floe)}")

    in_parallel([(one, stack, role, *place) for stack in STACKS for role in ("controlling", "controlled")
                 for place in places])


def test_relay_only(net: FloeLab):
    """By each transport to the relay; coturn's certificate is of the laboratory's own authority."""
    stun, _, turn = servers(net)
    login = ["--turn-user", turn.user, "--turn-pass", turn.password, "--relay-only"]

    def one(stack, role, transport, uri):
        with case(f"{stack}/{role}/{transport}") as note:
            place = Place(net, "eim_apdf", "eim_apdf")
            floe, peer = pair(net, place, stack, role, [*stun, "--turn", uri, *login], stun, env={"SSL_CERT_FILE": str(turn.ca)})
            link(floe, peer, note)
            told = floe.values("candidate")
            expect(told and all(" typ relay " in line and line.endswith(("raddr 0.0.0.0 rport 9", "raddr :: rport 9")) for line in told), str(told))
            expect(kinds_of(floe)[0] == "relay", f"took {kinds_of(floe)}")
            expect(place.a.ip not in "\n".join(line for _, line in floe.lines), "names its own address")

    in_parallel([(one, stack, role, transport, uri) for stack in STACKS for role in ("controlling", "controlled")
                 for transport, uri in zip(("udp", "tcp", "tls"), turn.uris)])


def test_signaling(net: FloeLab):
    """What the lines between the two can do: come late, say that both have one role, hold a wrong password."""
    stun, relay, _ = servers(net)

    def late(stack, role):
        with case(f"late/{stack}/{role}") as note:
            link(*pair(net, Place(net, "eim_apdf", "eim_apdf"), stack, role, stun, stun, delay=3), note)

    def conflict(stack, role):
        with case(f"both {role}/{stack}") as note:
            place = Place(net, "eim_apdf")
            with setup:
                floe, peer = Agent(place.a, "floe", role), Agent(place.b, stack, role)
            Signaling(floe, peer)
            link(floe, peer, note)

    def wrong_password(stack):
        with case(f"wrong password/{stack}") as note:
            wrong = lambda line: "pwd 0123456789abcdefghijklmn" if line.startswith("pwd ") else line
            floe, peer = pair(net, Place(net, "eim_apdf"), stack, "controlling", change=wrong)
            took = floe.wait_state("failed", timeout=60) - floe.started
            expect("connected" not in floe.states and "completed" not in floe.states, str(floe.states))
            note(f"failed after {took:.0f} s")

    in_parallel([*[(wrong_password, stack) for stack in STACKS],
                 *[(late, stack, role) for stack in STACKS for role in ("controlling", "controlled")],
                 # pion drops what comes in its own role, and does not repair it.
                 *[(conflict, stack, role) for stack in ("nice", "aioice") for role in ("controlling", "controlled")]])


def test_loss(net: FloeLab):
    stun, relay, _ = servers(net)

    def one(stack, role):
        with case(f"{stack}/{role}") as note:
            place = Place(net, "eim_apdf", "eim_apdf")
            with setup:
                for host in (place.a, place.b):
                    net.lab.link(host.site, loss=0.15)
            link(*pair(net, place, stack, role, stun + relay, stun + relay), note, timeout=40, loss=True)

    in_parallel([(one, stack, role) for stack in STACKS for role in ("controlling", "controlled")])


def test_restart(net: FloeLab):
    """aioice knows no restart. Both ends change their credentials and the data goes on, but that pion closes its sockets first."""

    def one(stack, role, who):
        with case(f"{stack}/{role}, by {who}") as note:
            floe, peer = pair(net, Place(net, "eim_apdf"), stack, role)
            floe.wait_state("completed")
            peer.wait_linked()
            before = floe.last("ufrag"), peer.last("ufrag")
            selections = len(floe.values("selected"))
            (floe if who == "floe" else peer).tell("restart")
            if stack != "pion":
                exchange(floe, peer)
            floe.wait(lambda self: len(self.values("selected")) > selections, 15, "a path of the new generation")
            expect(floe.last("ufrag") != before[0] and peer.last("ufrag") != before[1], "credentials stayed")
            link(floe, peer, note)

    in_parallel([(one, stack, role, who) for stack in ("nice", "pion") for role in ("controlling", "controlled")
                 for who in ("floe", stack)])


def test_lite_peer(net: FloeLab):
    """It never asks, and is never controlling (RFC 8445 section 6.1.1)."""
    with case("pion") as note:
        link(*pair(net, Place(net, "eim_apdf"), "pion", "controlling", peer_args=["--lite"]), note)


def test_local_names(net: FloeLab):
    """A candidate of the peer has a name in place of its address, as a browser's has: RFC 6762 finds it."""

    def one(whom):
        with case(f"answered to {whom}") as note:
            place, name = Place(net, "eim_apdf"), "8d1f0b4e-6f0b-4a55-9c3e-0d5b0a6f7c11.local"
            with setup:
                responder = place.b.popen(["/usr/bin/python3", HERE / "peers/mdns_responder.py", name, place.b.ip, whom])
                wait_until(lambda: "ready" in responder.log.read_text(), what=f"the responder, see {responder.log}")
                floe, peer = Agent(place.a, "floe", "controlling"), Agent(place.b, "floe", "controlled")
            # The peer is told nothing that it could send a check to.
            floe.listen(lambda line: peer.tell(line) if line.startswith(("ufrag", "pwd")) else None)
            peer.listen(lambda line: floe.tell(line.replace(place.b.ip, name))
                        if line.startswith(("ufrag", "pwd", "candidate")) else None)
            link(floe, peer, note)

    in_parallel([(one, whom) for whom in ("everybody", "asker")])


def test_forgery(net: FloeLab):
    """Checks that were overheard are sent again by somebody else: as they were, cut, and with a byte changed."""

    def one(role):
        with case(role) as note:
            place = Place(net, "eim_apdf")
            with setup:
                thief = place.a.site.host(f"thief_{role}")
                capture = place.a.capture(place.a.dev, "udp")
                time.sleep(0.5)
            floe, peer = pair(net, place, "nice", role)
            floe.wait_state("completed")
            peer.wait_state("completed")
            exchange(floe, peer)
            time.sleep(0.5)
            capture.stop()
            stun = [packet.payload for packet in pcap.packets(capture.path) if pcap.kind_of_datagram(packet.payload) == "stun"]
            expect(len(stun) >= 4, f"{len(stun)} STUN messages overheard")
            states, selected = list(floe.states), floe.values("selected")
            ip, port = floe.values("candidate")[0].split()[4:6]
            sock = thief.socket()
            sock.settimeout(0.5)

            def send(messages):
                for message in messages:
                    sock.sendto(message, (ip, int(port)))
                    time.sleep(0.002)

            send(message[:size] for message in stun for size in (1, 8, 19, 20, len(message) - 8, len(message) - 1))
            send(message[:at] + bytes([message[at] ^ 1]) + message[at + 1:]
                 for message in stun for at in range(20, len(message), 7))
            try:
                expect(False, f"answered a forged message with {sock.recv(2048).hex()}")
            except TimeoutError:
                pass
            send(stun)  # Those are genuine but for where they come from, so they may be answered; nothing else may follow.
            time.sleep(1)
            exchange(floe, peer)
            expect(floe.states == states and floe.values("selected") == selected, f"{floe.states} {floe.values('selected')}")
            note(f"{len(stun)} messages")

    in_parallel([(one, role) for role in ("controlling", "controlled")])


def test_tcp(net: FloeLab):
    """No UDP leaves the hosts: ICE over TCP is what is left (RFC 6544)."""

    def one(stack, role):
        with case(f"{stack}/{role}") as note:
            place = Place(net, "eim_apdf")
            with setup:
                place.a.block("udp")
                place.b.block("udp")
            floe, peer = pair(net, place, stack, role)
            link(floe, peer, note)
            expect(" tcptype " in floe.last("selected"), floe.last("selected"))

    in_parallel([(one, stack, role) for stack in ("floe", "nice") for role in ("controlling", "controlled")])


def test_simultaneous_open(net: FloeLab):
    """Two firewalls that let no connection in, and candidates of simultaneous-open alone: both SYNs have to cross."""
    only_so = lambda line: line if not line.startswith("candidate ") or line.endswith(" tcptype so") else None

    def one(name, role, change):
        with case(f"{name}/{role}") as note:
            place = Place(net, *change.pop("kinds"), **change)
            floe, peer = pair(net, place, "floe", role, change=only_so)
            link(floe, peer, note)
            expect(floe.last("selected").count(" tcptype so") == 2, floe.last("selected"))

    in_parallel([(one, name, role, dict(change)) for role in ("controlling", "controlled") for name, change in (
        ("IPv4", {"kinds": ("none", "none"), "v4": "public_fw"}), ("IPv6", {"kinds": ("fw_only_ipv6", "fw_only_ipv6")}))])
