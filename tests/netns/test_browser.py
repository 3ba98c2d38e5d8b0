"""floe-ice against Chromium. It has no DTLS to answer the browser with, so ICE is what is seen, and the browser's first DTLS packet."""
from harness import FloeLab
from interop import Agent, Signaling, kinds_of
from run import case, expect
from test_interop import Place, in_parallel, pair, servers, setup

ROLES = ("controlling", "controlled")


def link(floe, peer, note):
    linked = max(floe.wait_linked(), peer.wait_linked())
    floe.wait_state("completed", timeout=10)
    floe.wait(lambda self: any(data.startswith("16fe") for data in self.values("recv")), 10, "a DTLS ClientHello")
    note(f"{linked - floe.started:.2f} s, {'/'.join(kinds_of(floe))}")
    for agent in (floe, peer):
        expect(agent.close() == 0, f"{agent.name} ended badly")


def test_paths(net: FloeLab):
    """The best path there is; on the LAN the browser's addresses are names or not, or only TCP is left."""
    stun, relay, _ = servers(net)
    direct = {"host", "srflx", "prflx"}
    places = [("lan", ("eim_apdf",), [], [], direct), ("names", ("eim_apdf",), [], ["--mdns"], direct),
              ("tcp", ("eim_apdf",), [], [], direct), ("ipv6", ("ipv6_only", "fw_only_ipv6"), [], [], direct),
              ("nats", ("eim_apdf", "eim_apdf"), stun, [], direct), ("symmetric", ("symmetric", "symmetric"), stun + relay, [], {"relay"})]

    def one(role, name, kinds, args, more, wanted):
        with case(f"{role}/{name}") as note:
            place = Place(net, *kinds)
            if name == "tcp":
                with setup:
                    place.a.block("udp")
                    place.b.block("udp")
            floe, peer = pair(net, place, "chromium", role, args, args + more)
            link(floe, peer, note)
            kinds_taken = set(kinds_of(floe))
            expect(kinds_taken & wanted and ("relay" in kinds_taken) == ("relay" in wanted), f"took {kinds_taken}")
            expect((" tcptype " in floe.last("selected")) == (name == "tcp"), floe.last("selected"))

    in_parallel([(one, role, *place) for role in ROLES for place in places])


def test_relay_only(net: FloeLab):
    stun, _, turn = servers(net)
    login = ["--turn-user", turn.user, "--turn-pass", turn.password, "--relay-only"]

    def one(role, transport, uri):
        with case(f"{role}/{transport}") as note:
            floe, peer = pair(net, Place(net, "eim_apdf", "eim_apdf"), "chromium", role, [*stun, "--turn", uri, *login], stun,
                              env={"SSL_CERT_FILE": str(turn.ca)})
            link(floe, peer, note)
            expect(kinds_of(floe)[0] == "relay", f"took {kinds_of(floe)}")

    def browser(role):
        with case(f"{role}/the browser") as note:
            floe, peer = pair(net, Place(net, "eim_apdf", "eim_apdf"), "chromium", role, stun, ["--turn", turn.uris[0], *login])
            link(floe, peer, note)
            expect(kinds_of(floe)[1] in ("relay", "prflx"), f"took {kinds_of(floe)}")

    in_parallel([(one, *where) for where in zip(ROLES * 2, ("udp", "tcp", "tls"), turn.uris)] + [(browser, role) for role in ROLES])


def test_signaling(net: FloeLab):
    """Both in one role; lines that come late; a restart by the browser; 15 % loss; a wrong password."""
    stun, relay, _ = servers(net)

    def conflict(role):
        with case(f"both {role}") as note:
            place = Place(net, "eim_apdf")
            with setup:
                floe, peer = Agent(place.a, "floe", role), Agent(place.b, "chromium", role)
            Signaling(floe, peer)
            link(floe, peer, note)

    def late(role):
        with case(f"late/{role}") as note:
            link(*pair(net, Place(net, "eim_apdf", "eim_apdf"), "chromium", role, stun, stun, delay=3), note)

    def loss(role):
        with case(f"loss/{role}") as note:
            place = Place(net, "eim_apdf", "eim_apdf")
            with setup:
                for host in (place.a, place.b):
                    net.lab.link(host.site, loss=0.15)
            link(*pair(net, place, "chromium", role, stun + relay, stun + relay), note)

    def restart():
        with case("restart") as note:
            floe, peer = pair(net, Place(net, "eim_apdf"), "chromium", "controlled")
            floe.wait_state("completed")
            before = floe.last("ufrag")
            peer.tell("restart")
            floe.wait(lambda self: self.last("ufrag") != before, 10, "a new generation")
            selections = len(floe.values("selected"))
            floe.wait(lambda self: len(self.values("selected")) > selections, 15, "a path of the new generation")
            link(floe, peer, note)

    def wrong_password():
        with case("wrong password") as note:
            wrong = lambda line: "pwd 0123456789abcdefghijklmn" if line.startswith("pwd ") else line
            floe, peer = pair(net, Place(net, "eim_apdf"), "chromium", "controlling", change=wrong)
            took = floe.wait_state("failed", timeout=60) - floe.started
            expect(not {"connected", "completed"} & {*floe.states, *peer.states}, f"{floe.states} {peer.states}")
            note(f"failed after {took:.0f} s")

    in_parallel([(wrong_password,), (restart,), *[(test, role) for test in (conflict, late, loss) for role in ROLES]])
