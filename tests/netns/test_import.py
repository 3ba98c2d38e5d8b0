"""A file for wg-quick becomes a configuration, and what it describes a link."""
import os

from harness import Daemon, FloeLab, floe
from run import expect
from wireguard import PORT, WireGuard

ADDRESS, FLOE_PORT, PSK = "10.71.0.200", 41999, "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE="


def import_and_start(net: FloeLab, endpoint: bool) -> tuple[Daemon, WireGuard, str]:
    """A daemon with what was imported, a wireguard-go that accepts it, and what was said about the file."""
    daemon = net.daemon(net.lab.site("home", "none").host("home_pc"))
    plain = WireGuard(net, net.lab.site("office", "none").host("office_pc"), ADDRESS)
    where = daemon.dir / "imported"
    where.mkdir()
    wg_file = where / "wg0.conf"
    wg_file.write_text(f"[Interface]\nPrivateKey = {daemon.private_key}\nAddress = {daemon.address}/24\n"
                       f"ListenPort = {FLOE_PORT}\nMTU = 1400\nPostUp = true\n\n# office\n[Peer]\nPublicKey = {plain.public_key}\n"
                       f"PresharedKey = {PSK}\nAllowedIPs = 10.71.0.0/24\n"
                       + (f"Endpoint = {plain.host.ip}:{PORT}\n" if endpoint else ""))
    os.chmod(wg_file, 0o600)
    daemon.config_file = where / "floe.toml"
    done = floe("import", "wg", wg_file, "-o", daemon.config_file)
    expect(done.returncode == 0, f"exit {done.returncode}: {done.stdout}{done.stderr}")
    plain.add_peer(daemon, None if endpoint else f"{daemon.host.ip}:{FLOE_PORT}", PSK)
    daemon.proc = daemon.host.popen(daemon.argv)
    daemon.wait_ready()
    return daemon, plain, done.stderr


def test_an_imported_file_links_with_wireguard(net: FloeLab) -> None:
    daemon, plain, said = import_and_start(net, endpoint=True)
    try:
        expect("PostUp" in said, f"it says {said}")
        expect(daemon.host.ping(ADDRESS, 3, 5) is not None, "no answer from wireguard-go")
        status = daemon.status()
        expect(status["node"]["listen_port"] == FLOE_PORT, f"the port is {status['node']['listen_port']}")
        expect(status["peers"][0]["name"] == "office", f"the peer is {status['peers'][0]['name']}")
    finally:
        plain.close()


def test_an_imported_peer_without_endpoint_calls(net: FloeLab) -> None:
    daemon, plain, _ = import_and_start(net, endpoint=False)
    try:
        expect(daemon.host.ping(ADDRESS, 1, 1) is None, "it is reached before it has called")
        expect(plain.ping(daemon.address) is not None, "no answer to WireGuard's pings")
        expect(daemon.host.ping(ADDRESS, 3, 5) is not None, "no answer from wireguard-go")
        peer = daemon.status()["peers"][0]
        expect(peer["endpoint"] == "any" and peer["path"]["remote"] == f"{plain.host.ip}:{PORT}", f"the status says {peer}")
    finally:
        plain.close()
