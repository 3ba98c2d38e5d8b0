"""Each offload on and off, in every combination: the bytes arrive as they were, and what is no TCP passes or is dropped."""
import itertools
import socket
import struct
import time

from harness import Daemon, FloeLab, section, two_sites
from run import case, expect
from transfer import both_ways

WORDS = {"tun": ["tso", "uso"], "coalesce": ["coalesce"], "segment": ["udp-segment"], "gro": ["udp-gro"]}
MEGABYTES = 75  # each way, in every combination
ETH_P_IP, ETH_P_IPV6 = 0x0800, 0x86DD
LARGEST = 1400  # bytes of payload in the largest datagrams, which are IP fragments


def make_pair(net: FloeLab) -> list[Daemon]:
    """Two daemons on one LAN that know each other's address, and so need no servers."""
    site = net.lab.site("lan", "dual_stack")
    pair = [net.daemon(site.host(name)) for name in "ab"]
    for daemon, number in zip(pair, "12"):
        daemon.address6 = f"fd71::{number}"
        daemon.sections["node"]["addresses"] = [f"{daemon.address}/24", f"{daemon.address6}/64"]
        daemon.sections["log"] = {"level": "info"}
    for here, there in (pair, pair[::-1]):
        here.peers.append(section("[[peer]]", name=there.name, public_key=there.public_key, endpoint=f"{there.host.ip}:41820",
                                  allowed_ips=[f"{there.address}/32", f"{there.address6}/128"]))
    return pair


def start(pair: list[Daemon], offload) -> None:
    for daemon in pair:
        if daemon.proc:
            daemon.stop()
        daemon.sections["tun"] = {"offload": offload}
        daemon.start()
    a, b = pair
    a.wait_ping(b)


def checksum_errors(daemon: Daemon) -> dict[str, int]:
    """As the kernel has counted them since the namespace was made."""
    found, lines = {}, daemon.host.run(["cat", "/proc/net/snmp"]).stdout.splitlines()
    for names, values in zip(lines[::2], lines[1::2]):
        protocol = names.split(":")[0]
        found |= {protocol + name: int(value) for name, value in zip(names.split()[1:], values.split()[1:]) if name == "InCsumErrors"}
    six = daemon.host.run(["cat", "/proc/net/snmp6"]).stdout.split()
    found |= {name: int(value) for name, value in zip(six[::2], six[1::2]) if name.endswith("InCsumErrors")}
    return {name: count for name, count in found.items() if count}


def drops(daemon: Daemon) -> dict[str, int]:
    return daemon.status()["tunnel"]["drops"]


def expect_clean(pair: list[Daemon]) -> None:
    for daemon in pair:
        expect(not checksum_errors(daemon), f"{daemon}: {checksum_errors(daemon)}")
        expect(not {"replayed_transport", "forged_transport", "malformed_inner", "malformed_packet"} & drops(daemon).keys(),
               f"{daemon} dropped {drops(daemon)}")


def test_offloads_in_every_combination(net: FloeLab) -> None:
    pair = a, b = make_pair(net)
    for number, switches in enumerate(itertools.product((True, False), repeat=len(WORDS))):
        on = [name for name, switch in zip(WORDS, switches) if switch]
        wanted = [word for name in on for word in WORDS[name]]
        with case(" ".join(on) or "none") as note:
            start(pair, "auto" if all(switches) else wanted or "off")
            for daemon in pair:
                used = [name for name, state in daemon.status()["tunnel"]["offloads"].items() if state["on"]]
                # An older kernel has no USO.
                expect({*used, "uso"} == {*wanted, "uso"}, f"{daemon} uses {used} in place of {wanted}")
            note(both_ways(a.host, a.address, b.host, b.address, MEGABYTES * 1_000_000, odd_sizes=number))
            expect_clean(pair)


def test_offloads_through_a_relay(net: FloeLab) -> None:
    """There each datagram has four bytes more in front, and the relay takes and gives them one by one."""
    sites = two_sites(net, "symmetric", "symmetric")
    pair = a, b = [sites.a, sites.b]
    for offload in ("auto", "off"):
        with case(offload) as note:
            start(pair, offload)
            expect(a.path(b)["kind"] == "relay", f"the path is {a.path(b)}")
            note(both_ways(a.host, a.address, b.host, b.address, MEGABYTES * 1_000_000 // 3, odd_sizes=7))
            expect_clean(pair)


def udp_of_every_size(a: Daemon, ip_a: str, b: Daemon, ip_b: str) -> str:
    """Of 0 to 1400 bytes, each answered with the same before the next but nine is sent."""
    family, window = (socket.AF_INET6 if ":" in ip_a else socket.AF_INET), 10
    with b.host.socket(family, bind=(ip_b, 7200)) as server, a.host.socket(family, bind=(ip_a, 7200)) as client:
        server.settimeout(10)
        client.settimeout(10)
        sizes = range(LARGEST + 1)
        for first in range(0, len(sizes), window):
            sent = [bytes((size + i) % 251 for i in range(size)) for size in sizes[first:first + window]]
            for data in sent:
                client.sendto(data, (ip_b, 7200))
            for data in sent:
                got, sender = server.recvfrom(65536)
                expect(got == data, f"{len(got)} bytes came out where {len(data)} went in")
                server.sendto(got, sender)
            for data in sent:
                expect(client.recv(65536) == data, f"other bytes came back than the {len(data)} that went in")
    return f"{len(sizes)} sizes there and back"


def ip6_packet(a: Daemon, b: Daemon, next_header: int, payload: bytes) -> bytes:
    return (struct.pack("!IHBB", 6 << 28, len(payload), next_header, 64) + socket.inet_pton(socket.AF_INET6, a.address6)
            + socket.inet_pton(socket.AF_INET6, b.address6) + payload)


def udp6(a: Daemon, b: Daemon, port: int, data: bytes) -> bytes:
    """A UDP header and data, with the checksum of RFC 8200 section 8.1."""
    header = struct.pack("!HHHH", port, port, 8 + len(data), 0)
    ends = [socket.inet_pton(socket.AF_INET6, daemon.address6) for daemon in (a, b)]
    covered = b"".join(ends) + struct.pack("!II", 8 + len(data), 17) + header + data
    total = sum(struct.unpack(f"!{(len(covered) + 1) // 2}H", covered + b"\0" * (len(covered) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return header[:6] + struct.pack("!H", (~total & 0xFFFF) or 0xFFFF) + data


def write_frame(daemon: Daemon, protocol: int, frame: bytes) -> None:
    """To the TUN device, past the kernel's IP: floed reads it as it is."""
    with daemon.host.entered():
        with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as raw:
            raw.sendto(frame, ("floe0", protocol))


def extension_headers(a: Daemon, b: Daemon) -> None:
    """UDP behind each kind, by itself and all together, arrives as it would without a tunnel."""
    pad = struct.pack("!BB", 1, 4) + bytes(4)  # PadN: eight bytes with the two before it
    hop, destination, fragment = 0, 60, 44
    chains = {"hop-by-hop": [hop], "destination": [destination], "an atomic fragment": [fragment],
              "all": [hop, destination, fragment, destination]}
    with b.host.socket(socket.AF_INET6, bind=(b.address6, 7300)) as server:
        server.settimeout(5)
        for name, chain in chains.items():
            data = name.encode() * 20
            packet, following = udp6(a, b, 7300, data), 17
            for kind in reversed(chain):
                packet = (struct.pack("!BBHI", following, 0, 0, 77) if kind == fragment else struct.pack("!BB", following, 0) + pad) + packet
                following = kind
            write_frame(a, ETH_P_IPV6, ip6_packet(a, b, following, packet))
            expect(server.recv(4096) == data, f"behind {name}, other bytes came out")


def not_ip(a: Daemon, b: Daemon) -> str:
    before = drops(a).get("malformed_packet", 0)
    frames = [(0x88B5, bytes(60)), (0x0806, bytes(28)), (ETH_P_IP, b"\x45"), (ETH_P_IP, b"\x45" + bytes(10)),
              (ETH_P_IPV6, b"\x60" + bytes(20)), (ETH_P_IP, b"\xf0" * 100), (ETH_P_IP, b"\x45\0\xff\xff" + bytes(60))]
    for protocol, frame in frames:
        write_frame(a, protocol, frame)
    deadline = time.monotonic() + 5
    while (counted := drops(a).get("malformed_packet", 0) - before) < len(frames) and time.monotonic() < deadline:
        time.sleep(0.05)
    expect(counted == len(frames), f"{counted} of {len(frames)} frames that are no IP packets were counted: {drops(a)}")
    expect(a.ping(b, 3) is not None, "the link is gone after them")
    return f"{counted} dropped"


def test_what_is_no_tcp(net: FloeLab) -> None:
    """With all offloads and with none: UDP, ICMP, fragments, extension headers, and what is no IP."""
    pair = a, b = make_pair(net)
    for offload in ("auto", "off"):
        start(pair, offload)
        for family, ends in (("IPv4", (a, a.address, b, b.address)), ("IPv6", (a, a.address6, b, b.address6))):
            with case(f"UDP over {family}, all sizes, {offload}") as note:
                note(udp_of_every_size(*ends))
            with case(f"ICMP and fragments over {family}, {offload}"):
                # 1380 bytes fill the interface, 1381 make a second fragment; a -s of 20,000 makes fifteen.
                for size in (0, 1, 56, 1360, 1380, 1381, 1400, 4000, 20_000):
                    expect(not a.host.run(["ping", "-n", "-c", 2, "-i", "0.05", "-W", 5, "-s", size, ends[3]]).returncode,
                           f"no answer to pings of {size} bytes")
        with case(f"IPv6 extension headers, {offload}"):
            extension_headers(a, b)
        with case(f"no drops and no wrong checksums, {offload}"):
            expect_clean(pair)
        with case(f"frames that are no IP packets, {offload}") as note:
            note(not_ip(a, b))
