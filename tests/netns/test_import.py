"""A file for wg-quick becomes a configuration, and what it describes a link."""
import os

from harness import FloeLab, floe
from run import expect
from wireguard import PORT, WireGuard

ADDRESS, PSK = "10.71.0.200", "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE="


def test_an_imported_file_links_with_wireguard(net: FloeLab) -> None:
    daemon = net.daemon(net.lab.site("home", "none").host("home_pc"))
    plain = WireGuard(net, net.lab.site("office", "none").host("office_pc"), ADDRESS)
    where = daemon.dir / "imported"
    where.mkdir()
    wg_file = where / "wg0.conf"
    wg_file.write_text(f"[Interface]\nPrivateKey = {daemon.private_key}\nAddress = {daemon.address}/24\n"
                       f"ListenPort = 41999\nMTU = 1400\nPostUp = true\n\n# office\n[Peer]\nPublicKey = {plain.public_key}\n"
                       f"PresharedKey = {PSK}\nAllowedIPs = 10.71.0.0/24\nEndpoint = {plain.host.ip}:{PORT}\n")
    os.chmod(wg_file, 0o600)
    daemon.config_file = where / "floe.toml"
    try:
        done = floe("import", "wg", wg_file, "-o", daemon.config_file)
        expect(done.returncode == 0 and "PostUp" in done.stderr, f"exit {done.returncode}: {done.stdout}{done.stderr}")
        plain.add_peer(daemon, preshared_key=PSK)
        daemon.proc = daemon.host.popen(daemon.argv)
        daemon.wait_ready()
        expect(daemon.host.ping(ADDRESS, 3, 5) is not None, "no answer from wireguard-go")
        status = daemon.status()
        expect(status["node"]["listen_port"] == 41999, f"the port is {status['node']['listen_port']}")
        expect(status["peers"][0]["name"] == "office", f"the peer is {status['peers'][0]['name']}")
    finally:
        plain.close()
