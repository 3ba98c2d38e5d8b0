"""What is in a capture file: just enough of pcap, IP, UDP and TCP to say of each packet what it is."""
import collections
import ipaddress
import struct
from pathlib import Path
from typing import Iterator, NamedTuple

MAGIC_COOKIE = 0x2112A442
# Link type: (bytes before the IP header, where in them the EtherType is)
LINK_TYPES = {1: (14, 12), 113: (16, 14), 276: (20, 0)}
IPV4, TCP, UDP, ICMP = 0x0800, 6, 17, 1


class Packet(NamedTuple):
    source: str
    target: str
    protocol: int
    source_port: int
    target_port: int
    payload: bytes


def packets(path: Path) -> Iterator[Packet]:
    """The IPv4 packets of a file that tcpdump wrote on this machine."""
    data = path.read_bytes()
    magic, _, _, _, _, _, link_type = struct.unpack_from("<IHHIIII", data)
    if magic not in (0xA1B2C3D4, 0xA1B23C4D):
        raise ValueError(f"{path}: not a capture file of this machine")
    skip, ether_type = LINK_TYPES[link_type]
    at = 24
    while at + 16 <= len(data):
        size = struct.unpack_from("<8xI", data, at)[0]
        frame, at = data[at + 16:at + 16 + size], at + 16 + size
        if len(frame) >= skip + 20 and struct.unpack_from("!H", frame, ether_type)[0] == IPV4:
            yield parse_ipv4(frame[skip:])


def parse_ipv4(data: bytes) -> Packet:
    header, total = (data[0] & 15) * 4, struct.unpack_from("!H", data, 2)[0]
    protocol, source, target = data[9], *(str(ipaddress.ip_address(data[n:n + 4])) for n in (12, 16))
    body = data[header:total or len(data)]
    fragment = struct.unpack_from("!H", data, 6)[0] & 0x1FFF
    if protocol not in (TCP, UDP) or fragment:
        return Packet(source, target, protocol, 0, 0, body)
    ports = struct.unpack_from("!HH", body)
    return Packet(source, target, protocol, *ports, body[8 if protocol == UDP else (body[12] >> 4) * 4:])


def kind_of_datagram(data: bytes) -> str:
    """'wireguard', 'stun', 'channel data' (of what it says it carries) or 'unknown'."""
    if len(data) >= 16 and data[0] in (1, 2, 3, 4) and data[1:4] == bytes(3):
        return "wireguard"
    if len(data) >= 20 and data[0] < 64 and struct.unpack_from("!I", data, 4)[0] == MAGIC_COOKIE:
        return "stun"
    if len(data) > 4 and 64 <= data[0] <= 79 and kind_of_datagram(data[4:]) in ("wireguard", "stun"):
        return "channel data"
    return "unknown"


def kinds(path: Path, rendezvous: str) -> collections.Counter:
    """How many packets of each kind a capture holds. TCP counts as 'signaling' if the rendezvous is one of its ends; else
    it is between peers, and each segment is taken to begin with a frame."""
    found: collections.Counter = collections.Counter()
    for packet in packets(path):
        if packet.protocol == UDP:
            kind = kind_of_datagram(packet.payload)
        elif packet.protocol == TCP and (rendezvous, 8080) in ((packet.source, packet.source_port),
                                                              (packet.target, packet.target_port)):
            kind = "signaling"
        elif packet.protocol == TCP and not packet.payload:
            kind = "tcp without payload"
        elif packet.protocol == TCP:  # RFC 4571
            kind = kind_of_datagram(packet.payload[2:])
        elif packet.protocol == ICMP and packet.payload[0] == 3:
            kind = "icmp unreachable"
        else:
            kind = "unknown"
        found[kind if kind != "unknown" else f"unknown: {packet.source} to {packet.target} protocol "
              f"{packet.protocol} ports {packet.source_port} {packet.target_port} {packet.payload[:16].hex()}"] += 1
    return found
