#!/usr/bin/python3
"""The work of demo.sh: two machines behind NATs, linked by floe, in network namespaces."""
import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)  # until there is something to clean up, Ctrl-C just ends it

import argparse  # noqa: E402
import os  # noqa: E402
import re  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/netns"))
import harness  # noqa: E402
from lab import RUN, LabError, cleanup, wait_until  # noqa: E402

MARK = "demo"  # a file of this name in a lab's directory holds the process that keeps it
KINDS = {"easy": "eim_apdf", "hard": "symmetric"}
EXPLAINED = {
    "easy": "The routers are ordinary ones: each lets in only answers to what was sent out through it.",
    "hard": "The routers are strict ones: each lets in only answers, and sends from another port to every destination,\n"
            "so that nobody can be told where to aim. No direct path gets through two of them.",
}
TYPES = {"host": "its own, on the network at home", "srflx": "its router's, as a server on the internet sees it",
         "prflx": "its router's, as the other machine sees it", "relay": "lent by {}"}


def say(text: str = "") -> None:
    print(text, flush=True)


def heading(text: str) -> None:
    say(f"\n--- {text}")


def indent(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.rstrip().splitlines())


def standing() -> list[tuple[int, Path]]:
    """(keeper's process, directory) of each demo that --keep has left up."""
    return [(int(mark.read_text()), mark.parent) for mark in RUN.glob(f"lab*/{MARK}")]


def take_down() -> int:
    found = standing()
    for pid, directory in found:
        command_line = Path(f"/proc/{pid}/cmdline")
        # Should the keeper have died, its number may be another's; then cleanup() removes the lab.
        if command_line.exists() and b"demo.py" in command_line.read_bytes():
            os.kill(pid, signal.SIGTERM)
            wait_until(lambda: not directory.exists(), 20, what=f"process {pid} to clean up")
    cleanup()
    say("the demo is gone" if found else "no demo is up")
    return 0


def candidates(net: harness.FloeLab, daemon: harness.Daemon) -> list[tuple[str, str, str]]:
    """(type, address, what that means) of what floed said it found, in the order found."""
    servers = {net.rendezvous.server.ip: "the rendezvous server, which is a relay too", net.turn.ip: "coturn, the relay"}
    found = []
    for transport, ip, port, kind in re.findall(r"found candidate:\S+ \d+ (\w+) \d+ (\S+) (\d+) typ (\w+)",
                                                daemon.proc.log.read_text(errors="replace")):
        item = (kind, f"{ip}:{port} {transport.lower()}", TYPES.get(kind, "").format(servers.get(ip, ip)))
        if item not in found:
            found.append(item)
    return found


def show(net: harness.FloeLab, a: harness.Daemon, b: harness.Daemon, nat: str) -> None:
    a.wait_up(b)
    b.wait_up(a)
    if nat == "easy":
        for here, there in ((a, b), (b, a)):
            here.wait_direct(there)
    path = a.path(b)
    say(f"linked, {'directly' if path['kind'] == 'direct' else 'through the relay'}")

    heading("candidates: the addresses at which each machine might be reached")
    for daemon in (a, b):
        say(f"    {daemon.name}")
        for kind, address, meaning in candidates(net, daemon):
            say(f"      {kind:6} {address:26} {meaning}")
    say("    Each told the other its own, sealed, through the rendezvous server; both then tried the pairs of them.")

    heading(f"the pair that won: {path['kind']}, over {path['transport']}")
    say(f"    {a.name} {path['local']} ({path['local_type']})  <->  {path['remote']} ({path['remote_type']}) {b.name}")
    connect = a.peer(b).get("connect_ms") or {}
    if connect.get("first_path") is not None:
        say(f"    found {connect['first_path']:.0f} ms after {a.name} began to look for {b.name}")

    for daemon in (a, b):
        heading(f"floe status, on {daemon.name}")
        say(indent(daemon.floe("status").stdout))

    heading(f"ping from {a.name} to {b.name}, through the tunnel (the lines alone take 20 ms there and back)")
    ping = a.host.run(["ping", "-n", "-c", 10, "-i", "0.2", b.address])
    say(indent("\n".join(ping.stdout.splitlines()[-2:])))

    heading(f"throughput from {a.name} to {b.name}, through the tunnel, for 3 s")
    try:
        say(f"    {net.lab.iperf(a.host, b.host, ip=b.address, seconds=3) * 1000:.0f} Mbit/s of TCP, "
            f"all of it encrypted and decrypted on this machine's {os.cpu_count()} cores")
    except LabError as error:
        say(f"    not measured: {error}")


def run(net: harness.FloeLab, nat: str) -> tuple[harness.Daemon, harness.Daemon]:
    kind = KINDS[nat]
    say(f"""
Two machines, alice and bob, each at home behind a router (a NAT), so that neither can be called from outside.
{EXPLAINED[nat]}
On the internet between them are a rendezvous server, through which they find each other, and a relay (coturn).

    alice --- router --- [ internet: rendezvous, relay ] --- router --- bob
""")
    say("making the networks ...")
    net.start_rendezvous()
    net.start_relay()
    a = net.daemon(net.lab.site("alice.home", kind).host("alice"))
    b = net.daemon(net.lab.site("bob.home", kind).host("bob"))
    net.link(a, b)
    for site in ("alice.home", "bob.home"):
        net.lab.link(net.lab.nodes[site], delay_ms=5)
    for daemon in (a, b):
        router = daemon.host.site.public_ip
        say(f"    {daemon.name + ':':7}{daemon.host.ip:13} at home, {router} to the internet, {daemon.address} inside the VPN")
    say("starting floed on both ...")
    a.start()
    b.start()
    show(net, a, b, nat)
    return a, b


def how_to_enter(net: harness.FloeLab, a: harness.Daemon, b: harness.Daemon) -> None:
    heading("both machines stay up")
    for daemon, other in ((a, b), (b, a)):
        say(f"  {daemon.name}:")
        say(f"    sudo ip netns exec {daemon.host.ns} bash         # a shell there; try ping {other.address}")
        say(f"    sudo {harness.FLOE} --socket {daemon.socket_file} status")
    say(f"  logs, keys and configurations: {net.lab.dir}")
    say("  to remove it all: sudo app/demo.sh --down")


def keep(net: harness.FloeLab) -> None:
    """Go to the background and hold the lab until SIGTERM."""
    reader, writer = os.pipe()
    if os.fork():
        # The one who was called: leave without cleaning up, once the other has taken over.
        os.close(writer)
        os.read(reader, 1)
        sys.stdout.flush()
        os._exit(0)
    os.setsid()
    for fd, mode in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        os.dup2(os.open("/dev/null", mode), fd)
    (net.lab.dir / MARK).write_text(str(os.getpid()))
    os.close(writer)
    os.close(reader)
    signal.pause()


def main() -> int:
    parser = argparse.ArgumentParser(prog="demo.sh", description="Two machines behind two NATs, linked by floe.")
    parser.add_argument("--nat", choices=KINDS, default="easy", help="what kind of router both are behind")
    parser.add_argument("--keep", action="store_true", help="leave the two machines up")
    parser.add_argument("--down", action="store_true", help="remove what --keep has left")
    args = parser.parse_args()
    if args.down:
        return take_down()
    cleanup()
    if args.keep and standing():
        say("a demo is up already; remove it first: sudo app/demo.sh --down")
        return 1
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with harness.FloeLab() as net:
            started = time.monotonic()
            a, b = run(net, args.nat)
            if args.keep:
                how_to_enter(net, a, b)
                keep(net)
            else:
                heading("that was all")
                took = [daemon.stop() for daemon in (b, a)]
                say(f"    both daemons ended when asked, after {max(took) * 1000:.0f} ms; the networks are removed "
                    f"({time.monotonic() - started:.0f} s in all)")
    except KeyboardInterrupt:
        say("\ninterrupted; everything is removed")
        return 130
    except (LabError, OSError) as error:
        say(f"\nthe demo failed: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
