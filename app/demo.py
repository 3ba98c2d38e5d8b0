#!/usr/bin/python3
"""The work of demo.sh: two machines behind NATs, linked by floe, in network namespaces."""
import argparse
import os
import re
import signal
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/netns"))
import harness  # noqa: E402
from lab import RUN, LabError, cleanup, wait_until  # noqa: E402

MARK = "demo"  # a file of this name in a lab's directory holds the process that keeps it
KINDS = {"easy": "eim_apdf", "hard": "symmetric"}
EXPLAINED = {
    "easy": "an ordinary home router: it lets in only answers to what was sent out",
    "hard": "a strict router: it also uses another public port for every destination, so nobody can be told which",
}
TYPES = {"host": "an address of its own", "srflx": "how a server on the internet sees it, through its router",
         "prflx": "learned from the peer's packets", "relay": "an address at the relay"}


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


def candidates(daemon: harness.Daemon) -> list[tuple[str, str, str]]:
    """(type, address, related address) of what floed said it found, in the order found."""
    log, found = daemon.proc.log.read_text(errors="replace"), []
    for line in re.findall(r"candidate:.*", log):
        fields = re.match(r"candidate:\S+ \d+ (\w+) \d+ (\S+) (\d+) typ (\w+)(?: raddr (\S+) rport (\d+))?", line, re.I)
        if fields:
            base = f", from {fields[5]}:{fields[6]}" if fields[5] and fields[5] != fields[2] else ""
            item = (fields[4], f"{fields[2]}:{fields[3]} {fields[1].lower()}", base)
            if item not in found:
                found.append(item)
    return found


def show(net: harness.FloeLab, a: harness.Daemon, b: harness.Daemon, nat: str) -> None:
    a.wait_up(b)
    b.wait_up(a)
    if nat == "easy":
        for here, there in ((a, b), (b, a)):
            here.wait_direct(there)
    say(f"linked, {'directly' if nat == 'easy' else 'through the relay'}")

    heading("candidates: the addresses at which each machine might be reached")
    for daemon in (a, b):
        say(f"  {daemon.name}")
        for kind, address, base in candidates(daemon):
            say(f"    {kind:6} {address:28} {TYPES.get(kind, '')}{base}")

    heading("the pair of them that carries the link")
    path = a.path(b)
    say(f"    {a.name} {path['local_type']} {path['local']}  <->  {path['remote_type']} {path['remote']} {b.name}"
        f"   ({path['kind']}, over {path['transport']})")
    connect = a.peer(b).get("connect_ms") or {}
    for key, what in (("first_path", "first path"), ("direct", "direct path")):
        if connect.get(key) is not None:
            say(f"    {what} after {connect[key]:.0f} ms")

    for daemon in (a, b):
        heading(f"floe status, on {daemon.name}")
        say(indent(daemon.floe("status").stdout))

    heading(f"ping from {a.name} to {b.name}, through the tunnel (the line between them takes 20 ms there and back)")
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
Two machines, "alice" and "bob", each in a home network behind a router (a NAT). Neither can be called from outside:
    {EXPLAINED[nat]}.
On the internet between them is a rendezvous server, through which they find each other, and a relay (coturn).

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
        say(f"    {daemon.name}: {daemon.host.ip} at home, {router} to the internet, {daemon.address} inside the VPN")
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
