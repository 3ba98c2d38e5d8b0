"""TURN over every transport there is, against a real coturn."""
import re
import sys
import textwrap
import time

from harness import FloeLab, Pair, wait_until
from run import case, expect, measured, say

RELAY_ONLY = {"prefer": "relay-only"}

PROXY = textwrap.dedent("""
    # An HTTP proxy that knows CONNECT alone.
    import socket, sys, threading
    def copy(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass
    def serve(client):
        head = b""
        while b"\\r\\n\\r\\n" not in head:
            head += client.recv(4096)
        host, port = head.split()[1].decode().rsplit(":", 1)
        print("CONNECT", host, port, flush=True)
        server = socket.create_connection((host, int(port)))
        client.sendall(b"HTTP/1.1 200 Connection established\\r\\n\\r\\n")
        threading.Thread(target=copy, args=(server, client), daemon=True).start()
        copy(client, server)
    with socket.create_server((sys.argv[1], 3128)) as listener:
        print("listening", flush=True)
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
""")


def relayed_pair(net: FloeLab, kind_a: str = "eim_apdf", options: str = "", urls: list[str] | None = None, **site) -> Pair:
    """Two daemons that may use relays alone. The first uses `urls` of a coturn, the second all of them."""
    net.start_rendezvous()
    net.turn = net.lab.server("relay").coturn(options=options)
    a = net.daemon(net.lab.site("site_a", kind_a, **site).host("a"))
    b = net.daemon(net.lab.site("site_b", "eim_apdf").host("b"))
    for daemon in (a, b):
        daemon.sections["paths"] = dict(RELAY_ONLY)
        daemon.env["SSL_CERT_FILE"] = str(net.turn.ca)
    a.host.block(proto="udp", ip=net.rendezvous.server.ip)  # It has a relay too, which is not to be used here.
    a.relay_urls = urls or net.turn.uris[:3]
    net.link(a, b)
    return Pair(net, a, b)


def linked(pair: Pair, transport: str) -> float:
    """Wait for the link; it must be relayed, by this transport from the first daemon. The seconds it took."""
    seconds = pair.a.wait_up(pair.b)
    path = pair.a.path(pair.b)
    expect(path["kind"] == "relay", f"the path is {path}")
    expect(path["transport"] == transport, f"the path is by {path['transport']}, wanted {transport}")
    expect(pair.a.ping(pair.b, count=3) is not None, "no answer to pings through the relay")
    return seconds


def test_transports(net: FloeLab) -> None:
    pair = relayed_pair(net)
    pair.b.start()
    v4, v6 = net.turn.uris[:3], net.turn.uris[3:]
    for transport, url in zip(("udp", "tcp", "tls"), v4):
        with case(f"{transport} over IPv4") as note:
            pair.a.relay_urls = [url]
            pair.a.start()
            note(f"linked after {linked(pair, transport):.2f} s")
            found = re.findall(r"found (candidate:\S+ 1 \S+ \d+ 2001:db8::\S+ \d+ typ relay)", pair.a.proc.log.read_text())
            expect(found, "no IPv6 address came with the allocation")
        pair.a.stop()
    with case("UDP preferred"):
        pair.a.relay_urls = v4[::-1]
        pair.a.start()
        linked(pair, "udp")
        pair.a.stop()
    with case("wrong password is said once"):
        net.turn.password, right = "wrong", net.turn.password
        pair.a.start()
        net.turn.password = right
        wait_until(lambda: "refuses us: 401" in pair.a.proc.log.read_text(), what="a warning")
        time.sleep(2)
        expect(pair.a.proc.log.read_text().count("refuses us") <= 3, "it was said again and again")
        pair.a.stop()


def test_relay_over_ipv6(net: FloeLab) -> None:
    pair = relayed_pair(net, "dual_stack")
    pair.b.start()
    for transport, url in zip(("udp", "tcp", "tls"), net.turn.uris[3:]):
        with case(f"{transport} over IPv6") as note:
            pair.a.relay_urls = [url]
            pair.a.start()
            note(f"linked after {linked(pair, transport):.2f} s")
        pair.a.stop()


def test_wrong_certificate_is_refused(net: FloeLab) -> None:
    pair = relayed_pair(net)
    conf = net.turn.conf.read_text()
    _, other, key = net.lab.certificate("other", ["198.51.100.250"])
    conf = re.sub(r"^cert=.*$", f"cert={other}", conf, flags=re.M)
    net.turn.conf.write_text(re.sub(r"^pkey=.*$", f"pkey={key}", conf, flags=re.M))
    net.turn.proc.stop()
    net.turn.start()
    pair.a.relay_urls = [net.turn.uris[2]]
    pair.start()
    wait_until(lambda: "IP address mismatch" in pair.a.proc.log.read_text(), what="the refusal of the certificate")
    time.sleep(2)
    expect(pair.a.path(pair.b)["kind"] == "none", f"linked all the same: {pair.a.path(pair.b)}")


def test_blocked_networks(net: FloeLab) -> None:
    """The rendezvous is at TCP port 8080, so that one stays open as well."""
    pair = relayed_pair(net, egress="tcp dport { 443, 8080 }")
    pair.b.start()
    with case("443 over TCP alone") as note:
        started = time.monotonic()
        pair.a.start()
        linked(pair, "tls")
        note(measured("linked", time.monotonic() - started, 3))
    with case("moves to UDP when that begins to work") as note:
        site = net.lab.nodes["site_a"]
        site.egress = None
        site.load_rules()
        started = time.monotonic()
        wait_until(lambda: pair.a.path(pair.b)["transport"] == "udp", 120, what="the relay to be used over UDP")
        note(f"after {time.monotonic() - started:.1f} s")
        expect(pair.a.ping(pair.b, count=3) is not None, "no answer to pings through the relay")
    with case("goes by TCP when UDP is blocked in mid-session") as note:
        site.block(proto="udp")  # Flows that are open included.
        started = time.monotonic()
        pair.a.wait_ping(pair.b, 60)
        wait_until(lambda: pair.a.path(pair.b)["transport"] == "tcp", 60, what="the relay to be used over TCP")
        note(measured("traffic again", time.monotonic() - started, 10))


def test_server_restarts(net: FloeLab) -> None:
    pair = relayed_pair(net)
    pair.b.start()
    for transport, url in zip(("udp", "tcp", "tls"), net.turn.uris):
        with case(transport) as note:
            pair.a.relay_urls = [url]
            pair.a.start()
            linked(pair, transport)
            net.turn.proc.stop()
            time.sleep(1)
            net.turn.start()
            note(measured("the link is back after", pair.a.wait_ping(pair.b, 90), 20))
        pair.a.stop()


def test_stale_nonces(net: FloeLab) -> None:
    pair = relayed_pair(net, options="stale-nonce=2")
    pair.start()
    linked(pair, "udp")
    time.sleep(3)
    pair.b.stop()
    pair.b.start()  # With other relayed addresses, which want permissions and channels.
    pair.a.wait_ping(pair.b, 60)
    expect("438" in pair.a.proc.log.read_text(), "no nonce went stale, so nothing was shown")


def roam(net: FloeLab, transport: str) -> tuple[str, str, float]:
    """(relayed address before, after, seconds without an answer) of a host that moves to another site."""
    pair = net.pair
    pair.a.relay_urls = [net.turn.uris[("udp", "tcp", "tls").index(transport)]]
    pair.a.start()
    linked(pair, transport)
    before = pair.a.path(pair.b)["local"]
    other = net.lab.site(f"elsewhere_{transport}", "eim_apdf")
    pair.a.host.roam(other, gap=0.3)  # For that long it is nowhere, as between two Wi-Fi networks.
    seconds = pair.a.wait_ping(pair.b, 60)
    after = pair.a.path(pair.b)["local"]
    pair.a.stop()
    return before, after, seconds


def test_mobility(net: FloeLab) -> None:
    net.pair = relayed_pair(net, options="mobility")
    net.pair.b.start()
    for transport in ("udp", "tcp"):
        with case(transport) as note:
            before, after, seconds = roam(net, transport)
            note(measured("traffic again after", seconds, 2))
            # Over TCP, coturn 4.6 answers with eight bytes that are no message, so that we begin anew.
            expect(before == after or transport == "tcp", f"the relayed address was {before} and is {after}")


def test_http_proxy(net: FloeLab) -> None:
    net.start_rendezvous()
    proxy = net.lab.server("proxy")
    script = net.lab.dir / "proxy.py"
    script.write_text(PROXY)
    proc = proxy.popen([sys.executable, script, proxy.ip])
    wait_until(lambda: "listening" in proc.log.read_text(), what="the proxy")
    net.turn = net.lab.server("relay").coturn()
    a = net.daemon(net.lab.site("site_a", "eim_apdf", egress="tcp dport { 3128, 8080 }").host("a"))
    b = net.daemon(net.lab.site("site_b", "eim_apdf").host("b"))
    for daemon in (a, b):
        daemon.env["SSL_CERT_FILE"] = str(net.turn.ca)
    a.relay_urls = net.turn.uris[:3]
    a.env["https_proxy"] = f"http://{proxy.ip}:3128"
    net.link(a, b)
    pair = Pair(net, a, b).start()
    seconds = a.wait_up(b)
    expect(a.ping(b, count=3) is not None, "no answer to pings through the proxy")
    expect(f"CONNECT {net.turn.ip}" in proc.log.read_text(), "the proxy was not asked")
    say(f"linked by {a.path(b)['transport']} through a proxy after {seconds:.2f} s")
    a.stop()
    a.env["no_proxy"] = net.turn.ip
    a.start()
    time.sleep(4)
    expect(a.path(b)["kind"] == "none", f"no_proxy was not heeded: {pair.a.path(b)}")
