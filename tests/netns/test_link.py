"""One link through its life: what it shows to the internet, what it survives, what it costs, what it leaves."""
import json
import socket
import threading
import time

import pcap
from harness import Daemon, FloeLab, Pair, host_state, two_sites, wait_until
from run import case, expect, measured, say

PATTERN = b"floe-test-payload-that-nobody-outside-may-see."


def send_pattern(a: Daemon, b: Daemon) -> None:
    """Send the pattern through the tunnel in pings, in 200 datagrams and over TCP, and see it arrive."""
    expect(not a.host.run(["ping", "-n", "-c", 3, "-i", "0.2", "-s", 64, "-p", PATTERN[:16].hex(), b.address]).returncode,
           "pings are not answered")
    block = (PATTERN * 30)[:1200]
    with b.socket(7001, socket.SOCK_DGRAM) as inside, a.socket(0, socket.SOCK_DGRAM) as outside:
        inside.settimeout(5)
        for _ in range(200):
            outside.sendto(block, (b.address, 7001))
            expect(inside.recv(2000) == block, "another datagram came out than went in")
    with b.socket(7002) as listener, a.socket(0) as client:
        listener.listen(1)
        client.connect((b.address, 7002))
        server = listener.accept()[0]
        server.settimeout(10)
        sending = threading.Thread(target=lambda: (client.sendall(block * 200), client.shutdown(socket.SHUT_WR)))
        sending.start()
        received = b""
        while data := server.recv(65536):
            received += data
        sending.join()
        server.close()
        expect(received == block * 200, "other bytes came out of TCP than went in")


def see_only_ciphertext(net: FloeLab, pair: Pair, relayed: bool) -> str:
    # From before the first packet, so that signaling and checks are in it too.
    capture = net.lab.inet.capture("any")
    time.sleep(0.5)
    pair.start()
    for here, there in pair.both:
        here.wait_up(there) if relayed else here.wait_direct(there)
    send_pattern(pair.a, pair.b)
    kind = pair.a.path(pair.b)["kind"]
    time.sleep(0.5)
    capture.stop()

    expect((kind == "relay") == relayed, f"the path is {kind}")
    raw, found = capture.path.read_bytes(), pcap.kinds(capture.path, net.rendezvous.server.ip)
    for piece in (PATTERN, PATTERN[:16]):
        expect(piece not in raw, "the payload is readable on the internet")
    unknown = [name for name in found if name.startswith("unknown")]
    expect(not unknown, f"neither STUN, TURN, WireGuard nor signaling: {unknown[:5]}")
    carried = "channel data" if relayed else "wireguard"
    expect(found[carried] >= 200, f"the capture missed the traffic: {found}")
    return ", ".join(f"{count} {name}" for name, count in found.most_common())


def test_only_ciphertext_on_the_internet_direct(net: FloeLab) -> str:
    return see_only_ciphertext(net, two_sites(net), relayed=False)


def test_only_ciphertext_on_the_internet_relayed(net: FloeLab) -> str:
    return see_only_ciphertext(net, two_sites(net, "symmetric", "symmetric"), relayed=True)


def expect_nothing_doubled(daemon: Daemon) -> None:
    links = json.loads(daemon.host.run(["ip", "-j", "addr"]).stdout)
    ours = [link for link in links if link["ifname"].startswith("floe")]
    expect(len(ours) == 1, f"{daemon} has the interfaces {[link['ifname'] for link in ours]}")
    addresses = [info["local"] for info in ours[0]["addr_info"] if info["family"] == "inet"]
    expect(addresses == [daemon.address], f"{daemon}'s interface has the addresses {addresses}")
    for family in ("-4", "-6"):
        for table in (["route", "show", "table", "all"], ["rule"]):
            lines = daemon.host.run(["ip", family, *table]).stdout.splitlines()
            expect(len(lines) == len(set(lines)), f"{daemon} has a line twice in ip {family} {table[0]}: {lines}")


def test_a_killed_daemon_is_back_in_seconds(net: FloeLab) -> None:
    pair = two_sites(net).start().wait_direct()
    for here, there in pair.both:
        with case(f"{here} killed and restarted") as note:
            here.kill()
            time.sleep(1)
            started = time.monotonic()
            here.start(ready=False)
            there.wait_ping(here, 15)
            note(measured("linked after", time.monotonic() - started, 5))
            here.wait_ping(there, 15)
            here.wait_direct(there)
            expect_nothing_doubled(here)


def test_a_link_outlives_the_rendezvous(net: FloeLab) -> None:
    pair = two_sites(net).start().wait_direct()

    net.rendezvous.kill()
    for here, _ in pair.both:
        wait_until(lambda: here.rendezvous_state() != "connected", 60, what=f"{here} to notice that the rendezvous is gone")
    for _ in range(5):
        for here, there in pair.both:
            expect(here.ping(there, count=3) is not None, f"{here} lost {there} together with the rendezvous")
        time.sleep(1)

    started = time.monotonic()
    net.rendezvous.start()
    for here, _ in pair.both:
        wait_until(lambda: here.rendezvous_state() == "connected", 60, what=f"{here} to be back at the rendezvous")
        say(measured(f"{here} is back at the restarted rendezvous after", time.monotonic() - started, 10))
    for here, there in pair.both:
        expect(here.ping(there, count=3) is not None, f"{here} lost {there} when the rendezvous came back")
        expect(here.path(there)["kind"] == "direct", f"{here} went over to {here.path(there)}")


def test_sigterm_leaves_nothing(net: FloeLab) -> str:
    pair = two_sites(net)
    before = [host_state(daemon.host) for daemon, _ in pair.both]
    pair.start().wait_direct()
    during = [host_state(daemon.host) for daemon, _ in pair.both]
    expect(before != during, "the daemons changed nothing")

    took = [daemon.stop() for daemon, _ in pair.both]

    for (daemon, _), state in zip(pair.both, before):
        expect(host_state(daemon.host) == state, f"{daemon} left something behind:\n{host_state(daemon.host)}\nbefore:\n{state}")
        expect(not daemon.socket_file.exists(), f"{daemon} left its control socket")
    return measured("ended after", max(took), 2)


def test_an_idle_link_costs_next_to_nothing(net: FloeLab) -> str:
    pair = two_sites(net).start().wait_direct()
    time.sleep(5)  # what comes after the start, such as the last checks, is not idle
    before, seconds = [daemon.cpu_seconds() for daemon, _ in pair.both], 20
    time.sleep(seconds)

    cpu = [100 * (daemon.cpu_seconds() - start) / seconds for (daemon, _), start in zip(pair.both, before)]
    rss = [daemon.rss_mib() for daemon, _ in pair.both]
    expect(max(rss) <= 12, f"RSS of {max(rss):.1f} MiB, wanted at most 12")
    expect(max(cpu) < 0.5, f"{max(cpu):.2f} % CPU, wanted less than 0.5")
    return f"RSS {max(rss):.1f} MiB (wanted: 12), CPU {max(cpu):.2f} % (wanted: 0.5)"
