#!/usr/bin/python3
"""A browser behind the line protocol of floe-ice (DESIGN.md): RTCPeerConnection of a headless Chromium, driven over its debugging pipe.

There is no DTLS on the other side, so no data channel opens: what can be seen is ICE, and the browser's first DTLS packet."""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading

PAGE = r"""
const FINGERPRINT = Array(32).fill('AB').join(':');
const describe = (setup, ufrag, pwd) => ['v=0', 'o=- 1 1 IN IP4 0.0.0.0', 's=-', 't=0 0', 'a=group:BUNDLE 0', 'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
  'c=IN IP4 0.0.0.0', 'a=ice-ufrag:' + ufrag, 'a=ice-pwd:' + pwd, 'a=ice-options:trickle', 'a=fingerprint:sha-256 ' + FINGERPRINT, 'a=setup:' + setup,
  'a=mid:0', 'a=sctp-port:5000', ''].join('\r\n');
let pc, controlling, early = [];
async function begin(config, isControlling) {
  controlling = isControlling;
  pc = new RTCPeerConnection(config);
  pc.onicecandidate = e => {
    if (e.candidate && e.candidate.candidate) say('candidate ' + e.candidate.candidate);
    else if (!e.candidate) say('end-of-candidates');
  };
  pc.oniceconnectionstatechange = async () => {
    say('state ' + pc.iceConnectionState);
    if (pc.iceConnectionState == 'connected' || pc.iceConnectionState == 'completed') report();
  };
  if (controlling) { pc.createDataChannel('x'); await own(await pc.createOffer()); }
}
async function report() {
  const stats = await pc.getStats();
  for (const t of stats.values()) if (t.type == 'transport' && t.selectedCandidatePairId) {
    const pair = stats.get(t.selectedCandidatePairId), l = stats.get(pair.localCandidateId), r = stats.get(pair.remoteCandidateId);
    const line = c => `candidate:${c.foundation || 0} 1 ${c.protocol} ${c.priority} ${c.address} ${c.port} typ ${c.candidateType}`;
    say('selected ' + line(l) + ' | ' + line(r));
  }
}
async function own(description) {
  await pc.setLocalDescription(description);
  const one = key => description.sdp.match(new RegExp('a=' + key + ':(\\S+)'))[1];
  say('ufrag ' + one('ice-ufrag'));
  say('pwd ' + one('ice-pwd'));
}
async function credentials(ufrag, pwd) {
  if (controlling) await pc.setRemoteDescription({type: 'answer', sdp: describe('passive', ufrag, pwd)});
  else {
    await pc.setRemoteDescription({type: 'offer', sdp: describe('actpass', ufrag, pwd)});
    await own(await pc.createAnswer());
  }
  for (const line of early) await candidate(line);
  early = [];
}
async function candidate(line) {
  if (!pc.remoteDescription) { early.push(line); return; }
  await pc.addIceCandidate(line ? {candidate: line, sdpMid: '0'} : undefined);
}
async function restart() { await own(await pc.createOffer({iceRestart: true})); }
"""


class Browser:
    """JSON messages that end with a zero byte, on file descriptors 3 and 4 of the process."""

    def __init__(self, profile: str, mdns: bool):
        to_read, self.to = os.pipe()
        self.back, from_write = os.pipe()
        flags = [] if mdns else ["--disable-features=WebRtcHideLocalIpsWithMdns"]
        self.proc = subprocess.Popen(["bash", "-c", f'exec chromium "$@" 3<&{to_read} 4>&{from_write}', "chromium", "--headless=new", "--no-sandbox",
                                      "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe", f"--user-data-dir={profile}", "--no-first-run",
                                      "--disable-background-networking", *flags, "about:blank"],
                                     pass_fds=(to_read, from_write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(from_write)
        self.next, self.answers, self.changed = 0, {}, threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()
        self.session = None
        page = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        self.call("Runtime.enable")
        self.call("Runtime.addBinding", name="say")

    def read(self):
        rest = b""
        while data := os.read(self.back, 65536):
            *messages, rest = (rest + data).split(b"\0")
            for message in map(json.loads, messages):
                if message.get("method") == "Runtime.bindingCalled":
                    print(message["params"]["payload"], flush=True)
                elif "id" in message:
                    with self.changed:
                        self.answers[message["id"]] = message
                        self.changed.notify_all()

    def call(self, method: str, **params):
        self.next += 1
        number = self.next
        message = {"id": number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        with self.changed:
            if not self.changed.wait_for(lambda: number in self.answers, 20):
                raise SystemExit(f"no answer to {method}")
            answer = self.answers.pop(number)
        if "error" in answer:
            raise SystemExit(f"{method}: {answer['error']}")
        return answer["result"]

    def run(self, expression: str):
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True)
        if "exceptionDetails" in result:
            print(expression[:80], result["exceptionDetails"].get("exception", {}).get("description"), file=sys.stderr, flush=True)


parser = argparse.ArgumentParser()
parser.add_argument("--role", required=True)
for name in ("stun", "turn", "turn-user", "turn-pass"):
    parser.add_argument(f"--{name}")
parser.add_argument("--relay-only", action="store_true")
parser.add_argument("--no-tcp", action="store_true")
parser.add_argument("--mdns", action="store_true", help="hide addresses behind .local names, as browsers do by default")
args = parser.parse_args()
servers = [{"urls": f"stun:{args.stun}"}] if args.stun else []
if args.turn:
    servers.append({"urls": args.turn, "username": args.turn_user, "credential": args.turn_pass})
config = {"iceServers": servers, "iceTransportPolicy": "relay" if args.relay_only else "all"}

with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
    browser = Browser(profile, args.mdns)
    browser.run(PAGE)
    browser.run(f"begin({json.dumps(config)}, {json.dumps(args.role == 'controlling')})")
    ufrag = ""
    for line in sys.stdin:
        word, _, value = line.strip().partition(" ")
        if word == "close":
            break
        if word == "ufrag":
            ufrag = value
        elif word == "pwd":
            browser.run(f"credentials({json.dumps(ufrag)}, {json.dumps(value)})")
        elif word == "candidate":
            browser.run(f"candidate({json.dumps(value)})")
        elif word == "end-of-candidates":
            browser.run("candidate('')")
        elif word == "restart":
            browser.run("restart()")
    browser.run("pc.close()")
    browser.proc.terminate()
    browser.proc.wait(10)
