"""What a node says of the NAT before it, where a server has the second address of RFC 5780: a coturn does."""
from harness import FloeLab, wait_until
from run import case, expect

INDEPENDENT, ADDRESS, BOTH = "endpoint-independent", "address-dependent", "address-and-port-dependent"
# mapping, filtering, the word of old
BEHAVIOURS = {
    "none": ("none", INDEPENDENT, "none"),
    "eim_eif": (INDEPENDENT, INDEPENDENT, "easy"),
    "eim_adf": (INDEPENDENT, ADDRESS, "easy"),
    "eim_apdf": (INDEPENDENT, BOTH, "easy"),
    "symmetric": (BOTH, BOTH, "hard"),
    "cgnat": (BOTH, BOTH, "hard"),
}


def test_each_nat_is_told_for_what_it_is(net: FloeLab) -> None:
    stun = net.lab.server("stun", addrs=2).coturn(auth="none")
    for kind, wanted in BEHAVIOURS.items():
        daemon = net.daemon(net.lab.site(f"site_{kind}", kind).host(kind))
        daemon.sections["stun"] = {"urls": [stun.stun_uri]}
        daemon.start()
    for daemon in net.daemons:
        with case(daemon.name):
            def told() -> tuple:
                node = daemon.status()["node"]
                return node["nat_mapping"], node["nat_filtering"], node["nat"]
            wait_until(lambda: told()[0], 15, what=f"the behaviour of {daemon.name}")
            expect(told() == BEHAVIOURS[daemon.name], f"told {told()}, it is {BEHAVIOURS[daemon.name]}")
