"""The traffic that take.sh captures: traffic.py NAMESPACE_A NAMESPACE_B KIND ADDRESS_A ADDRESS_B.

The kernel makes every header, except where a function says otherwise.
"""

import fcntl
import os
import socket
import struct
import sys

SO_NO_CHECK = 11
IP_OPTIONS = 4
TUNSETIFF = 0x400454CA
ETH_P_ALL = 0x0003


def inside(namespace, make):
    """What `make` gives in that network namespace. A socket stays in the one where it was made."""
    own = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        os.setns(there, os.CLONE_NEWNET) if hasattr(os, "setns") else setns(there)
        return make()
    finally:
        os.setns(own, os.CLONE_NEWNET) if hasattr(os, "setns") else setns(own)
        os.close(own)
        os.close(there)


def setns(descriptor):
    """os.setns() is there from Python 3.12 on."""
    import ctypes

    if ctypes.CDLL(None, use_errno=True).setns(descriptor, 0x40000000) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def udp(namespace, address):
    def make():
        one = socket.socket(family(address), socket.SOCK_DGRAM)
        one.bind((address, 0))
        one.settimeout(5)
        return one

    return inside(namespace, make)


def talk(a, b, payloads):
    """Each payload from a to b, and what comes back is the payload reversed."""
    for payload in payloads:
        a.sendto(payload, b.getsockname())
        got, peer = b.recvfrom(65535)
        assert got == payload
        b.sendto(payload[::-1], peer)
        assert a.recvfrom(65535)[0] == payload[::-1]


def tcp(server_ns, server_address, client_ns, client_address, size):
    def listen():
        one = socket.socket(family(server_address), socket.SOCK_STREAM)
        one.bind((server_address, 0))
        one.listen()
        return one

    def client():
        one = socket.socket(family(client_address), socket.SOCK_STREAM)
        one.bind((client_address, 0))
        one.settimeout(5)
        return one

    listener = inside(server_ns, listen)
    conn = inside(client_ns, client)
    conn.connect(listener.getsockname())
    peer, _ = listener.accept()
    peer.settimeout(5)
    conn.sendall(b"GET / HTTP/1.0\r\n\r\n")
    assert peer.recv(100)
    peer.sendall(bytes(i * 7 & 0xFF for i in range(size)))
    peer.close()
    while conn.recv(65535):
        pass
    conn.close()
    listener.close()


def main(ns_a, ns_b, kind, address_a, address_b):
    words = [b"hello", b"odd", b"even", b"", "소켓".encode(), bytes(range(200))]
    if kind == "udp":
        talk(udp(ns_a, address_a), udp(ns_b, address_b), words)
    elif kind == "udp-no-checksum":
        a, b = udp(ns_a, address_a), udp(ns_b, address_b)
        a.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
        talk(a, b, words[:4])
    elif kind == "udp-options":
        a, b = udp(ns_a, address_a), udp(ns_b, address_b)
        # Record route with room for two addresses, and an end of list to fill the word.
        a.setsockopt(socket.IPPROTO_IP, IP_OPTIONS, bytes([7, 11, 4, *[0] * 8, 0]))
        talk(a, b, words)
    elif kind == "udp-padded":
        # A veth pair is no Ethernet card and pads nothing: the datagrams are sent by the kernel, and then once
        # more with the zeros that a card would have put behind them.
        a, b = udp(ns_a, address_a), udp(ns_b, address_b)

        def packet_socket():
            one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            one.bind(("eth-a", 0))
            return one

        raw = inside(ns_a, packet_socket)
        raw.settimeout(5)
        for payload in words[:5]:
            a.sendto(payload, b.getsockname())
            frame = raw.recv(65535)
            while frame[12:14] != b"\x08\x00" or frame[23] != 17:
                frame = raw.recv(65535)
            raw.send(frame.ljust(60, b"\0"))
    elif kind == "udp-fragments":
        a, b = udp(ns_a, address_a), udp(ns_b, address_b)
        talk(a, b, [b"before", bytes(i * 13 & 0xFF for i in range(2000)), b"after"])
    elif kind == "tcp":
        tcp(ns_b, address_b, ns_a, address_a, 500)
    elif kind == "loopback":
        talk(udp(ns_a, address_a), udp(ns_a, address_b), words[:3])
        tcp(ns_a, address_b, ns_a, address_a, 101)
    elif kind == "cut":
        talk(udp(ns_a, address_a), udp(ns_b, address_b), words)
        tcp(ns_b, address_b, ns_a, address_a, 300)
    elif kind == "cooked":
        talk(udp(ns_a, address_a), udp(ns_b, address_b), words[:3])
        tcp(ns_b, address_b, ns_a, address_a, 33)
    elif kind == "mixed":
        a, b = udp(ns_a, address_a), udp(ns_b, address_b)
        talk(a, b, [b"hello"])
        nobody = b.getsockname()
        b.close()
        # Answered with ICMP port unreachable, which holds the headers of what it answers.
        a.sendto(b"nobody", nobody)
        try:
            a.recvfrom(100)
        except (ConnectionRefusedError, TimeoutError):
            pass
        a6, b6 = udp(ns_a, "fd08::1"), udp(ns_b, "fd08::2")
        talk(a6, b6, [b"hello again"])
    elif kind == "tun":

        def tun():
            descriptor = os.open("/dev/net/tun", os.O_RDWR)
            fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH", b"tun0", 0x1001))
            return descriptor

        inside(ns_a, tun)
        for address, other in ((address_a, address_b), ("fd09::1", "fd09::2")):
            a = udp(ns_a, address)
            for payload in words[:3]:
                a.sendto(payload, (other, 7000))
            client = inside(ns_a, lambda: socket.socket(family(address), socket.SOCK_STREAM))
            client.setblocking(False)
            client.connect_ex((other, 8000))
    elif kind == "vlan-by-hand":
        # Without the kernel's VLAN devices: the datagrams of the kernel, with a tag put into their frames.
        a, b = udp(ns_a, address_a), udp(ns_b, address_b)

        def packet_socket():
            one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            one.bind(("eth-a", 0))
            return one

        raw = inside(ns_a, packet_socket)
        raw.settimeout(5)
        for payload in words[:5]:
            a.sendto(payload, b.getsockname())
            frame = raw.recv(65535)
            while frame[12:14] != b"\x08\x00" or frame[23] != 17:
                frame = raw.recv(65535)
            raw.send(frame[:12] + b"\x81\x00\x00\x07" + frame[12:])
    else:
        sys.exit(f"Unknown kind of traffic: {kind}")


main(*sys.argv[1:])
