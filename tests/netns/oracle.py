"""Which path two machines must find: told by what their networks are, and knowing nothing of floe. Pure.

The classes: 'host' (from address to address, nothing in between changes them), 'reflexive' (direct, through a NAT or two),
'tcp' (direct, where UDP is blocked), and 'relay', which needs a reason.
"""
from dataclasses import dataclass


@dataclass(frozen=True)
class Network:
    """What lies between a machine and the internet. By default a home router: it translates IPv4, and lets in answers."""

    ipv4: bool = True
    ipv6: bool = False  # Never translated; a firewall may be before it, which lets in answers.
    translates: bool = True  # IPv4
    changes_ports: bool = False  # Another outside port for each destination: it cannot be told to the peer in advance.
    filters_ports: bool = True  # Lets in what comes from an address and port that it has sent to, and nothing else.
    udp: bool = True
    tcp: bool = True  # Connects to any port outside; if not, to 443 alone.
    takes_tcp: bool = False  # Others can connect to it unasked.


NETWORKS = {
    "none": Network(translates=False, filters_ports=False, takes_tcp=True),
    "eim_eif": Network(filters_ports=False),
    "eim_adf": Network(filters_ports=False),  # It looks at addresses alone, and those are known.
    "eim_apdf": Network(),
    "symmetric": Network(changes_ports=True),
    "cgnat": Network(changes_ports=True),  # A home router that filters behind a carrier that changes ports.
    "cgnat_eim": Network(),  # The same behind a carrier that does not.
    "udp_blocked": Network(udp=False),
    "open_udp_blocked": Network(udp=False, translates=False, takes_tcp=True),
    "tcp443_only": Network(udp=False, tcp=False),
    "ipv6_only": Network(ipv4=False, ipv6=True, takes_tcp=True),
    "fw_only_ipv6": Network(ipv4=False, ipv6=True),
    "dual_stack": Network(ipv6=True),
    "hard_dual_stack": Network(changes_ports=True, ipv6=True),
    "broken_ipv4": Network(ipv4=False, ipv6=True),  # It has addresses of both families; those of one lead nowhere.
    "broken_ipv6": Network(),
    # Symmetric, but its router forwards a port when asked: that one is known, and nothing is filtered.
    "mapped": Network(filters_ports=False),
}


def expected(a: Network, b: Network) -> tuple[str, str]:
    """(class, reason) of two machines on networks of their own."""
    both = ((a, b), (b, a))
    if not (a.udp and b.udp):
        shared = (a.ipv4 and b.ipv4) or (a.ipv6 and b.ipv6)
        if shared and any(one.tcp and other.takes_tcp for one, other in both):
            return "tcp", "UDP is blocked, and one can connect to the other"
        return "relay", "UDP is blocked"
    if a.ipv6 and b.ipv6:
        return "host", "nothing translates IPv6"
    if not (a.ipv4 and b.ipv4):
        return "relay", "no family in common"
    if any(one.changes_ports and other.filters_ports for one, other in both):
        return "relay", "the port of one is unknown, and the other lets in nothing else"
    if a.translates or b.translates:
        return "reflexive", "what one sends, the other lets in"
    return "host", "nothing in between"


def expected_behind_one_nat(same_lan: bool, hairpin: bool) -> tuple[str, str]:
    """The same of two machines behind the same router, whose own NATs keep ports."""
    if same_lan:
        return "host", "one LAN"
    if hairpin:
        return "reflexive", "the NAT leads back what is sent to its own address"
    return "relay", "the NAT leads nothing back"
