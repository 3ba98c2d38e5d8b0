#!/usr/bin/python3
"""Answers for one name of the local network (RFC 6762): mdns_responder.py NAME ADDRESS everybody|asker

To everybody it is aioice's responder that answers; to who asked from a port of his own, as section 6.7 has it, this one."""
import asyncio
import socket
import struct
import sys

import dns.flags
import dns.message
import dns.rrset

from aioice import mdns


async def tell_everybody(name: str, address: str) -> None:
    responder = await mdns.create_mdns_protocol()
    await responder.publish(name, address)
    print("ready", flush=True)
    await asyncio.Event().wait()


def tell_asker(name: str, address: str) -> None:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("", mdns.MDNS_PORT))
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                    struct.pack("4s4s", socket.inet_aton(mdns.MDNS_ADDRESS), socket.inet_aton(address)))
    print("ready", flush=True)
    while True:
        data, asker = sock.recvfrom(9000)
        query = dns.message.from_wire(data)
        if any(question.name.to_text(omit_final_dot=True) == name for question in query.question):
            answer = dns.message.make_response(query)
            answer.flags |= dns.flags.AA
            answer.answer.append(dns.rrset.from_text(name + ".", 10, "IN", "A", address))
            sock.sendto(answer.to_wire(), asker)


name, address, whom = sys.argv[1:]
if whom == "everybody":
    asyncio.run(tell_everybody(name, address))
else:
    tell_asker(name, address)
