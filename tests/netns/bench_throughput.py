"""How much one TCP stream carries through floe and through wireguard-go, and what that costs."""
import statistics

from harness import FloeLab
from run import expect, say
from wireguard import PORT, WireGuard

RUNS = 5  # -n changes it
SECONDS = 5  # of each run


def carry(net: FloeLab, a, b) -> tuple[float, float]:
    """(Gbit/s, CPU-seconds of both daemons per GB carried) of one stream from a to b."""
    before = a.cpu_seconds() + b.cpu_seconds()
    gbit = net.lab.iperf(a.host, b.host, ip=b.address, seconds=SECONDS)
    used = a.cpu_seconds() + b.cpu_seconds() - before
    return gbit, used / (gbit * SECONDS / 8)


def bench_floe_and_wireguard_go(net: FloeLab) -> str:
    """Both on the same two hosts of one LAN, over veth without delay, in turn, so that a busy machine slows both alike."""
    net.start_rendezvous()
    site = net.lab.site("lan", "eim_apdf")
    hosts = [site.host("a"), site.host("b")]
    floe = [net.daemon(host) for host in hosts]
    net.link(*floe)
    for daemon in floe:
        daemon.sections["log"] = {"level": "info"}
        daemon.start()
    wireguard = []
    try:
        for number, host in enumerate(hosts, 1):
            wireguard.append(WireGuard(net, host, f"10.72.0.{number}"))
        for here, there in (wireguard, wireguard[::-1]):
            here.add_peer(there, endpoint=f"{there.host.ip}:{PORT}")
        floe[0].wait_direct(floe[1])
        expect(wireguard[0].ping(wireguard[1].address) is not None, "wireguard-go does not link")

        figures = {"floe": [], "wireguard-go": []}
        for _ in range(RUNS):
            for name, pair in (("floe", floe), ("wireguard-go", wireguard)):
                figures[name].append(carry(net, *pair))
    finally:
        for one in wireguard:
            one.close()
    medians = {}
    for name, taken in figures.items():
        say(f"{name}: Gbit/s " + " ".join(f"{gbit:.2f}" for gbit, _ in taken)
            + "; CPU-s/GB " + " ".join(f"{cost:.2f}" for _, cost in taken))
        medians[name] = [statistics.median(column) for column in zip(*taken)]
    control = hosts[0].run(["sysctl", "-n", "net.ipv4.tcp_congestion_control"]).stdout.strip()
    return f"one TCP stream ({control}), medians: " + "; ".join(
        f"{name} {gbit:.2f} Gbit/s, {cost:.2f} CPU-s/GB" for name, (gbit, cost) in medians.items())
