"""Packets on the one thread that does all else, which the configuration asks for."""
from harness import FloeLab
from run import expect
from test_link import two_sites
from transfer import both_ways


def test_one_thread_carries_packets(net: FloeLab) -> str:
    pair = two_sites(net)
    for daemon, _ in pair.both:
        daemon.sections["tun"] = {"threads": 1}
    pair.start().wait_direct()
    (a, b), _ = pair.both
    expect(a.ping(b, count=10) is not None, "no answer")
    rate = both_ways(a.host, a.address, b.host, b.address, size=50_000_000)
    expect(a.status()["peers"][0]["rx_bytes"] > 50_000_000, f"the status says {a.status()['peers'][0]}")
    return rate
