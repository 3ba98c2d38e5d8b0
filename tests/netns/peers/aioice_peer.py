#!/usr/bin/python3
"""aioice behind the line protocol of floe-ice (DESIGN.md), so that the two can be paired. It knows no restart."""
import argparse
import asyncio
import sys

import aioice


def say(line: str) -> None:
    print(line, flush=True)


def address(text: str) -> tuple[str, int]:
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)


class Peer:
    def __init__(self, args):
        keys = {}
        if args.turn:
            scheme, rest = args.turn.split(":", 1)
            server, _, query = rest.partition("?")
            keys = dict(turn_server=address(server), turn_username=args.turn_user, turn_password=args.turn_pass,
                        turn_ssl=scheme == "turns", turn_transport="tcp" if "tcp" in query else "udp")
        policy = aioice.TransportPolicy.RELAY if args.relay_only else aioice.TransportPolicy.ALL
        self.ice = aioice.Connection(ice_controlling=args.role == "controlling", transport_policy=policy,
                                     stun_server=address(args.stun) if args.stun else None, **keys)
        self.early, self.ready = [], asyncio.Event()
        say(f"ufrag {self.ice.local_username}")
        say(f"pwd {self.ice.local_password}")

    async def run(self) -> None:
        reader = asyncio.StreamReader(limit=1 << 20)
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        work = asyncio.ensure_future(self.connect())
        while line := (await reader.readline()).decode().strip():
            word, _, value = line.partition(" ")
            if word == "close":
                break
            await self.obey(word, value)
        work.cancel()
        await self.ice.close()

    async def obey(self, word: str, value: str) -> None:
        if word == "ufrag":
            self.ice.remote_username = value
        elif word == "pwd":
            self.ice.remote_password = value
            self.ready.set()
        elif word == "candidate":
            await self.ice.add_remote_candidate(aioice.Candidate.from_sdp(value.removeprefix("candidate:")))
        elif word == "end-of-candidates":
            await self.ice.add_remote_candidate(None)
        elif word == "send":
            await self.ice.send(bytes.fromhex(value))

    async def connect(self) -> None:
        await self.ice.gather_candidates()
        for candidate in self.ice.local_candidates:
            say(f"candidate candidate:{candidate.to_sdp()}")
        say("end-of-candidates")
        await self.ready.wait()
        say("state checking")
        try:
            await self.ice.connect()
        except ConnectionError:
            say("state failed")
            return
        say("state connected")
        pair = self.ice._nominated[1]
        say(f"selected candidate:{pair.local_candidate.to_sdp()} | candidate:{pair.remote_candidate.to_sdp()}")
        say("state completed")
        try:
            while True:
                say(f"recv {(await self.ice.recv()).hex()}")
        except ConnectionError:
            say("state disconnected")


parser = argparse.ArgumentParser()
parser.add_argument("--role", required=True)
for name in ("stun", "turn", "turn-user", "turn-pass"):
    parser.add_argument(f"--{name}")
parser.add_argument("--relay-only", action="store_true")
parser.add_argument("--no-tcp", action="store_true")
asyncio.run(Peer(parser.parse_args()).run())
