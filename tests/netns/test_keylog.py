"""Wireshark's dissector reads what floed and a plain WireGuard device say to each other, given the key log."""
import subprocess
import time

from harness import FloeLab, section
from run import case, expect
from wireguard import PORT, WireGuard

ADDRESS = "10.71.0.200"


def tshark(capture, keys, wanted: str, field: str) -> list[str]:
    done = subprocess.run(["tshark", "-r", capture, "-o", f"wg.keylog_file:{keys}", "-d", f"udp.port=={PORT},wg",
                           "-Y", wanted, "-T", "fields", "-e", field], text=True, capture_output=True, timeout=60)
    expect(not done.returncode, f"tshark: exit {done.returncode}: {done.stderr}")
    return done.stdout.split()


def test_wireshark_reads_the_tunnel_with_the_key_log(net: FloeLab) -> None:
    daemon = net.daemon(net.lab.site("home", "none").host("home_pc"))
    plain = WireGuard(net, net.lab.site("office", "none").host("office_pc"), ADDRESS)
    daemon.peers.append(section("[[peer]]", name="plain", public_key=plain.public_key, allowed_ips=[f"{ADDRESS}/32"],
                                endpoint=f"{plain.host.ip}:{PORT}"))
    keys, argv = daemon.dir / "keys", daemon.argv
    try:
        with case("a file that others may read is refused"):
            keys.touch(mode=0o644)
            daemon.config_file.write_text(daemon.config())
            done = daemon.host.run([*argv, "--wg-keylog", keys])
            expect(done.returncode == 2 and f"chmod 600 {keys}" in done.stderr, f"exit {done.returncode}: {done.stderr}")
            keys.chmod(0o600)
        for first in "floe", "plain":
            with case(f"{first} begins the handshake"):
                capture = daemon.host.capture("any", "udp")
                # A device that knows nobody waits to be called.
                plain.add_peer(daemon, **(dict(endpoint=f"{daemon.host.ip}:41820") if first == "plain" else {}))
                daemon.proc = daemon.host.popen([*argv, "--wg-keylog", keys])
                daemon.wait_ready()
                if first == "plain":
                    expect(plain.ping(daemon.address) is not None, "no answer from floe")
                else:
                    expect(daemon.host.ping(ADDRESS, 3, 5) is not None, "no answer from wireguard-go")
                text = daemon.floe("status", "-d").stdout
                expect("--wg-keylog" in text, f"the status does not warn: {text}")
                time.sleep(0.5)
                capture.stop()
                daemon.stop()
                plain.forget_peer(daemon)
                types = set(tshark(capture.path, keys, "wg", "wg.type"))
                expect({"1", "2", "4"} <= types, f"of the messages only {types} were seen")
                inside = tshark(capture.path, keys, "icmp.type == 8", "icmp.type")
                expect(inside, "no echo request was found inside the tunnel")
                blind = tshark(capture.path, "/dev/null", "icmp.type == 8", "icmp.type")
                expect(not blind, "echo requests are readable without the keys")
    finally:
        plain.close()
