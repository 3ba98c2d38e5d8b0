"""The rendezvous with TLS, as on the open internet."""
import signal
import socket
import ssl
import subprocess

from harness import RENDEZVOUS, FloeLab, Pair, SecureRendezvous, wait_until
from run import case, expect


def secured(net: FloeLab) -> Pair:
    net.rendezvous = SecureRendezvous(net.lab.server("rendezvous"))
    pair = Pair(net, *(net.daemon(net.lab.site(f"site_{name}", "eim_apdf").host(name)) for name in "ab"))
    for daemon in (pair.a, pair.b):
        daemon.env = net.rendezvous.trust()
    net.link(pair.a, pair.b)
    return pair


def serial(net: FloeLab) -> str:
    """Of the certificate that the server shows now."""
    with net.rendezvous.server.socket(kind=socket.SOCK_STREAM) as raw:
        raw.settimeout(5)
        raw.connect((net.rendezvous.server.ip, 443))
        context = ssl.create_default_context(cafile=str(net.rendezvous.ca))
        context.check_hostname = False
        with context.wrap_socket(raw) as sock:
            return sock.getpeercert()["serialNumber"]


def https(net: FloeLab, path: str) -> str:
    server = net.rendezvous.server
    return server.run(["openssl", "s_client", "-quiet", "-verify_return_error", "-CAfile", str(net.rendezvous.ca), "-connect", f"{server.ip}:443"],
                      input=f"GET {path} HTTP/1.1\r\nHost: {server.ip}\r\n\r\n").stdout


def test_wss(net: FloeLab) -> None:
    pair = secured(net)
    with case("linked", vital=True):
        pair.start()
        pair.a.wait_direct(pair.b)
    with case("its health, over https on the same port"):
        answer = https(net, "/healthz")
        expect(answer.startswith("HTTP/1.1 200 "), answer)
    with case("a renewed certificate is used without a restart, and nobody is logged out"):
        before = serial(net)
        net.rendezvous.renew()
        net.rendezvous.proc.send_signal(signal.SIGHUP)
        wait_until(lambda: serial(net) != before, 5, what="the new certificate")
        expect(pair.a.rendezvous_state() == "connected", pair.a.status()["rendezvous"])
    with case("one that changed is found without a signal"):
        before = serial(net)
        net.rendezvous.renew()
        wait_until(lambda: serial(net) != before, 25, what="the new certificate")
    with case("a broken one is not used"):
        before = serial(net)
        (net.rendezvous.dir / "chain.pem").write_text("nothing")
        net.rendezvous.proc.send_signal(signal.SIGHUP)
        wait_until(lambda: "the last certificate stays in use" in net.rendezvous.proc.log.read_text(), 5, what="a warning")
        expect(serial(net) == before, "another certificate")
        net.rendezvous.renew()
    with case("killed and started again, with the certificate of another server: refused, and the link lives"):
        net.rendezvous.kill()
        net.rendezvous.renew(ip="198.51.100.200")
        net.rendezvous.start()
        wait_until(lambda: "the certificate is refused" in str(pair.a.status()["rendezvous"]) or
                   "the certificate is refused" in pair.a.proc.log.read_text(), 40, what="a complaint")
        expect(pair.a.rendezvous_state() != "connected", pair.a.status()["rendezvous"])
        expect(pair.a.ping(pair.b) is not None, "no answer through the link")


def test_wrong_configuration(net: FloeLab) -> None:
    file = net.lab.dir / "r.toml"
    for text, complaint in (
            ('[server]\nlisten = ["203.0.113.1"]\n', "r.toml:2:11: server.listen: holds"),
            ('[server]\nlisten = ["203.0.113.1:443"]\n[tls]\ncertificate = "c"\nkey = "k"\n', "certificate"),
            ('[server]\nlisten = ["203.0.113.1:443"]\nlisen = 1\n', "unknown key")):
        with case(complaint):
            file.write_text(text)
            for words in (["check"], ["serve"]):
                done = subprocess.run([RENDEZVOUS, *words, "--config", file], text=True, capture_output=True, timeout=10)
                expect(done.returncode != 0 and complaint in done.stderr, f"{done.returncode}: {done.stderr}")
