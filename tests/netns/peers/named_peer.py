#!/usr/bin/python3
"""A peer of floed that tells its address by a name alone: named_peer.py RENDEZVOUS PRIVATE_KEY PEER_KEY NAME PORT

It answers one offer through the rendezvous (signaling/README.md), and says when the first check has come to its port."""
import base64
import ctypes
import hashlib
import json
import os
import socket
import struct
import sys
import urllib.parse

sodium = ctypes.CDLL("libsodium.so.23")
rendezvous, own, peer, name, port = sys.argv[1:]
own, peer = base64.b64decode(own), base64.b64decode(peer)


def multiply(scalar: bytes, point: bytes | None = None) -> bytes:
    out = ctypes.create_string_buffer(32)
    if point is None:
        sodium.crypto_scalarmult_base(out, scalar)
    else:
        sodium.crypto_scalarmult(out, scalar, point)
    return out.raw


def derive(other: bytes, *parts: bytes) -> bytes:
    return hashlib.blake2b(b"".join(parts), key=multiply(own, other), digest_size=32).digest()


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def seal(message: dict) -> str:
    plain, nonce = json.dumps(message).encode(), os.urandom(24)
    out = ctypes.create_string_buffer(len(plain) + 16)
    sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(out, None, plain, ctypes.c_ulonglong(len(plain)), None, ctypes.c_ulonglong(0),
                                                      None, nonce, derive(peer, b"floe.box/1", public, peer))
    return text(nonce + out.raw)


def unseal(box: str) -> dict:
    data = base64.b64decode(box)
    out = ctypes.create_string_buffer(len(data) - 40)
    bad = sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(out, None, None, data[24:], ctypes.c_ulonglong(len(data) - 24), None,
                                                            ctypes.c_ulonglong(0), data[:24], derive(peer, b"floe.box/1", peer, public))
    assert bad == 0, "a box that does not open"
    return json.loads(out.raw)


def say(frame: dict) -> None:
    """A masked text frame of RFC 6455; the mask is zero."""
    payload = json.dumps(frame).encode()
    stream.sendall(struct.pack("!BBH4x", 0x81, 0x80 | 126, len(payload)) + payload)


def frames():
    while True:
        kind, size = stream_file.read(2)
        if size >= 126:
            size = int.from_bytes(stream_file.read(2 if size == 126 else 8), "big")
        payload = stream_file.read(size)
        if kind == 0x81:
            yield json.loads(payload)


public = multiply(own)
url = urllib.parse.urlsplit(rendezvous)
stream = socket.create_connection((url.hostname, url.port))
stream.sendall(f"GET /floe HTTP/1.1\r\nHost: {url.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
               f"Sec-WebSocket-Key: {text(os.urandom(16))}\r\nSec-WebSocket-Protocol: floe.1\r\n\r\n".encode())
stream_file = stream.makefile("rb")
while stream_file.readline() not in (b"\r\n", b""):
    pass
checks = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
checks.bind(("", int(port)))

for frame in frames():
    if frame["t"] == "challenge":
        key, nonce = base64.b64decode(frame["key"]), base64.b64decode(frame["nonce"])
        say({"t": "hello", "key": text(public), "proof": text(derive(key, b"floe.hello/1", nonce, public, key))})
    elif frame["t"] == "welcome":
        print("ready", flush=True)
    elif frame["t"] == "recv":
        offer = unseal(frame["box"])
        if offer["kind"] in ("offer", "restart"):
            answer = {"kind": "answer", "session": offer["session"], "generation": offer["generation"], "seq": 0, "ufrag": "named",
                      "pwd": "0123456789abcdefghijkl", "options": ["trickle"],
                      "candidates": [f"candidate:1 1 UDP 2113937151 {name} {port} typ host"]}
            say({"t": "send", "to": text(peer), "id": 1, "box": seal(answer)})
            break
while b"named:" not in checks.recv(2048):
    pass
print("checked", flush=True)
