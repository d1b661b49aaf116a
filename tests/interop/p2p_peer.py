#!/usr/bin/env python3
"""A peer of lesson 5 in another language, written from the wire format alone.

If this program and the model solution understand each other, the format is documented well enough.
It needs Python 3.9 or newer and nothing else.

    python3 p2p_peer.py --id bob [--connect HOST:PORT] [--share FILE] [--silence-ms 5000]

It prints `Listening on 127.0.0.1:PORT`, then one line of JSON for each thing that happens (link,
lost, peers, message, shared, fetched, refused, failed, error), and takes orders as lines of JSON on
standard input, until that ends:

    {"do": "connect", "hostname": "127.0.0.1", "port": 40123}
    {"do": "send", "to": "alice", "body": "aGVsbG8="}         (bodies are base64)
    {"do": "broadcast", "body": "aGVsbG8="}
    {"do": "share", "body": "aGVsbG8="}
    {"do": "fetch", "hash": "9ab1…"}
    {"do": "close"}

The format, version 1. A link is one TCP connection; each direction carries frames:

    length                 4 bytes, big-endian: the bytes that follow, at most 16 MiB
    header                 one line of JSON in UTF-8, ended by LF; its "type" says what the frame is
    body                   the rest of the frame; may be empty

    hello                  version, id, port (where the sender listens); first frame each way
    refuse                 reason; the sender closes the connection afterwards
    peers                  peers (a list of id, hostname, port); once per link, right after hello
    message                body: the application's bytes
    ping / pong            "are you there?" / "yes"
    want / manifest        hash / hash, size, body: the SHA-256 of each chunk, 32 bytes each
    get / chunk            hash, index / hash, index, body: at most 65,536 bytes
    missing                hash, perhaps index: the answer to a want or get that cannot be served

Each link has two threads: one reads, one writes what waits in the link's queue. So a peer goes on
reading while it writes, frames never mix, and a slow link holds up no other.
"""

import argparse
import base64
import collections
import hashlib
import json
import queue
import select
import socket
import struct
import sys
import threading
import time

MAX_FRAME_BYTES = 16 * 1024 * 1024
MAX_WAITING_BYTES = 32 * 1024 * 1024
MAX_DIALS_PER_LIST = 64
CHUNK_BYTES = 65536
DIGEST_BYTES = 32
CHUNKS_IN_FLIGHT = 4


class LinkEnded(Exception):
    """The other side left, was silent for too long, or broke the rules."""


# ---------------------------------------------------------------------------------------- frames


def encode_frame(header, body=b""):
    line = json.dumps(header, ensure_ascii=False, separators=(",", ":"))
    # A lone surrogate is no UTF-8, but may stand in JSON as an escape.
    payload = line.encode("utf-8", "backslashreplace") + b"\n" + body
    if len(payload) > MAX_FRAME_BYTES:
        raise ValueError(f"Cannot send {len(body)} bytes: a frame has at most {MAX_FRAME_BYTES}")
    return struct.pack(">I", len(payload)) + payload


def decode_frame(payload):
    line, newline, body = payload.partition(b"\n")
    if not newline:
        raise LinkEnded("a frame without a header line")
    try:
        header = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        raise LinkEnded("a header that is not JSON") from None
    if not isinstance(header, dict) or not isinstance(header.get("type"), str):
        raise LinkEnded("a header without a type")
    return header, body


def is_whole(value, low, high):
    """A whole number of that range. To Python, True is a number; to JSON it is not."""
    return type(value) is int and low <= value <= high


def utf16(text):
    """The text as JavaScript counts and compares it. Python would compare code points."""
    return text.encode("utf-16-be", "surrogatepass")


def is_id(value):
    return isinstance(value, str) and 1 <= len(utf16(value)) // 2 <= 64


# ----------------------------------------------------------------------------------------- links


class Link:
    """One TCP connection, before and after the hellos. `id` and `address` come with the hello."""

    def __init__(self, peer, sock, dialled):
        self.peer, self.sock, self.dialled = peer, sock, dialled
        self.id = self.address = None
        self.frames = queue.Queue()  # None: send no more
        self.waiting_bytes = 0
        self.lock = threading.Lock()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.writer = threading.Thread(target=self.write_all, daemon=True)
        self.writer.start()

    def send(self, header, body=b""):
        """Puts a frame into the queue. Never waits."""
        frame = encode_frame(header, body)
        with self.lock:
            self.waiting_bytes += len(frame)
            too_slow = self.waiting_bytes > MAX_WAITING_BYTES
        if too_slow:
            self.end()
        else:
            self.frames.put(frame)

    def write_all(self):
        try:
            while (frame := self.frames.get()) is not None:
                self.sock.sendall(frame)
                with self.lock:
                    self.waiting_bytes -= len(frame)
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.end()

    def read_frame(self, deadline=None):
        (length,) = struct.unpack(">I", self.read(4, deadline))
        if length > MAX_FRAME_BYTES:
            raise LinkEnded(f"a frame of {length} bytes was announced")
        return decode_frame(self.read(length, deadline))

    def read(self, size, deadline=None):
        """Exactly `size` bytes. Memory grows with what has come, not with what was announced."""
        data = bytearray()
        asked = False
        while len(data) < size:
            wait = self.peer.silence / 2
            if deadline is not None:
                wait = max(0.0, min(wait, deadline - time.monotonic()))
            if select.select([self.sock], [], [], wait)[0]:
                part = self.sock.recv(min(size - len(data), 1 << 18))
                if not part:
                    raise LinkEnded("end of the stream")
                data += part
                asked = False
            elif deadline is not None:
                if time.monotonic() >= deadline:
                    raise LinkEnded("no hello")
            elif asked:
                raise LinkEnded("silence")
            else:
                # Nothing for half of the time allowed: ask. Whoever lives answers in the other.
                asked = True
                self.send({"type": "ping"})
        return bytes(data)

    def refuse(self, reason):
        self.send({"type": "refuse", "reason": reason})
        self.finish()
        self.end()

    def retire(self):
        """Gives way to another connection: says so and writes no more, but what has been sent to us
        by then still arrives."""
        self.send({"type": "refuse", "reason": "duplicate"})
        self.frames.put(None)

    def finish(self, seconds=1.0):
        """Sends what waits, then the end of the stream."""
        self.frames.put(None)
        self.writer.join(seconds)

    def end(self):
        """Ends both directions at once. Wakes both threads; the reading one tidies up."""
        self.frames.put(None)
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # The other side was faster.


# ------------------------------------------------------------------------------------------ peer


class Peer:
    def __init__(self, id, silence):
        self.id, self.silence = id, silence
        self.lock = threading.RLock()  # guards the five below
        self.links = {}  # id -> Link, the one link with that peer
        self.dialling = set()  # (hostname, port)
        self.shared = {}  # hash -> (manifest, content)
        self.fetches = collections.defaultdict(set)  # hash -> queues of answers
        self.closed = False
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.hostname, self.port = self.listener.getsockname()
        self.printing = threading.Lock()

    def tell(self, event, **fields):
        with self.printing:
            sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
            sys.stdout.flush()

    def start(self, target, *args):
        threading.Thread(target=target, args=args, daemon=True).start()

    def accept_all(self):
        while not self.closed:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                continue  # One that left before it was accepted; or we close.
            self.start(self.serve, sock, False)

    def dial(self, hostname, port, told=False):
        """Connects unless there is, or will soon be, a link with that address."""
        address = (hostname, port)
        with self.lock:
            known = address in self.dialling or any(
                link.address == address for link in self.links.values()
            )
            if known or self.closed:
                return
            self.dialling.add(address)
        try:
            sock = socket.create_connection(address, self.silence)
            sock.settimeout(None)
            self.serve(sock, True)
        except OSError as error:
            if told:
                self.tell("failed", hostname=hostname, port=port, reason=str(error))
        finally:
            with self.lock:
                self.dialling.discard(address)

    def serve(self, sock, dialled):
        """Everything that is read from one connection, from its hello to its end."""
        link = Link(self, sock, dialled)
        try:
            # At once, without waiting for the other's: if both waited, both would wait for ever.
            link.send({"type": "hello", "version": 1, "id": self.id, "port": self.port})
            header, _ = link.read_frame(time.monotonic() + self.silence)
            refusal = self.greet(link, header)
            if refusal == "duplicate" and header["type"] == "hello":
                link.retire()
            elif refusal:
                self.tell("refused", reason=refusal)
                if header["type"] != "refuse":
                    link.refuse(refusal)
                return
            while True:
                self.receive(link, *link.read_frame())
        except (LinkEnded, OSError):
            pass
        finally:
            self.lose(link)
            link.end()
            link.writer.join(1.0)
            sock.close()

    def greet(self, link, header):
        """Makes a connection the link with the peer that it says it is, or tells why not."""
        if header["type"] == "refuse":
            return str(header.get("reason"))
        id, port = header.get("id"), header.get("port")
        if header["type"] != "hello" or not is_whole(header.get("version"), 1, 1):
            return "hello"
        if not is_id(id) or not is_whole(port, 1, 65535):
            return "hello"
        if id == self.id:
            return "self"
        # Where it listens: the port that it says, on the host that the connection comes from. The
        # connection's own remote port is an ephemeral one, on which nobody listens.
        link.id, link.address = id, (link.sock.getpeername()[0], port)
        with self.lock:
            if self.closed:
                raise LinkEnded("closing")
            self.dialling.discard(link.address)
            old = self.links.get(id)
            if old and old.address != link.address:
                return "id taken"
            if old and not self.is_preferred(link, old):
                return "duplicate"
            self.links[id] = link
            others = [
                {"id": other.id, "hostname": other.address[0], "port": other.address[1]}
                for other in self.links.values()
                if other is not link
            ]
            link.send({"type": "peers", "peers": others})
            self.tell("link", id=id, dialled=link.dialled)
            if not old:
                self.tell_peers()
        if old:
            old.retire()
        return None

    def is_preferred(self, link, old):
        """Of two connections, the one that the smaller id dialled stays. Both sides agree on it."""
        smaller_is_here = utf16(self.id) < utf16(link.id)
        return link.dialled == smaller_is_here and old.dialled != smaller_is_here

    def lose(self, link):
        with self.lock:
            for answers in set().union(*self.fetches.values()):
                answers.put((link, None, b""))
            if link.id is None or self.links.get(link.id) is not link:
                return  # Never was the link, or another connection has taken its place.
            del self.links[link.id]
            self.tell("lost", id=link.id)
            self.tell_peers()

    def tell_peers(self):
        self.tell("peers", ids=sorted(self.links, key=utf16))

    def receive(self, link, header, body):
        """One frame after the hello. Types and fields that are not known here are ignored."""
        kind, hash = header["type"], header.get("hash")
        with self.lock:
            current = self.links.get(link.id, link)  # Another one may have taken over.
        if kind == "message":
            self.tell("message", **{"from": link.id}, body=base64.b64encode(body).decode())
        elif kind == "peers":
            self.discover(header.get("peers"))
        elif kind == "ping":
            current.send({"type": "pong"})
        elif kind == "refuse":
            # Hellos cross, so a refusal may come after one that was fine: "id taken" always does.
            if header.get("reason") != "duplicate":
                self.tell("refused", reason=str(header.get("reason")))
            raise LinkEnded("refused")
        elif kind == "want" and isinstance(hash, str):
            current.send(*self.answer_want(hash))
        elif kind == "get" and isinstance(hash, str):
            current.send(*self.answer_get(hash, header.get("index")))
        elif kind in ("manifest", "chunk", "missing") and isinstance(hash, str):
            with self.lock:
                for answers in self.fetches.get(hash, ()):
                    answers.put((link, header, body))

    def discover(self, peers):
        """Dials whom it does not know. The list is not passed on: each newcomer is sent its own."""
        for entry in peers[:MAX_DIALS_PER_LIST] if isinstance(peers, list) else ():
            if not isinstance(entry, dict):
                continue
            id, hostname, port = entry.get("id"), entry.get("hostname"), entry.get("port")
            if not is_id(id) or not isinstance(hostname, str) or not is_whole(port, 1, 65535):
                continue
            with self.lock:
                known = id == self.id or id in self.links
            if not known and (hostname, port) != (self.hostname, self.port):
                self.start(self.dial, hostname, port)

    # -------------------------------------------------------------------------------------- files

    def share(self, content):
        chunks = [content[at : at + CHUNK_BYTES] for at in range(0, len(content), CHUNK_BYTES)]
        manifest = b"".join(hashlib.sha256(chunk).digest() for chunk in chunks)
        hash = hashlib.sha256(manifest).hexdigest()
        with self.lock:
            self.shared[hash] = (manifest, content)
        return hash

    def answer_want(self, hash):
        with self.lock:
            manifest, content = self.shared.get(hash, (None, b""))
        if manifest is None:
            return {"type": "missing", "hash": hash}, b""
        return {"type": "manifest", "hash": hash, "size": len(content)}, manifest

    def answer_get(self, hash, index):
        with self.lock:
            manifest, content = self.shared.get(hash, (b"", b""))
        if not is_whole(index, 0, len(manifest) // DIGEST_BYTES - 1):
            return {"type": "missing", "hash": hash, "index": index}, b""
        chunk = content[index * CHUNK_BYTES : (index + 1) * CHUNK_BYTES]
        return {"type": "chunk", "hash": hash, "index": index}, chunk

    def fetch(self, hash):
        """Gets content from all peers that have it, and tells the end of it."""
        with self.lock:
            manifest, content = self.shared.get(hash, (None, None))
            fetching = Fetch(self, hash)
            self.fetches[hash].add(fetching.answers)
            links = list(self.links.values())
        try:
            if manifest is None:
                content = fetching.run(links)
        finally:
            with self.lock:
                self.fetches[hash].discard(fetching.answers)
                if not self.fetches[hash]:
                    del self.fetches[hash]
        if content is not None:
            self.share(content)  # Whoever has fetched it serves it, too.
        self.tell("fetched", hash=hash, size=len(content or b""), ok=content is not None)

    # ------------------------------------------------------------------------------------- orders

    def obey(self, order):
        """Does what a line of standard input says. Returns False when that was the last."""
        do = order["do"]
        body = base64.b64decode(order.get("body", ""))
        if do == "connect":
            self.start(self.dial, order["hostname"], order["port"], True)
        elif do == "send":
            with self.lock:
                link = self.links.get(order["to"])
            if link is None:
                self.tell("error", reason=f"No link with {json.dumps(order['to'])}")
            else:
                link.send({"type": "message"}, body)
        elif do == "broadcast":
            with self.lock:
                links = list(self.links.values())
            for link in links:
                link.send({"type": "message"}, body)
        elif do == "share":
            self.tell("shared", hash=self.share(body), size=len(body))
        elif do == "fetch":
            self.start(self.fetch, order["hash"])
        elif do != "close":
            self.tell("error", reason=f"Unknown order {json.dumps(do)}")
        return do != "close"

    def close(self):
        with self.lock:
            self.closed = True
            links = list(self.links.values())
        self.listener.close()
        for link in links:
            link.finish()
            link.end()


class Fetch:
    """One file on its way. A single thread decides; the links' threads only hand in answers."""

    def __init__(self, peer, hash):
        self.peer, self.hash = peer, hash
        self.answers = queue.Queue()  # (link, header or None when the link is lost, body)
        self.asked = {}  # link -> when its manifest is due
        self.holders = {}  # link -> {index: when that chunk is due}
        self.digests = None
        self.todo = collections.deque()
        self.chunks = {}  # index -> bytes, each of them checked

    def run(self, links):
        """The content, or None if nobody has it or delivers it right."""
        for link in links:
            self.asked[link] = time.monotonic() + self.peer.silence
            link.send({"type": "want", "hash": self.hash})
        while not self.is_complete():
            if not self.asked and not self.holders:
                return None
            self.ask()
            due = list(self.asked.values())
            for chunks in self.holders.values():
                due.extend(chunks.values())
            # A holder without a chunk to deliver is not waited for: then a manifest is.
            wait = min(due, default=time.monotonic() + self.peer.silence) - time.monotonic()
            try:
                self.take(*self.answers.get(timeout=max(0.0, wait)))
            except queue.Empty:
                self.drop_silent()
        # In the order of the file, not in that of arrival.
        return b"".join(self.chunks[index] for index in range(len(self.digests)))

    def is_complete(self):
        return self.digests is not None and len(self.chunks) == len(self.digests)

    def ask(self):
        """A few chunks of each holder in turn, so that every one does a share."""
        for _ in range(CHUNKS_IN_FLIGHT):
            for link, chunks in self.holders.items():
                if self.todo and len(chunks) < CHUNKS_IN_FLIGHT:
                    index = self.todo.popleft()
                    chunks[index] = time.monotonic() + self.peer.silence
                    link.send({"type": "get", "hash": self.hash, "index": index})

    def take(self, link, header, body):
        if header is None:
            self.drop(link)
        elif header["type"] == "manifest" and link in self.asked:
            del self.asked[link]
            if self.is_manifest(header.get("size"), body):
                self.holders[link] = {}
        elif header["type"] == "missing" and "index" not in header:
            self.asked.pop(link, None)
        elif header["type"] == "chunk" or header["type"] == "missing":
            index = header.get("index")
            if not is_whole(index, 0, MAX_FRAME_BYTES) or index not in self.holders.get(link, ()):
                return  # Not asked of this peer, or no longer.
            if header["type"] == "chunk" and self.is_chunk(index, body):
                del self.holders[link][index]
                self.chunks[index] = body
            else:
                self.drop(link)  # Its chunks are asked for elsewhere, and it is asked no more.

    def is_manifest(self, size, body):
        """What a peer says is believed only as far as the hash that we asked for proves it.

        The hash proves the digests, but not `size`: that has to agree with their number, and is
        used for no more. How long the last chunk is, its own digest proves.
        """
        if hashlib.sha256(body).hexdigest() != self.hash or not is_whole(size, 0, 1 << 53):
            return False
        count = -(-size // CHUNK_BYTES)
        if len(body) != count * DIGEST_BYTES:
            return False
        if self.digests is None:
            self.digests = [body[i * DIGEST_BYTES : (i + 1) * DIGEST_BYTES] for i in range(count)]
            self.todo.extend(range(count))
        return True

    def is_chunk(self, index, body):
        is_last = index == len(self.digests) - 1
        is_fitting = 0 < len(body) <= CHUNK_BYTES if is_last else len(body) == CHUNK_BYTES
        return is_fitting and hashlib.sha256(body).digest() == self.digests[index]

    def drop_silent(self):
        now = time.monotonic()
        for link in [link for link, due in self.asked.items() if due <= now]:
            del self.asked[link]
        for link in list(self.holders):
            if any(due <= now for due in self.holders[link].values()):
                self.drop(link)

    def drop(self, link):
        self.asked.pop(link, None)
        self.todo.extendleft(reversed(self.holders.pop(link, {})))


def main():
    parser = argparse.ArgumentParser(description="A peer of lesson 5 in Python")
    parser.add_argument("--id", required=True)
    parser.add_argument("--connect", metavar="HOST:PORT")
    parser.add_argument("--share", metavar="FILE")
    parser.add_argument("--silence-ms", type=int, default=5000)
    options = parser.parse_args()

    peer = Peer(options.id, options.silence_ms / 1000)
    print(f"Listening on {peer.hostname}:{peer.port}", flush=True)
    peer.start(peer.accept_all)
    if options.share:
        with open(options.share, "rb") as file:
            content = file.read()
        peer.tell("shared", hash=peer.share(content), size=len(content))
    if options.connect:
        hostname, _, port = options.connect.rpartition(":")
        peer.start(peer.dial, hostname, int(port), True)
    for line in sys.stdin.buffer:
        try:
            if not peer.obey(json.loads(line)):
                break
        except (ValueError, KeyError, TypeError) as error:
            peer.tell("error", reason=f"{type(error).__name__}: {error}")
    peer.close()
    peer.printing.acquire()  # From here on no thread writes, so that none is cut off in a line.


if __name__ == "__main__":
    main()
