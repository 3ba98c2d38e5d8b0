"""A plain WireGuard device as the peer: wireguard-go on the other host."""
import hashlib
import os
import socket
import threading

from harness import FloeLab, section
from lab import Host
from run import case, expect
from wireguard import PORT, WireGuard

ADDRESS, MEGABYTES = "10.71.0.200", 20


def transfer(source: Host, source_ip: str, target: Host, target_ip: str, port: int) -> None:
    """Send random bytes over TCP and compare what arrives."""
    data = os.urandom(MEGABYTES * 1_000_000)
    with target.socket(kind=socket.SOCK_STREAM, bind=(target_ip, port)) as listener, \
            source.socket(kind=socket.SOCK_STREAM, bind=(source_ip, 0)) as client:
        listener.listen(1)
        client.settimeout(60)
        client.connect((target_ip, port))
        server = listener.accept()[0]
        server.settimeout(60)
        sending = threading.Thread(target=lambda: (client.sendall(data), client.shutdown(socket.SHUT_WR)))
        sending.start()
        digest, size = hashlib.sha256(), 0
        with server:
            while piece := server.recv(1 << 16):
                digest.update(piece)
                size += len(piece)
        sending.join()
    expect(size == len(data), f"{size} bytes came out of {len(data)}")
    expect(digest.digest() == hashlib.sha256(data).digest(), "other bytes came out than went in")


def test_wireguard_go_is_a_peer(net: FloeLab) -> None:
    daemon = net.daemon(net.lab.site("home", "none").host("home_pc"))
    plain = WireGuard(net, net.lab.site("office", "none").host("office_pc"), ADDRESS, mtu=1408)
    daemon.peers.append(section("[[peer]]", name=plain.name, public_key=plain.public_key,
                                allowed_ips=[f"{ADDRESS}/32"], endpoint=f"{plain.host.ip}:{PORT}"))
    try:
        with case("floe begins the handshake"):
            plain.add_peer(daemon)
            daemon.start()
            expect(daemon.host.ping(ADDRESS, 3, 5) is not None, "no answer from wireguard-go")
            expect(plain.handshakes() > 0, "wireguard-go has seen no handshake")
            expect(daemon.status()["peers"][0]["state"] == "up", f"the status says {daemon.status()['peers'][0]}")
        with case("WireGuard begins the handshake"):
            daemon.stop()
            plain.forget_peer(daemon)
            plain.add_peer(daemon, endpoint=f"{daemon.host.ip}:41820")
            daemon.start()
            expect(plain.ping(daemon.address) is not None, "no answer from floe")
            expect(plain.handshakes() > 0, "wireguard-go has seen no handshake")
        with case(f"{MEGABYTES} MB from floe to WireGuard"):
            transfer(daemon.host, daemon.address, plain.host, ADDRESS, 7100)
        with case(f"{MEGABYTES} MB from WireGuard to floe"):
            transfer(plain.host, ADDRESS, daemon.host, daemon.address, 7101)
    finally:
        plain.close()
