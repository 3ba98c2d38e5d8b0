"""A plain WireGuard device that is known by a name: names with several addresses, and names that move."""
import contextlib
import shutil
from pathlib import Path

from harness import Daemon, FloeLab, wait_until
from lab import Node
from run import case, expect
from wireguard import PORT, WireGuard, daemon_and_device

NAME, NOWHERE = "device.example", "203.0.113.126"  # where nobody is


@contextlib.contextmanager
def hosts_file(node: Node):
    """The /etc/hosts of one node, to be written at any time; ip-netns(8) shows it to what is started from here on."""
    file = Path("/etc/netns") / node.ns / "hosts"
    file.parent.mkdir(parents=True)
    file.write_text("")
    try:
        yield file
    finally:
        shutil.rmtree(file.parent)
        with contextlib.suppress(OSError):  # Others may have theirs.
            file.parent.parent.rmdir()


def reached(daemon: Daemon, plain: WireGuard) -> bool:
    return daemon.host.ping(plain.address, 1, 1) is not None


def expect_seen(daemon: Daemon, plain: WireGuard) -> None:
    seen = daemon.status()["peers"][0]["path"]["remote"]
    expect(seen == f"{plain.host.ip}:{PORT}", f"floe sends to {seen}")


def test_endpoint_by_name(net: FloeLab) -> None:
    with daemon_and_device(net, f"{NAME}:{PORT}") as (daemon, plain), hosts_file(daemon.host) as hosts:
        with case("a name that is not known yet", vital=True):
            daemon.start()
            expect(not reached(daemon, plain), "it is reached before its name is known")
        with case("the first address of the name does not answer, the second does", vital=True):
            hosts.write_text(f"{NOWHERE} {NAME}\n{plain.host.ip} {NAME}\n")
            wait_until(lambda: reached(daemon, plain), 60, what="the device by the second address of its name")
            expect_seen(daemon, plain)
        with case("the device moves in silence, and its name with it"):
            before = plain.host.ip
            plain.host.readdress()
            expect(plain.host.ip != before, "it has not moved")
            hosts.write_text(f"{plain.host.ip} {NAME}\n")
            # 15 s until silence is noticed, 5 s until nothing answers, and 5 s more if both have to be said again.
            wait_until(lambda: reached(daemon, plain), 60, what="the device where its name says")
            expect_seen(daemon, plain)
