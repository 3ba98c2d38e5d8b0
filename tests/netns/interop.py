"""ICE stacks behind one line protocol (DESIGN.md, floe-ice), paired with each other in the laboratory."""
import os
import queue
import random
import subprocess
import threading
import time
from pathlib import Path

from harness import ROOT
from lab import HERE, LabError, Node, build

FLOE_ICE = Path(os.environ.get("FLOE_ICE", ROOT / "build/release/tests/tools/floe-ice"))
SIGNALED = ("ufrag", "pwd", "candidate", "end-of-candidates")


def program(kind: str) -> list:
    """The command of a stack."""
    if kind == "floe" and not FLOE_ICE.exists():
        raise LabError(f"{FLOE_ICE} is not built: cmake --build build/release --target floe-ice")
    return {"floe": lambda: [FLOE_ICE], "aioice": lambda: ["/usr/bin/python3", HERE / "peers/aioice_peer.py"],
            "chromium": lambda: ["/usr/bin/python3", HERE / "peers/chromium_peer.py"],
            "nice": lambda: [build("nice_peer", "peers/nice_peer.c", packages=["nice"])],
            "pion": lambda: [build("pion_peer", "peers/pion_peer.go")]}[kind]()


class Agent:
    """A process that speaks the protocol. Its lines are kept with the time they came, and handed to `on_line`."""

    def __init__(self, node: Node, kind: str, role: str, *args, env=None):
        self.node, self.kind, self.name = node, kind, f"{kind} on {node.name}"
        self.lines: list[tuple[float, str]] = []
        self.started = time.monotonic()
        self.changed, self.on_line = threading.Condition(), None
        self.proc = node.popen([*program(kind), "--role", role, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=open(node.lab.dir / f"{node.name}-{kind}.stderr", "wb"), text=True, bufsize=1,
                               env={**os.environ, **(env or {})})
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.proc.stdout:
            with self.changed:
                self.lines.append((time.monotonic(), line.strip()))
                self.changed.notify_all()
            if self.on_line:
                self.on_line(line.strip())
        with self.changed:
            self.changed.notify_all()

    def listen(self, on_line) -> None:
        """Hand over what has come so far, and then every line."""
        with self.changed:
            for _, line in self.lines:
                on_line(line)
            self.on_line = on_line

    def tell(self, line: str) -> None:
        try:
            self.proc.stdin.write(line + "\n")
        except (BrokenPipeError, ValueError):
            pass  # It has ended; who waits for its lines says so.

    def values(self, word: str) -> list[str]:
        return [line.split(" ", 1)[-1] for _, line in list(self.lines) if line.split(" ")[0] == word]

    def last(self, word: str) -> str | None:
        return (self.values(word) or [None])[-1]

    @property
    def states(self) -> list[str]:
        return self.values("state")

    def wait(self, condition, timeout: float, what: str) -> float:
        """Until condition(self) holds; the time at which it did."""
        deadline = time.monotonic() + timeout
        with self.changed:
            while not condition(self):
                left = deadline - time.monotonic()
                if left <= 0 or self.proc.poll() is not None:
                    tail = "\n".join(line for _, line in self.lines[-25:])
                    raise LabError(f"{self.name}: {what} did not come within {timeout:g} s"
                                   f"{'' if self.proc.poll() is None else f', ended with {self.proc.poll()}'}:\n{tail}")
                self.changed.wait(min(left, 0.5))
        return time.monotonic()

    def wait_state(self, *states: str, timeout: float = 30) -> float:
        return self.wait(lambda self: self.states and self.states[-1] in states, timeout, f"state {'|'.join(states)}")

    def wait_linked(self, timeout: float = 30) -> float:
        return self.wait_state("connected", "completed", timeout=timeout)

    def close(self) -> int:
        self.tell("close")
        try:
            return self.proc.wait(5)
        except subprocess.TimeoutExpired:
            raise LabError(f"{self.name} does not close") from None


class Signaling:
    """Carries what each says of itself to the other, in order; late by `delay` seconds, changed by `change(line)`."""

    def __init__(self, a: Agent, b: Agent, delay: float = 0, change=None):
        self.told: dict[str, float] = {}  # When each was told the last part of the other's credentials.
        for source, sink in ((a, b), (b, a)):
            lines: queue.Queue = queue.Queue()
            threading.Thread(target=self._carry, args=(lines, sink, delay, change), daemon=True).start()
            source.listen(lambda line, lines=lines: lines.put((time.monotonic(), line)))

    def _carry(self, lines: queue.Queue, sink: Agent, delay: float, change) -> None:
        while True:
            came, line = lines.get()
            if line.split(" ")[0] in SIGNALED:
                time.sleep(max(0.0, came + delay - time.monotonic()))
                line = change(line) if change else line
                if line:
                    sink.tell(line)
                if line and line.startswith("pwd "):
                    self.told.setdefault(sink.name, time.monotonic())


def exchange(a: Agent, b: Agent, count: int = 20, loss: bool = False) -> None:
    """Datagrams of many sizes both ways. All have to arrive byte for byte; with loss, some of them, and none changed."""
    for source, sink in ((a, b), (b, a)):
        before = len(sink.values("recv"))
        sent = [random.randbytes(random.choice((1, 5, 100, 577, 1200)) + 8).hex() for _ in range(count)]
        for payload in sent:
            # Neither STUN, ChannelData nor RTP, whatever the rest.
            source.tell(f"send ff{payload}")
            time.sleep(0.005)
        wanted = {f"ff{payload}" for payload in sent}
        enough = 1 if loss else count
        sink.wait(lambda self: len(wanted & set(self.values("recv")[before:])) >= enough, 10,
                  f"{enough} of {count} datagrams of {source.name}")
        foreign = set(sink.values("recv")[before:]) - wanted
        if foreign:
            raise LabError(f"{sink.name} received what {source.name} has not sent: {sorted(foreign)[:3]}")


def kinds_of(agent: Agent) -> tuple[str, str]:
    """Types of the two candidates in use: ('host', 'srflx')."""
    local, remote = agent.last("selected").split(" | ")
    return tuple(side.split(" typ ")[1].split(" ")[0] for side in (local, remote))
