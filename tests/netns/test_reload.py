"""The configuration changes while the daemon runs: what it does not name goes on as if nothing had happened."""
import re
import signal
import time
from datetime import datetime

from harness import Daemon, FloeLab, peer_section, wait_until, write_secret
from run import case, expect

PSK = "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE="


def reload(daemon: Daemon, status: int = 0) -> str:
    """Write the configuration as the test has it and have it read; what was said about it."""
    daemon.config_file.write_text(daemon.config())
    done = daemon.floe("config", "reload")
    expect(done.returncode == status, f"exit {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def says(text: str, *words: str) -> None:
    for word in words:
        expect(word in text, f"{word!r} is not in {text!r}")


def names(daemon: Daemon) -> list[str]:
    return [peer["name"] for peer in daemon.status()["peers"]]


def routes(daemon: Daemon) -> str:
    return daemon.host.run("ip route show dev floe0").stdout


def same_time(one: str, other: str) -> bool:
    """The daemon counts from its own start, so the milliseconds of the wall clock may differ."""
    return abs((datetime.fromisoformat(one) - datetime.fromisoformat(other)).total_seconds()) < 0.1


def test_reload_touches_nothing_else(net: FloeLab) -> str:
    net.start_rendezvous()
    a, b, c = (net.daemon(net.lab.site(f"site_{name}", "eim_apdf").host(name)) for name in "abc")
    net.link(a, b)
    c.add_peer(a)
    for daemon in (a, b, c):
        daemon.start()
    a.wait_direct(b)
    time.sleep(1)  # Both ends have begun a handshake, and the second may be the later one.
    before = a.peer(b)
    ping = a.host.popen(["ping", "-n", "-i", "0.2", "-W", "1", b.address])
    to_b = a.peers[0]

    with case("a peer is added"):
        a.peers = [peer_section(c), to_b]
        says(reload(a), "1 peer added")
        expect(names(a) == ["c", "b"], f"the status has {names(a)}")
        a.wait_up(c)
        expect(a.ping(c, 3, 5) is not None, "the added peer does not answer")
    with case("nothing has changed"):
        says(reload(a), "nothing has changed")
    with case("a peer is changed and keeps its session"):
        handshake = a.peer(c)["latest_handshake"]
        a.peers = [to_b, peer_section(c, allowed_ips=[f"{c.address}/32", "10.72.0.0/24"])]
        says(reload(a), "1 peer changed")
        says(routes(a), "10.72.0.0/24")
        expect(same_time(a.peer(c)["latest_handshake"], handshake), "there was another handshake")
        expect(a.ping(c, 1, 5) is not None, "the changed peer does not answer")
    with case("another preshared key ends its session"):
        for daemon, other in (a, c), (c, a):
            write_secret(daemon.dir / "psk", PSK)
        a.peers = [to_b, peer_section(c, preshared_key_file="psk")]
        says(reload(a), "1 peer changed")
        expect("10.72.0.0/24" not in routes(a), "the route is still there")
        expect(a.ping(c, 1, 2) is None, "it answers without the key")
        c.peers = [peer_section(a, preshared_key_file="psk")]
        says(reload(c), "1 peer changed")
        a.wait_up(c)
        expect(a.ping(c, 1, 5) is not None, "it does not answer with the key")
    with case("a bad file changes nothing"):
        good, a.peers = a.peers, [to_b, peer_section(c, colour="red")]
        says(reload(a, status=2), "floe.toml:", "colour")
        a.peers = good
        expect(names(a) == ["b", "c"], f"the status has {names(a)}")
    with case("what needs a restart is refused as a whole"):
        a.sections["node"]["listen_port"] = 41999
        a.peers = [to_b]
        says(reload(a, status=1), "node.listen_port", "restart")
        del a.sections["node"]["listen_port"]
        expect(names(a) == ["b", "c"], f"the status has {names(a)}")
        a.peers = good
    with case("down stays down"):
        expect(not a.floe("down", "c").returncode, "floe down failed")
        a.peers = [to_b, peer_section(c, preshared_key_file="psk", persistent_keepalive="25s")]
        says(reload(a), "1 peer changed")
        expect(a.peer(c)["state"] == "down", f"it is {a.peer(c)['state']}")
        expect(not a.floe("up", "c").returncode, "floe up failed")
        a.wait_up(c)
    with case("addresses, servers and the log level"):
        a.sections["node"]["addresses"] = [f"{a.address}/24", "10.73.0.1/24"]
        a.sections["log"]["level"] = "info"
        urls, net.rendezvous.urls = net.rendezvous.urls, net.rendezvous.urls + ["ws://203.0.113.250:1"]
        says(reload(a), "changed: node.addresses, rendezvous.urls, log.level")
        says(a.host.run("ip -o addr show dev floe0").stdout, "10.73.0.1/24", f"{a.address}/24")
        expect(len(a.status()["rendezvous"]) == 2, "the status has another number of servers")
        a.sections["node"]["addresses"] = ["10.73.0.1/24", f"{a.address}/24"]
        net.rendezvous.urls = urls
        reload(a)
        says(routes(a), b.address, c.address)
        expect(a.rendezvous_state() == "connected", f"the rendezvous is {a.rendezvous_state()}")
    with case("a peer is removed by SIGHUP"):
        a.peers = [to_b]
        a.config_file.write_text(a.config())
        a.proc.send_signal(signal.SIGHUP)
        wait_until(lambda: names(a) == ["b"], 5, what="the status without c")
        expect(c.address not in routes(a), "its route is still there")
        expect(c.ping(a, 2, 3) is None, "it is still answered")

    ping.send_signal(signal.SIGINT)
    ping.wait(5)
    text = ping.log.read_text()
    sent, received = (int(number) for number in
                      re.search(r"(\d+) packets transmitted, (\d+) received", text).groups())
    after = a.peer(b)
    expect(same_time(after["latest_handshake"], before["latest_handshake"]), "the link that was left alone has another session")
    expect(same_time(after["path"]["since"], before["path"]["since"]), "the link that was left alone has another path")
    expect(sent - received <= 1 and sent > 20, f"{sent} pings were sent, {received} answered:\n{text[-500:]}")
    numbers = [int(number) for number in re.findall(r"icmp_seq=(\d+) ttl", text)]
    expect(numbers == list(range(1, len(numbers) + 1)), f"a gap in {numbers}")
    return f"{received} pings without a gap"
