"""What the tunnel carries and what that costs, beside other VPNs: figures as JSON, medians as a table.

All are set up on the same two hosts with a veth between them, and measured in turn; each round in the other order. A run is of SECONDS.
"""
import json
import os
import platform
import re
import statistics
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import rivals
from harness import ROOT, FloeLab, cpu_seconds, wait_until
from lab import LabError, Link, Node
from run import Skip, expect, say

RUNS = 5  # -n changes it
SECONDS = 3  # of each run; --quick changes both
OUT = ROOT / "build/bench"
OUTER = ["192.0.2.1", "192.0.2.2"]
CUT = ["tso", "off", "gso", "off", "tx-udp-segmentation", "off", "gro", "off"]


class Floe:
    """Two floeds, linked through a rendezvous as anywhere; direct on the veth, or through the relay."""

    package = ""

    def __init__(self, net: FloeLab, hosts: list[Node], relayed: bool):
        self.name, self.hosts = "floe, relayed" if relayed else "floe", hosts
        pair = self.daemons = [net.daemon(host, f"{host.name}{'r' * relayed}") for host in hosts]
        net.link(*pair)
        for daemon in pair:
            daemon.sections |= {"log": {"level": "info"}, "tun": {"name": f"floe{relayed:d}"},
                                "node": {"addresses": [f"{daemon.address}/32"], "listen_port": 41820 + relayed},
                                "paths": {"interfaces": ["eth0"]} if relayed else {"interfaces": ["lan0"], "prefer": "direct-only"}}
        if relayed:
            pair[0].sections["paths"]["prefer"] = "relay-only"  # So one end has a relayed address, as where one NAT is hard.
        for daemon in pair:
            daemon.start()
        pair[0].wait_up(pair[1])
        path = pair[0].path(pair[1])
        expect(path["kind"] == ("relay" if relayed else "direct") and (relayed or path["local"].startswith(OUTER[0])), f"the path is {path}")
        self.ends = [daemon.address for daemon in pair]
        self.pids = [daemon.proc.pid for daemon in pair]
        self.relay = net.turn.proc.pid if relayed else None

    def close(self) -> None:
        for daemon in self.daemons:
            daemon.proc.stop()


class NoVpn:
    """The veth itself, to see how steady the machine is."""

    name, package, ends, pids = "no VPN", "", OUTER, []  # of the daemons

    def close(self) -> None:
        pass


class Meter:
    """What the daemons of one VPN use during a run."""

    def __init__(self, pids: list[int]):
        self.pids, self.before, self.rss = pids, sum(map(cpu_seconds, pids)), 0.0

    def stop(self) -> float:
        self.rss = max((int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024 for pid in self.pids), default=0)
        return sum(map(cpu_seconds, self.pids)) - self.before


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def start_ping(host: Node, ip: str, seconds: float):
    return host.popen(["ping", "-n", "-i", "0.005", "-w", max(1, round(seconds)), ip])


def round_trips(ping) -> dict:
    ping.wait(30)
    text = ping.log.read_text()
    times = [float(ms) for ms in re.findall(r"time=([\d.]+) ms", text)]
    sent = int(re.search(r"(\d+) packets transmitted", text)[1])
    return {"p50_ms": percentile(times, 0.5), "p99_ms": percentile(times, 0.99), "lost": 1 - len(times) / sent} if times else {}


def iperf(vpn, *options) -> dict:
    """What iperf3 says at the end, from the first end to the second; with what the daemons used meanwhile."""
    a, b = HOSTS
    server = b.popen(["iperf3", "-s", "-1", "--forceflush", "-B", vpn.ends[1]])
    wait_until(lambda: "Server listening" in server.log.read_text(), what="iperf3")
    meter = Meter(vpn.pids)
    done = a.run(["iperf3", "-J", "-c", vpn.ends[1], "-t", SECONDS, *options], timeout=SECONDS + 20)
    used = meter.stop()
    server.stop()
    end = json.loads(done.stdout or "{}").get("end") or {}
    if "sum_received" not in end and "sum" not in end:
        raise LabError(f"iperf3 through {vpn.name}: {done.stdout[-500:]} {done.stderr}")
    return {**end, "cpu": used, "rss_mib": meter.rss}


def tcp(vpn, *options) -> dict:
    ping, relay = start_ping(HOSTS[0], vpn.ends[1], SECONDS), Meter([vpn.relay] if getattr(vpn, "relay", None) else [])
    end = iperf(vpn, "-C", "cubic", *options)
    parts = [end[key] for key in ("sum_received", "sum_received_bidir_reverse") if key in end]
    gigabytes = sum(part["bytes"] for part in parts) / 1e9
    return {"gbit": sum(part["bits_per_second"] for part in parts) / 1e9, "retransmits": end["sum_sent"].get("retransmits", 0),
            "cpu_s_per_gb": end["cpu"] / gigabytes, "relay_cpu_s_per_gb": relay.stop() / gigabytes,
            "rss_mib": end["rss_mib"], "rtt": round_trips(ping)}


def udp(vpn, size: int) -> dict:
    end = iperf(vpn, "-u", "-b", 0, "-l", size)
    total = end["sum"]
    received = total["packets"] - total["lost_packets"]
    rate = received / total["seconds"]
    return {"gbit": rate * size * 8 / 1e9, "kpps": rate / 1e3, "sent_kpps": total["packets"] / total["seconds"] / 1e3,
            "cpu_us_per_packet": end["cpu"] * 1e6 / max(1, received)}


MEASURES = {
    "idle": lambda vpn: round_trips(start_ping(HOSTS[0], vpn.ends[1], min(SECONDS, 2))),
    "tcp1": lambda vpn: tcp(vpn, "-P", 1),
    "tcp4": lambda vpn: tcp(vpn, "-P", 4),
    "both": lambda vpn: tcp(vpn, "--bidir"),
    "udp1350": lambda vpn: udp(vpn, 1350),
    "udp64": lambda vpn: udp(vpn, 64),
}
HOSTS: list[Node] = []


def measure(vpn) -> dict:
    figures = {}
    for name, take in MEASURES.items():
        if vpn.pids or name in ("idle", "tcp1"):
            try:
                figures[name] = take(vpn)
            except (LabError, subprocess.TimeoutExpired) as error:
                say(f"{vpn.name} {name}: {str(error)[:300]}")
    return figures


def set_up(net: FloeLab, stack: ExitStack) -> list:
    """Two hosts with a way to the servers, and a veth between them that all but the relayed take."""
    if missing := rivals.missing():
        raise Skip(f"not installed: {' '.join(missing)}; packaging/install-deps.sh bench")
    net.start_rendezvous()
    net.start_relay()
    HOSTS[:] = [net.lab.server(name) for name in "ab"]
    Link((HOSTS[0], "lan0"), (HOSTS[1], "lan0"))
    for host, ip in zip(HOSTS, OUTER):
        host.iproute(f"addr add {ip}/24 dev lan0")
    # The rendezvous has a relay too, which is not to be used.
    HOSTS[0].block(proto="udp", ip=net.rendezvous.server.ip)
    vpns = []
    for make in (lambda: Floe(net, HOSTS, relayed=False), lambda: Floe(net, HOSTS, relayed=True),
                 *(lambda rival=rival, n=n: rival(net, HOSTS, OUTER, f"10.{73 + n}.0") for n, rival in enumerate(rivals.ALL))):
        vpns.append(make())
        stack.callback(vpns[-1].close)
    return [NoVpn(), *vpns]


def machine() -> dict:
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    git = ["git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT), "describe", "--always", "--dirty"]
    return {"cpu": model[1] if model else platform.machine(), "cores": os.cpu_count(), "kernel": platform.release(),
            "commit": subprocess.run(git, text=True, capture_output=True).stdout.strip() or "unknown",
            "date": time.strftime("%Y-%m-%d"), "load_before": os.getloadavg()[0]}


def median(rows: list[dict], *keys) -> float | None:
    values = []
    for row in rows:
        for key in keys:
            row = (row or {}).get(key)
        if row is not None:
            values.append(row)
    return statistics.median(values) if values else None


def table(way: str, taken: dict[str, list[dict]]) -> list[str]:
    """Medians. The first ratio is floe's throughput to that of the row."""
    columns = [("TCP 1", "{:.2f}", ("tcp1", "gbit")), ("CPU-s/GB", "{:.2f}", ("tcp1", "cpu_s_per_gb")),
               ("coturn's", "{:.2f}", ("tcp1", "relay_cpu_s_per_gb")), ("TCP 4", "{:.2f}", ("tcp4", "gbit")),
               ("both ways", "{:.2f}", ("both", "gbit")), ("UDP 1350", "{:.2f}", ("udp1350", "gbit")), ("UDP 64 kpps", "{:.0f}", ("udp64", "kpps")),
               ("CPU µs/packet", "{:.1f}", ("udp64", "cpu_us_per_packet")),
               ("idle RTT p50", "{:.2f}", ("idle", "p50_ms")), ("p99", "{:.2f}", ("idle", "p99_ms")),
               ("loaded RTT p50", "{:.2f}", ("tcp1", "rtt", "p50_ms")), ("p99", "{:.2f}", ("tcp1", "rtt", "p99_ms")),
               ("RSS MiB", "{:.1f}", ("tcp4", "rss_mib"))]
    lines = [f"{way}:", "", "| | floe is | " + " | ".join(title for title, _, _ in columns) + " |", "| --- |" + " --- |" * (len(columns) + 1)]
    best = median(taken.get("floe", []), "tcp1", "gbit")
    for name, rows in taken.items():
        own = median(rows, "tcp1", "gbit")
        cells = [f"{best / own:.1f} x" if best and own else "-"]
        cells += ["-" if (value := median(rows, *keys)) is None else form.format(value) for _, form, keys in columns]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def bench_floe_and_others(net: FloeLab) -> str:
    with ExitStack() as stack:
        vpns = set_up(net, stack)
        versions = {vpn.name: rivals.version(vpn.package) for vpn in vpns if vpn.package}
        about = {**machine(), "seconds": SECONDS, "rounds": RUNS, "versions": versions}
        ways = {"Segments pass the veth whole": vpns, "The veth takes single packets alone": [vpn for vpn in vpns if vpn.name != "floe, relayed"]}
        taken = {way: {vpn.name: [] for vpn in which} for way, which in ways.items()}
        for way, which in ways.items():
            if which is not vpns:
                for host in HOSTS:
                    expect(not host.run(["ethtool", "-K", "lan0", *CUT]).returncode, "ethtool does not switch offloads off")
            for number in range(RUNS):
                for vpn in which[::-1] if number % 2 else which:
                    figures = measure(vpn)
                    taken[way][vpn.name].append(figures)
                    one = figures.get("tcp1", {})
                    say(f"{number + 1}/{RUNS} {vpn.name:14} TCP 1: {one.get('gbit', 0):6.2f} Gbit/s, {one.get('cpu_s_per_gb', 0):6.2f} CPU-s/GB")
    report = [f"{about['cpu']}, {about['cores']} cores, Linux {about['kernel']}; commit {about['commit']}, {about['date']}; {RUNS} rounds, runs of "
              f"{SECONDS} s, cubic; " + ", ".join(f"{name} {version}" for name, version in versions.items()) + ". Gbit/s, ms.", ""]
    for way, rows in taken.items():
        report += table(way, rows)
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "tunnel.json").write_text(json.dumps({"schema": "floe.bench/1", "about": about, "runs": taken}, indent=1) + "\n")
    (OUT / "tunnel.md").write_text("\n".join(report))
    print("\n".join(report), flush=True)
    return f"{OUT}/tunnel.json, {OUT}/tunnel.md"
