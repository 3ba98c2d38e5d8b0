#!/usr/bin/env python3
"""The verbs of floe that talk to the daemon, against a daemon that says what the test tells it."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

FLOE = ""

PEER_KEY = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="
NOBODY = 65534


def status(state="up", kind="direct", rendezvous="connected"):
    """A reply with one peer, b."""
    path = {"kind": kind, "local_type": None, "remote_type": None, "local": None, "remote": None,
            "transport": "udp", "rtt_ms": None, "loss": None, "since": None, "mtu": 1408}
    if kind == "direct":
        path.update(local_type="host", remote_type="srflx", local="192.0.2.1:41820",
                    remote="203.0.113.7:41820", rtt_ms=12.1, loss=0.0)
    peer = {"name": "b", "public_key": PEER_KEY, "state": state, "path": path,
            "allowed_ips": ["10.71.0.2/32"], "why_relayed": None, "latest_handshake": None,
            "rx_bytes": 1, "tx_bytes": 2, "connect_ms": {"first_path": None, "direct": None}}
    return {"ok": True, "status": {
        "schema": "floe.status/1",
        "node": {"name": "a", "public_key": PEER_KEY, "addresses": ["10.71.0.1"],
                 "listen_port": 41820, "nat": "easy"},
        "rendezvous": [{"url": "ws://198.51.100.10:8080", "state": rendezvous, "rtt_ms": None}],
        "peers": [peer], "health": []}}


def pong(seq, kind):
    via = "direct 203.0.113.7:41820 (srflx)" if kind == "direct" else "relay 192.0.2.1:5 (turn/udp)"
    return {"event": "pong", "seq": seq, "rtt_ms": 12.1, "via": via, "kind": kind}


def summary(sent, received):
    rtt = 12.1 if received else None
    return {"event": "summary", "sent": sent, "received": received, "min_ms": rtt, "avg_ms": rtt,
            "max_ms": rtt, "done": True}


class Daemon:
    """Answers each request with the lines that `answer(request)` returns; None hangs."""

    def __init__(self, path, answer):
        self.requests = []
        self.answer = answer
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        with contextlib.ExitStack() as hanging:
            while True:
                try:
                    peer, _ = self.listener.accept()
                except OSError:
                    return
                request = json.loads(peer.makefile().readline())
                self.requests.append(request)
                replies = self.answer(request)
                hanging.enter_context(peer)
                if replies is None:
                    continue
                with contextlib.suppress(BrokenPipeError):
                    for reply in replies:
                        peer.sendall(json.dumps(reply).encode() + b"\n")
                peer.shutdown(socket.SHUT_WR)

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()


class CliTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="floe-cli-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.socket = os.path.join(self.directory, "s")

    def daemon(self, answer):
        daemon = Daemon(self.socket, answer)
        self.addCleanup(daemon.stop)
        return daemon

    def floe(self, *arguments, code=0, **options):
        done = subprocess.run([FLOE, "--socket", self.socket, *arguments], capture_output=True,
                              text=True, timeout=30, check=False, **options)
        self.assertEqual(done.returncode, code, f"{arguments}: {done.stdout}{done.stderr}")
        return done

    def test_status_in_words(self):
        self.daemon(lambda _: [status()])
        out = self.floe("status").stdout
        self.assertIn("direct 203.0.113.7:41820 (srflx)  12ms", out)
        self.assertEqual(self.floe().stdout.split(), out.split())
        self.assertIn("  allowed ips: 10.71.0.2/32\n", self.floe("status", "-d").stdout)
        self.assertNotIn("\x1b", out)

    def test_status_in_json(self):
        self.daemon(lambda _: [status()])
        read = json.loads(self.floe("status", "--json").stdout)
        self.assertEqual(read["schema"], "floe.status/1")
        self.assertEqual(read["peers"][0]["path"]["kind"], "direct")
        self.assertEqual(read["node"]["listen_port"], 41820)

    def test_status_of_peers(self):
        self.daemon(lambda _: [status()])
        for peer in ("b", PEER_KEY, "10.71.0.2"):
            self.floe("status", peer)
        self.assertIn("no such peer: c", self.floe("status", "b", "c", code=1).stderr)

    def test_check(self):
        now = {}
        self.daemon(lambda _: [status(**now)])
        self.assertEqual(self.floe("status", "b", "--check", "direct").stdout, "")
        now = {"kind": "relay"}
        self.floe("status", "b", "--check", "direct", code=1)
        self.floe("status", "b", "--check", "ready")
        now = {"state": "connecting", "kind": "none"}
        self.floe("status", "b", "--check", "ready", code=1)
        self.floe("status", "--check", "ready")
        now = {"rendezvous": "connecting"}
        self.floe("status", "--check", "ready", code=1)
        self.floe("status", "--check", "live")

    def test_watch_goes_on_until_the_daemon_does_not(self):
        replies = [[status()], [status()], [{"error": "going down", "code": 1, "done": True}]]
        self.daemon(lambda _: replies.pop(0))
        done = self.floe("status", "--watch", "--json", code=1)
        self.assertEqual(len(done.stdout.splitlines()), 2)
        self.assertIn("going down", done.stderr)

    def test_ping(self):
        daemon = self.daemon(lambda _: [pong(1, "relay"), pong(2, "direct"),
                                        {"event": "timeout", "seq": 3}, summary(3, 2)])
        out = self.floe("ping", "b", "-c", "3", "-i", "200ms", "--timeout", "9").stdout
        self.assertEqual(daemon.requests[0], {
            "verb": "ping", "peer": "b", "count": 3, "interval_ms": 200, "timeout_ms": 9000,
            "until_direct": False})
        self.assertRegex(out, r"^1: relay 192\.0\.2\.1:5 \(turn/udp\) +12\.1 ms\n")
        self.assertRegex(out, r"\n2: direct .* 12\.1 ms   <- path upgraded after \d+\.\d s\n")
        self.assertIn("\n3: no answer\n3 sent, 2 received, 33% loss, min/avg/max 12.1/12.1/12.1 ms",
                      out)

    def test_ping_in_json(self):
        self.daemon(lambda _: [pong(1, "direct"), summary(1, 1)])
        lines = self.floe("ping", "b", "--json").stdout.splitlines()
        self.assertEqual([json.loads(line)["event"] for line in lines], ["pong", "summary"])
        self.assertEqual(json.loads(lines[0])["schema"], "floe.ping/1")

    def test_ping_without_an_answer(self):
        self.daemon(lambda _: [{"event": "timeout", "seq": 1}, summary(1, 0)])
        self.floe("ping", "b", "-c", "1", code=1)

    def test_ping_until_direct(self):
        replies = [pong(1, "relay"), pong(2, "direct"), summary(2, 2)]
        self.daemon(lambda _: replies)
        self.floe("ping", "b", "--until-direct")
        replies = [pong(1, "relay"), summary(1, 1)]
        self.assertIn("no direct path to b", self.floe("ping", "b", "--until-direct", code=1).stderr)

    def test_ping_until_the_time_is_up(self):
        def answer(request):
            time.sleep(request["timeout_ms"] / 1000)
            return [summary(1, 0)]
        self.daemon(answer)
        self.floe("ping", "b", "--timeout", "100ms", code=5)

    def test_ping_of_a_daemon_that_hangs(self):
        self.daemon(lambda _: None)
        self.floe("ping", "b", "--timeout", "10ms", code=5)

    def test_ping_of_nobody(self):
        self.daemon(lambda _: [{"error": "no such peer: x", "code": 1, "done": True}])
        self.assertEqual(self.floe("ping", "x", code=1).stderr, "floe: no such peer: x\n")

    def test_up_and_down(self):
        daemon = self.daemon(lambda _: [{"ok": True}])
        self.assertEqual(self.floe("up", "b", "c").stdout, "")
        self.floe("down")
        self.assertEqual(daemon.requests, [{"verb": "up", "peers": ["b", "c"]},
                                           {"verb": "down", "peers": []}])

    def test_the_error_code_of_the_daemon_is_ours(self):
        self.daemon(lambda _: [{"error": "not for you", "code": 4, "done": True}])
        self.assertIn("not for you", self.floe("down", code=4).stderr)

    def test_wait_for_the_daemon(self):
        waiting = subprocess.Popen([FLOE, "wait", "--timeout", "30", "--socket", self.socket])
        self.assertIsNone(waiting.poll())
        self.daemon(lambda _: [status()])
        self.assertEqual(waiting.wait(timeout=30), 0)

    def test_wait_for_a_peer(self):
        replies = [status("connecting", "none"), status("up", "relay"), status("up", "direct")]
        daemon = self.daemon(lambda _: [replies[min(len(daemon.requests), 3) - 1]])
        self.floe("wait", "--for", "peer=b", "--timeout", "30")
        self.assertEqual(len(daemon.requests), 2)
        self.floe("wait", "--for", "direct=b", "--timeout", "30")
        self.assertEqual(len(daemon.requests), 3)

    def test_wait_in_vain(self):
        self.daemon(lambda _: [status("up", "relay")])
        done = self.floe("wait", "--for", "direct=b", "--timeout", "100ms", code=5)
        self.assertIn("timed out: b is up, path relay", done.stderr)
        self.floe("wait", "--for", "direct=b", "--timeout", "0", code=5)

    def test_wait_for_nobody(self):
        self.daemon(lambda _: [status()])
        self.assertIn("no such peer: x", self.floe("wait", "--for", "peer=x", code=1).stderr)

    def test_a_daemon_that_is_none(self):
        self.daemon(lambda _: ["220 ready"])
        self.assertIn("do not understand each other", self.floe("status", code=1).stderr)

    def test_a_socket_that_is_not_for_us(self):
        self.daemon(lambda _: [status()])
        os.chmod(self.socket, 0)
        if os.geteuid() != 0:
            self.floe("status", code=4)
            return
        # To root nothing is forbidden, so somebody else has to try, with a copy they can run.
        os.chmod(self.directory, 0o755)
        copy = os.path.join(self.directory, "floe")
        shutil.copy(FLOE, copy)
        os.chmod(copy, 0o755)
        for verb in (["status"], ["wait"], ["ping", "b"]):
            done = subprocess.run([copy, "--socket", self.socket, *verb], user=NOBODY, group=NOBODY,
                                  capture_output=True, text=True, timeout=30, check=False)
            self.assertEqual(done.returncode, 4, done.stderr)
            self.assertIn("not permitted", done.stderr)


if __name__ == "__main__":
    FLOE = os.path.abspath(sys.argv.pop(1))
    unittest.main()
