/**
 * Lesson 1: a socket is created and given an address.
 *
 * @module
 */

import { same } from "../workbook/text.ts";
import { bytes, expectBytes } from "./support/bytes.ts";
import {
  expectEqual,
  expectErrorClass,
  expectMessage,
  expectSocket,
  expectThat,
} from "./support/expect.ts";
import { fail } from "./support/failure.ts";
import type { Learner, RemoteSocket } from "./support/learner.ts";
import { hasIpv6, isFree, reservePort, reservePorts, secondLoopback } from "./support/machine.ts";
import { task, type TestContext } from "./support/suite.ts";
import { showAddr } from "./support/transcript.ts";

const LOOPBACK = { en: "an address on the loopback interface", ko: "루프백(loopback) 주소" };

function expectLoopback(socket: RemoteSocket): void {
  expectEqual(socket.addr.hostname, "127.0.0.1", { what: LOOPBACK, mistake: "every-interface" });
}

/** The learner's code let the OS choose: it asked for port 0. */
function expectChosenByOs(learner: Learner): void {
  const asked = learner.events.findLast((event) => event.event === "listen")?.asked?.port ?? 0;
  expectThat(
    asked === 0,
    { en: "port 0 is asked for, so that the OS chooses", ko: "OS가 고르도록 포트 0을 요청함" },
    { en: `port ${asked} was asked for`, ko: `포트 ${asked}번을 요청했습니다` },
    "fixed-port",
  );
}

function listening(addr: { hostname: string; port: number }) {
  return {
    en: `a client can connect to ${showAddr({ transport: "tcp", ...addr })}`,
    ko: `클라이언트가 ${showAddr({ transport: "tcp", ...addr })} 에 연결할 수 있음`,
  };
}

/** A listener of the suite's that keeps a port busy until the test ends. */
function busyPort(context: TestContext, hostname = "127.0.0.1"): number {
  const port = reservePort(context, hostname);
  context.peers.track(Deno.listen({ hostname, port }));
  context.peers.note("listen", `${showAddr({ transport: "tcp", hostname, port })} (busy)`);
  return port;
}

// --- task 1 ---

task(1, {
  en: "openTcpSocket() listens on the loopback interface",
  ko: "openTcpSocket()이 루프백에서 듣습니다",
}, async ({ learner, peers, step }) => {
  const socket = expectSocket(
    await learner.callSync("openTcpSocket", [], { mistakeIf: ["AddrInUse", "fixed-port"] }),
    "listener",
    "openTcpSocket()",
  );
  expectLoopback(socket);
  await step(listening(socket.addr), () => peers.connect(socket.addr));
}, { catches: ["every-interface", "unawaited-promise", "closed-on-return"] });

task(1, {
  en: "openTcpSocket() lets the OS choose the port",
  ko: "openTcpSocket()은 포트를 OS에 맡깁니다",
}, async ({ learner }) => {
  const open = () =>
    learner.callSync("openTcpSocket", [], { mistakeIf: ["AddrInUse", "fixed-port"] });
  const first = expectSocket(await open(), "listener", "openTcpSocket()");
  expectChosenByOs(learner);
  const second = expectSocket(await open(), "listener", "openTcpSocket()");
  expectThat(
    first.addr.port !== second.addr.port,
    { en: "two sockets on two ports", ko: "소켓 두 개가 서로 다른 포트에 있음" },
    { en: `port ${first.addr.port} twice`, ko: `포트 ${first.addr.port}번이 두 번` },
    "fixed-port",
  );
}, { catches: ["fixed-port"], leak: "leaked-listener" });

// --- task 2 ---

task(2, {
  en: "openUdpSocket() receives datagrams on the loopback interface",
  ko: "openUdpSocket()이 루프백에서 데이터그램을 받습니다",
}, async ({ learner, peers, random, step }) => {
  const socket = expectSocket(
    await learner.callSync("openUdpSocket", [], { mistakeIf: ["AddrInUse", "fixed-port"] }),
    "datagram",
    "openUdpSocket()",
  );
  expectLoopback(socket);
  const payload = bytes(random.word());
  const peer = peers.datagram();
  const received = learner.method(socket, "receive");
  peers.note("send", `${payload.length} bytes → ${showAddr(socket.addr)}`);
  await peer.send(payload, { ...socket.addr, transport: "udp" });
  const [got] = await step(
    { en: "the datagram arrives", ko: "데이터그램이 도착함" },
    () => received,
  ) as [Uint8Array];
  expectBytes(got, payload);
}, { catches: ["every-interface", "unawaited-promise", "closed-on-return"] });

task(2, {
  en: "openUdpSocket() lets the OS choose the port",
  ko: "openUdpSocket()은 포트를 OS에 맡깁니다",
}, async ({ learner }) => {
  const open = () =>
    learner.callSync("openUdpSocket", [], { mistakeIf: ["AddrInUse", "fixed-port"] });
  const first = expectSocket(await open(), "datagram", "openUdpSocket()");
  expectChosenByOs(learner);
  const second = expectSocket(await open(), "datagram", "openUdpSocket()");
  expectThat(
    first.addr.port !== second.addr.port,
    { en: "two sockets on two ports", ko: "소켓 두 개가 서로 다른 포트에 있음" },
    { en: `port ${first.addr.port} twice`, ko: `포트 ${first.addr.port}번이 두 번` },
    "fixed-port",
  );
}, { catches: ["fixed-port"], leak: "leaked-listener" });

// --- task 3 ---

task(3, {
  en: "bindTo() takes exactly the address it is given",
  ko: "bindTo()는 주어진 주소에 정확히 바인드합니다",
}, async (context) => {
  const { learner, peers, step } = context;
  for (const hostname of new Set(["127.0.0.1", secondLoopback])) {
    const address = { hostname, port: reservePort(context, hostname) };
    const socket = expectSocket(
      await learner.callSync("bindTo", [address.hostname, address.port]),
      "listener",
      "bindTo()",
    );
    expectEqual(showAddr(socket.addr), showAddr({ transport: "tcp", ...address }), {
      what: { en: "the address asked for", ko: "요청한 주소" },
    });
    await step(listening(address), () => peers.connect(address));
  }
}, { catches: ["every-interface", "unawaited-promise", "closed-on-return"] });

task(3, {
  en: "bindTo() takes port 0, and the OS chooses",
  ko: "bindTo()에 포트 0을 주면 OS가 고릅니다",
}, async ({ learner, peers, step }) => {
  const socket = expectSocket(
    await learner.callSync("bindTo", ["127.0.0.1", 0], { mistake: "port-zero-reported" }),
    "listener",
    "bindTo()",
  );
  await step(listening(socket.addr), () => peers.connect(socket.addr));
}, { catches: ["port-zero-reported"] });

if (hasIpv6) {
  task(3, {
    en: "bindTo() takes an IPv6 address",
    ko: "bindTo()는 IPv6 주소에도 바인드합니다",
  }, async (context) => {
    const { learner, peers, step } = context;
    const port = reservePort(context, "::1");
    const socket = expectSocket(
      await learner.callSync("bindTo", ["::1", port], { mistake: "ipv4-only" }),
      "listener",
      "bindTo()",
    );
    expectEqual(socket.addr.hostname, "::1", {
      what: { en: "the address asked for", ko: "요청한 주소" },
      mistake: "ipv4-only",
    });
    await step(listening(socket.addr), () => peers.connect(socket.addr));
  }, { catches: ["ipv4-only"] });
}

if (Deno.build.os === "linux") {
  task(3, {
    en: "bindTo() hands the backlog to the kernel",
    ko: "bindTo()는 backlog를 커널에 전달합니다",
  }, async (context) => {
    await expectQueue(context, 1);
    await expectQueue(context, 0);
  }, { catches: ["backlog-ignored"] });
}

/** With that backlog and no accept(), one client more than it is connected, and the next waits. */
async function expectQueue({ learner, peers, step }: TestContext, backlog: number): Promise<void> {
  const expected = {
    en: `with backlog ${backlog} and no accept(), client ${
      backlog + 1
    } connects and the next waits`,
    ko: `backlog가 ${backlog}이고 accept()가 없으면 클라이언트 ${
      backlog + 1
    }까지 연결되고 다음은 기다림`,
  };
  const socket = expectSocket(
    await learner.callSync("bindTo", ["127.0.0.1", 0, backlog]),
    "listener",
    "bindTo()",
  );
  for (let i = 0; i <= backlog; i++) await step(expected, () => peers.connect(socket.addr));
  const abort = new AbortController();
  peers.note("connect", `→ ${showAddr(socket.addr)}`);
  const next = Deno.connect({ ...socket.addr, transport: "tcp", signal: abort.signal }).then(
    (conn) => {
      conn.close();
      return "connected" as const;
    },
    () => "given up" as const,
  );
  // On loopback the kernel finishes a handshake before connect() gives up the processor, so a connection that
  // was begun before these and is still not there when they are done has been left waiting.
  const outcome = await Promise.race([next, roundTrips(20).then(() => "waits" as const)]);
  abort.abort();
  await next;
  expectThat(
    outcome === "waits",
    expected,
    { en: "the next client connected, too", ko: "다음 클라이언트도 연결되었습니다" },
    "backlog-ignored",
  );
}

async function roundTrips(count: number): Promise<void> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  for (let i = 0; i < count; i++) {
    using _client = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
    using _server = await listener.accept();
  }
}

task(3, {
  en: "bindTo() without a backlog lets several clients wait",
  ko: "bindTo()에 backlog를 주지 않으면 여러 클라이언트가 기다릴 수 있습니다",
}, async ({ learner, peers, step }) => {
  const socket = expectSocket(
    await learner.callSync("bindTo", ["127.0.0.1", 0]),
    "listener",
    "bindTo()",
  );
  for (let i = 0; i < 5; i++) {
    await step(
      {
        en: "five clients connect before any accept()",
        ko: "accept() 전에 클라이언트 다섯이 연결됨",
      },
      () => peers.connect(socket.addr),
      "backlog-ignored",
    );
  }
}, { catches: ["backlog-ignored"] });

task(3, {
  en: "bindTo() refuses what is not a port before it makes a socket",
  ko: "bindTo()는 포트가 아닌 값을 소켓을 만들기 전에 거부합니다",
}, async ({ learner }) => {
  for (const port of [65536, -1, 80.5, NaN, 70000]) {
    const expected = {
      en: `RangeError for port ${port}, and no socket`,
      ko: `포트 ${port}: RangeError, 소켓은 만들지 않음`,
    };
    const error = await learner.throws("bindTo", ["127.0.0.1", port], {
      expected,
      mistake: "port-not-checked",
    });
    expectErrorClass(error, "RangeError", expected, "port-not-checked");
    const made = learner.events.find((event) => event.event === "listen" && !event.error);
    expectThat(
      made === undefined,
      expected,
      { en: `a socket on ${showAddr(made?.addr)}`, ko: `${showAddr(made?.addr)} 에 소켓이 생김` },
      "port-not-checked",
    );
  }
}, { catches: ["port-not-checked"] });

task(3, {
  en: "bindTo() says which address is busy",
  ko: "bindTo()는 어느 주소가 사용 중인지 알려 줍니다",
}, async (context) => {
  const { learner } = context;
  for (const hostname of hasIpv6 ? ["127.0.0.1", "::1"] : ["127.0.0.1"]) {
    const port = busyPort(context, hostname);
    const address = showAddr({ transport: "tcp", hostname, port });
    const expected = {
      en: `Deno.errors.AddrInUse whose message names ${address}`,
      ko: `메시지에 ${address} 가 들어 있는 Deno.errors.AddrInUse`,
    };
    const error = await learner.throws("bindTo", [hostname, port], {
      expected,
      mistake: "swallowed-addr-in-use",
    });
    expectErrorClass(error, "Deno.errors.AddrInUse", expected, "swallowed-addr-in-use");
    const bare = hostname.includes(":") && error.message.includes(`${hostname}:${port}`);
    expectMessage(
      error,
      address,
      expected,
      bare ? "ipv6-without-brackets" : "error-without-address",
    );
  }
}, { catches: ["swallowed-addr-in-use", "error-without-address", "ipv6-without-brackets"] });

task(3, {
  en: "bindTo() lets nobody else in on its port",
  ko: "bindTo()로 잡은 포트에는 다른 소켓이 들어올 수 없습니다",
}, async ({ learner }) => {
  const socket = expectSocket(
    await learner.callSync("bindTo", ["127.0.0.1", 0]),
    "listener",
    "bindTo()",
  );
  const expected = {
    en: `Deno.errors.AddrInUse for a second listener on ${showAddr(socket.addr)}`,
    ko: `${showAddr(socket.addr)} 에 둘째 리스너를 만들면 Deno.errors.AddrInUse`,
  };
  const error = await learner.throws("bindTo", ["127.0.0.1", socket.addr.port], {
    expected,
    mistake: "reuse-port",
  });
  expectErrorClass(error, "Deno.errors.AddrInUse", expected, "reuse-port");
}, { catches: ["reuse-port"] });

task(3, {
  en: "bindTo() lets every other error through",
  ko: "bindTo()는 다른 오류를 그대로 전달합니다",
}, async ({ learner }) => {
  const expected = {
    en: "Deno.errors.PermissionDenied, as the kernel gave it",
    ko: "커널이 준 그대로의 Deno.errors.PermissionDenied",
  };
  await learner.faults({ api: ["listen"], times: 1, error: "PermissionDenied" });
  const error = await learner.throws("bindTo", ["127.0.0.1", 0], {
    expected,
    mistake: "swallowed-addr-in-use",
  });
  expectErrorClass(error, "Deno.errors.PermissionDenied", expected, "every-error-in-use");
}, { catches: ["every-error-in-use"] });

// --- task 4 ---

task(4, {
  en: "bindFirstFree() takes the first free port, in order",
  ko: "bindFirstFree()는 순서대로 처음 비어 있는 포트를 씁니다",
}, async (context) => {
  const { learner, peers, step } = context;
  const busy = [busyPort(context), busyPort(context)];
  // Neither the lowest nor the highest comes first, so that only the order of the list finds it.
  const [low, middle, high] = reservePorts(context, 3) as [number, number, number];
  const free = [middle, high, low];
  const socket = expectSocket(
    await learner.callSync("bindFirstFree", ["127.0.0.1", [...busy, ...free]]),
    "listener",
    "bindFirstFree()",
  );
  expectEqual(socket.addr.port, free[0]!, {
    what: { en: "the first free port of the list", ko: "목록에서 처음 비어 있는 포트" },
    mistake: "wrong-order",
  });
  expectLoopback(socket);
  await step(listening(socket.addr), () => peers.connect(socket.addr));
  for (const port of [high, low]) {
    expectThat(
      isFree({ hostname: "127.0.0.1", port }),
      { en: `port ${port} stays free`, ko: `포트 ${port}번은 비어 있음` },
      { en: "it is bound, too", ko: "그 포트에도 바인드되어 있습니다" },
      "leaked-listener",
    );
  }
}, { catches: ["wrong-order", "leaked-listener"], leak: "leaked-listener" });

task(4, {
  en: "bindFirstFree() binds once, and keeps what it has bound",
  ko: "bindFirstFree()는 한 번만 바인드하고 그 소켓을 그대로 돌려줍니다",
}, async (context) => {
  const { learner } = context;
  const ports = reservePorts(context, 2);
  await learner.callSync("bindFirstFree", ["127.0.0.1", ports]);
  const bound = learner.events.filter((event) => event.event === "listen" && !event.error);
  expectThat(
    bound.length === 1,
    { en: "one successful bind", ko: "성공한 바인드(bind) 한 번" },
    {
      en: `${bound.length} of them: ${bound.map((event) => showAddr(event.addr)).join(", ")}`,
      ko: `${bound.length}번: ${bound.map((event) => showAddr(event.addr)).join(", ")}`,
    },
    bound.length > 1 && bound[0]!.addr!.port === bound[1]!.addr!.port
      ? "probe-then-bind"
      : "leaked-listener",
  );
}, { catches: ["probe-then-bind", "leaked-listener"] });

task(4, {
  en: "bindFirstFree() names all ports when none is free",
  ko: "bindFirstFree()는 빈 포트가 없으면 모든 포트를 알려 줍니다",
}, async (context) => {
  const { learner } = context;
  for (const ports of [[busyPort(context), busyPort(context), busyPort(context)], []]) {
    const expected = {
      en: ports.length > 0
        ? `Deno.errors.AddrInUse naming ${ports.join(", ")}`
        : "Deno.errors.AddrInUse for an empty list",
      ko: ports.length > 0
        ? `${ports.join(", ")}번을 모두 알려 주는 Deno.errors.AddrInUse`
        : "빈 목록이면 Deno.errors.AddrInUse",
    };
    const error = await learner.throws("bindFirstFree", ["127.0.0.1", ports], {
      expected,
      mistake: "swallowed-addr-in-use",
    });
    expectErrorClass(error, "Deno.errors.AddrInUse", expected, "swallowed-addr-in-use");
    for (const port of ports) expectMessage(error, `${port}`, expected, "error-without-address");
  }
}, { catches: ["swallowed-addr-in-use", "error-without-address"] });

task(4, {
  en: "bindFirstFree() skips busy ports only; any other error surfaces",
  ko: "bindFirstFree()는 사용 중인 포트만 건너뛰고 다른 오류는 그대로 알립니다",
}, async (context) => {
  const { learner } = context;
  const free = reservePorts(context, 2);
  const denied = {
    en: "Deno.errors.PermissionDenied surfaces",
    ko: "Deno.errors.PermissionDenied 가 그대로 전달됨",
  };
  await learner.faults({ api: ["listen"], times: 1, error: "PermissionDenied" });
  const refused = await learner.throws("bindFirstFree", ["127.0.0.1", free], {
    expected: denied,
    mistake: "skips-any-error",
  });
  expectErrorClass(refused, "Deno.errors.PermissionDenied", denied, "skips-any-error");

  const outOfRange = { en: "RangeError for port 70000", ko: "포트 70000 은 RangeError" };
  const wrong = await learner.throws(
    "bindFirstFree",
    ["127.0.0.1", [busyPort(context), 70000, free[1]]],
    { expected: outOfRange, mistake: "skips-any-error" },
  );
  expectErrorClass(wrong, "RangeError", outOfRange, "skips-any-error");
}, { catches: ["skips-any-error"], leak: "leaked-listener" });

task(4, {
  en: "bindFirstFree() binds no port that is not in the list",
  ko: "bindFirstFree()는 목록에 없는 포트에 바인드하지 않습니다",
}, async ({ learner }) => {
  const expected = { en: "RangeError for port 70000", ko: "포트 70000 은 RangeError" };
  const error = await learner.throws("bindFirstFree", ["127.0.0.1", [70000]], {
    expected,
    mistake: "port-not-checked",
  });
  expectErrorClass(error, "RangeError", expected, "port-not-checked");
}, { catches: ["port-not-checked"] });

// --- task 5 ---

interface Pair {
  tcp: RemoteSocket;
  udp: RemoteSocket;
}

async function bindPair(learner: Learner, mistake = "fixed-port"): Promise<Pair> {
  const pair = await learner.callSync("bindPair", [], { mistakeIf: ["AddrInUse", mistake] });
  const { tcp, udp } = (typeof pair === "object" && pair !== null ? pair : {}) as Partial<Pair>;
  if (closedBeforeLast(learner)) {
    fail({
      expected: { en: "TCP and UDP are open at the same time", ko: "TCP와 UDP가 동시에 열려 있음" },
      received: {
        en: "one socket was closed before the other was opened",
        ko: "한 소켓을 닫은 뒤에 다른 소켓을 열었습니다",
      },
      mistake: "shared-port-space",
    });
  }
  return {
    tcp: expectSocket(tcp, "listener", "bindPair().tcp", "shared-port-space"),
    udp: expectSocket(udp, "datagram", "bindPair().udp", "shared-port-space"),
  };
}

/** Only one socket was ever open: the first was closed, without any trouble, to make room for the second. */
function closedBeforeLast(learner: Learner): boolean {
  const events = learner.events.filter(({ event }) => event === "listen" || event === "close");
  const troubled = events.some(({ error }) => error);
  return !troubled && events.map(({ event }) => event).join(" ").endsWith("listen close listen");
}

function expectOnePort(learner: Learner, { tcp, udp }: Pair): void {
  const asked = learner.events.filter(({ event }) => event === "listen").map((e) => e.asked?.port);
  expectEqual(udp.addr.port, tcp.addr.port, {
    what: { en: "the UDP port is the TCP port", ko: "UDP 포트가 TCP 포트와 같음" },
    // Both asked for port 0: the first socket's real port was never used.
    mistake: asked.every((port) => port === 0) ? "port-zero-reported" : "shared-port-space",
  });
}

task(5, {
  en: "bindPair() puts TCP and UDP on one port",
  ko: "bindPair()는 TCP와 UDP를 같은 포트에 둡니다",
}, async ({ learner, peers, step }) => {
  const { tcp, udp } = await bindPair(learner);
  expectLoopback(tcp);
  expectLoopback(udp);
  expectOnePort(learner, { tcp, udp });
  await step(listening(tcp.addr), () => peers.connect(tcp.addr), "shared-port-space");
}, { catches: ["shared-port-space", "port-zero-reported"], leak: "leaked-pair" });

task(5, {
  en: "bindPair() lets the OS choose the port",
  ko: "bindPair()는 포트를 OS에 맡깁니다",
}, async ({ learner }) => {
  const first = await bindPair(learner);
  const asked = learner.events.find((event) => event.event === "listen")?.asked?.port ?? 0;
  expectThat(
    asked === 0,
    { en: "port 0 is asked for first", ko: "먼저 포트 0을 요청함" },
    { en: `port ${asked} was asked for`, ko: `포트 ${asked}번을 요청했습니다` },
    "fixed-port",
  );
  const second = await bindPair(learner);
  expectThat(
    first.tcp.addr.port !== second.tcp.addr.port,
    { en: "two pairs on two ports", ko: "두 쌍이 서로 다른 포트에 있음" },
    { en: `port ${first.tcp.addr.port} twice`, ko: `포트 ${first.tcp.addr.port}번이 두 번` },
    "fixed-port",
  );
}, { catches: ["fixed-port"], leak: "leaked-pair" });

task(5, {
  en: "bindPair() closes a half-made pair and tries again",
  ko: "bindPair()는 반만 만든 쌍을 닫고 다시 시도합니다",
}, async ({ learner }) => {
  await learner.faults({
    api: ["listen", "listenDatagram"],
    fixedPort: true,
    times: 2,
    error: "AddrInUse",
  });
  expectOnePort(learner, await bindPair(learner, "gives-up-at-once"));
}, { catches: ["gives-up-at-once", "shared-port-space", "leaked-pair"], leak: "leaked-pair" });

task(5, {
  en: "bindPair() closes a half-made pair when an error surfaces",
  ko: "bindPair()는 다른 오류가 나도 반만 만든 쌍을 닫습니다",
}, async ({ learner }) => {
  const expected = {
    en: "Deno.errors.PermissionDenied surfaces, and nothing stays bound",
    ko: "Deno.errors.PermissionDenied 가 전달되고 남은 소켓이 없음",
  };
  await learner.faults({
    api: ["listen", "listenDatagram"],
    fixedPort: true,
    times: 1,
    error: "PermissionDenied",
  });
  const error = await learner.throws("bindPair", [], { expected, mistake: "skips-any-error" });
  expectErrorClass(error, "Deno.errors.PermissionDenied", expected, "skips-any-error");
}, { catches: ["skips-any-error", "leaked-pair"], leak: "leaked-pair" });

// --- task 6 ---

async function expectFormat(
  learner: Learner,
  addr: Record<string, unknown>,
  expected: string,
  mistake?: string,
): Promise<void> {
  const text = await learner.callSync("formatAddress", [addr]);
  if (text !== expected) {
    expectThat(
      false,
      same(JSON.stringify(expected)),
      same(JSON.stringify(text) ?? `${text}`),
      mistake,
    );
  }
}

task(6, {
  en: "formatAddress() writes transport, address and port",
  ko: "formatAddress()는 전송 방식, 주소, 포트를 적습니다",
}, async ({ learner, random }) => {
  const port = random.integer(1024, 65535);
  await expectFormat(
    learner,
    { transport: "tcp", hostname: "127.0.0.1", port },
    `tcp 127.0.0.1:${port}`,
  );
  await expectFormat(
    learner,
    { transport: "udp", hostname: "10.1.2.3", port: 53 },
    "udp 10.1.2.3:53",
  );
  const path = `/run/${random.word()}.sock`;
  await expectFormat(learner, { transport: "unix", path }, `unix ${path}`, "unix-has-no-port");
  const { addr } = await learner.listen();
  await expectFormat(learner, { ...addr }, `tcp 127.0.0.1:${addr?.port}`);
}, { catches: ["unix-has-no-port"] });

task(6, {
  en: "formatAddress() puts an IPv6 address in brackets",
  ko: "formatAddress()는 IPv6 주소를 대괄호로 묶습니다",
}, async ({ learner }) => {
  const mistake = "ipv6-without-brackets";
  await expectFormat(
    learner,
    { transport: "udp", hostname: "::1", port: 53 },
    "udp [::1]:53",
    mistake,
  );
  await expectFormat(
    learner,
    { transport: "tcp", hostname: "::", port: 80 },
    "tcp [::]:80",
    mistake,
  );
}, { catches: ["ipv6-without-brackets"] });

task(6, {
  en: "formatAddress() writes IPv6 in its shortest form",
  ko: "formatAddress()는 IPv6를 가장 짧게 적습니다",
}, async ({ learner, random }) => {
  const port = random.integer(1024, 65535);
  const group = random.integer(0x1000, 0xffff).toString(16);
  for (
    const [hostname, short] of [
      ["0:0:0:0:0:0:0:1", "::1"],
      [`2001:0DB8:0000:0000:0000:0000:0000:${group.toUpperCase()}`, `2001:db8::${group}`],
      ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
      ["fe80:0:0:0:0a:b:c:d", "fe80::a:b:c:d"],
      ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
      ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
    ] as const
  ) {
    await expectFormat(
      learner,
      { transport: "tcp", hostname, port },
      `tcp [${short}]:${port}`,
      "ipv6-not-shortest",
    );
  }
}, { catches: ["ipv6-not-shortest"] });

task(6, {
  en: "formatAddress() keeps an IPv4-mapped address and a zone readable",
  ko: "formatAddress()는 IPv4-매핑 주소와 존(zone)을 알아볼 수 있게 둡니다",
}, async ({ learner, random }) => {
  const port = random.integer(1024, 65535);
  const mapped = "::ffff:127.0.0.1";
  await expectFormat(
    learner,
    { transport: "tcp", hostname: mapped, port },
    `tcp [${mapped}]:${port}`,
    "mapped-in-hex",
  );
  const zone = `fe80::1%${random.word(4)}0`;
  await expectFormat(
    learner,
    { transport: "udp", hostname: zone, port },
    `udp [${zone}]:${port}`,
    "zone-dropped",
  );
}, { catches: ["mapped-in-hex", "zone-dropped"] });
