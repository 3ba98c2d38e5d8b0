"""A plain WireGuard device that is known by a name: names with several addresses, and names that move."""
import contextlib
import shutil
from pathlib import Path

from harness import FloeLab, section, wait_until
from lab import Node
from run import case, expect
from wireguard import PORT, WireGuard

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


def test_endpoint_by_name(net: FloeLab) -> None:
    daemon = net.daemon(net.lab.site("home", "none").host("home_pc"))
    plain = WireGuard(net, net.lab.site("office", "none").host("office_pc"), "10.71.0.200", mtu=1408)
    daemon.peers.append(section("[[peer]]", name=plain.name, public_key=plain.public_key,
                                allowed_ips=[f"{plain.address}/32"], endpoint=f"{NAME}:{PORT}"))
    plain.add_peer(daemon)

    def reached() -> bool:
        return daemon.host.ping(plain.address, 1, 1) is not None

    def seen() -> str:
        return daemon.status()["peers"][0]["path"]["remote"]

    try:
        with hosts_file(daemon.host) as hosts:
            with case("a name that is not known yet", vital=True):
                daemon.start()
                expect(not reached(), "it is reached before its name is known")
            with case("the first address of the name does not answer, the second does", vital=True):
                hosts.write_text(f"{NOWHERE} {NAME}\n{plain.host.ip} {NAME}\n")
                wait_until(reached, 60, what="the device by the second address of its name")
                expect(seen() == f"{plain.host.ip}:{PORT}", f"floe sends to {seen()}")
            with case("the device moves in silence, and its name with it"):
                before = plain.host.ip
                plain.host.readdress()
                expect(plain.host.ip != before, "it has not moved")
                hosts.write_text(f"{plain.host.ip} {NAME}\n")
                # 15 s until silence is noticed, 5 s until nothing answers, and 5 s more if both have to be said again.
                wait_until(reached, 60, what="the device where its name says")
                expect(seen() == f"{plain.host.ip}:{PORT}", f"floe sends to {seen()}")
    finally:
        plain.close()
