/**
 * The files of a new lesson: a task or several, complete in every part, and marked where they are to be written over.
 *
 * @module
 */

import { stubPath } from "../stub.ts";

const WRITE = { en: "<!-- write: this is a scaffold -->", ko: "<!-- 작성: 뼈대입니다 -->" };

/** Path and text of each file of a new lesson of so many tasks. */
export function scaffold(slug: string, tasks = 1): Record<string, string> {
  const number = Number(slug.slice(0, 2));
  const name = slug.slice(3).replaceAll("_", " ");
  const title = name[0]!.toUpperCase() + name.slice(1);
  const lesson = `lessons/${slug}`;
  // The first task's function is `greet`, the others' are greet2, greet3, …: a name for each to be changed.
  const each = (part: (task: number, fn: string) => string) =>
    Array.from({ length: tasks }, (_, i) => part(i + 1, i === 0 ? "greet" : `greet${i + 1}`))
      .join("\n");
  const files = {
    [`${lesson}/README.md`]: `# Lesson ${number}: ${title}

${WRITE.en}

A client has connected, and waits to be greeted.

\`\`\`ts
using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
using client = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
using server = await listener.accept();
await server.write(new TextEncoder().encode("hello\\n"));
const buffer = new Uint8Array(100);
console.log(await client.read(buffer), "bytes");
\`\`\`

\`\`\`text output
6 bytes
\`\`\`

${
      each((task, fn) =>
        `## Task ${task}: Greet a client (1 point)

\`${fn}(conn, name)\` sends \`hello NAME\` and a newline, then closes the connection.
`
      )
    }
## Mistakes

- [connection-left-open](mistakes.md)

## Read on

- RFC 9293 §3.6
`,
    [`${lesson}/README.ko.md`]: `# ${number}강: ${title}

${WRITE.ko}

클라이언트가 연결하고 인사를 기다립니다.

\`\`\`ts
using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
using client = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
using server = await listener.accept();
await server.write(new TextEncoder().encode("hello\\n"));
const buffer = new Uint8Array(100);
console.log(await client.read(buffer), "bytes");
\`\`\`

\`\`\`text output
6 bytes
\`\`\`

${
      each((task, fn) =>
        `## Task ${task}: 클라이언트에게 인사하기 (1점)

\`${fn}(conn, name)\`은 \`hello NAME\`과 줄바꿈을 보내고 연결을 닫습니다.
`
      )
    }
## 실수

- [connection-left-open](mistakes.ko.md)

## 더 읽을 곳

- RFC 9293 §3.6
`,
    [`${lesson}/hints.md`]: `# Hints

${WRITE.en}

${
      each((task) =>
        `## Task ${task}

### Hint 1

A connection carries bytes, not text.

### Hint 2

\`TextEncoder\` makes bytes; \`write()\` sends them; \`close()\` says that there is no more.
`
      )
    }`,
    [`${lesson}/hints.ko.md`]: `# 힌트

${WRITE.ko}

${
      each((task) =>
        `## Task ${task}

### Hint 1

연결은 글자가 아니라 바이트를 나릅니다.

### Hint 2

\`TextEncoder\`로 바이트를 만들고, \`write()\`로 보내고, \`close()\`로 끝을 알립니다.
`
      )
    }`,
    [`${lesson}/mistakes.md`]: `# Mistakes

${WRITE.en}

## connection-left-open: The client still waits

A client that reads to the end waits until the other side closes: what is not closed never ends.

Close the connection on every way out, for instance in \`finally\`.
`,
    [`${lesson}/mistakes.ko.md`]: `# 실수

${WRITE.ko}

## connection-left-open: 아직 기다리는 클라이언트

끝까지 읽는 클라이언트는 상대가 닫을 때까지 기다립니다. 닫지 않은 연결은 끝나지 않습니다.

어느 길로 나가든 연결을 닫으세요. 예를 들면 \`finally\`에서 닫습니다.
`,
    [`${lesson}/exercise.ts`]: `/**
 * Lesson ${number}: ${name}.
 *
 * @module
 */

${
      each((task, fn) =>
        `/** Sends \`hello NAME\` and a newline over \`conn\`, then closes it. */
export function ${fn}(_conn: Deno.TcpConn, name: string): Promise<void> {
  // TODO(task ${task}): send the greeting, and close.
  throw new Error(\`Not implemented: ${fn}() of \${name}\`);
}
`
      )
    }`,
    [`solutions/${slug}/exercise.ts`]: `/**
 * Lesson ${number}, solved: ${name}.
 *
 * @module
 */

${
      each((_, fn) =>
        `/** Sends \`hello NAME\` and a newline over \`conn\`, then closes it. */
export async function ${fn}(conn: Deno.TcpConn, name: string): Promise<void> {
  // \`using\` closes on every way out, also when write() throws.
  using closing = conn;
  const bytes = new TextEncoder().encode(\`hello \${name}\\n\`);
  // write() may take fewer bytes than it is given.
  for (let done = 0; done < bytes.length;) done += await closing.write(bytes.subarray(done));
}
`
      )
    }`,
    [`tests/${slug}_test.ts`]: `/**
 * Lesson ${number}: ${name}.
 *
 * @module
 */

import { bytes } from "./support/bytes.ts";
import { task } from "./support/suite.ts";

${
      each((task, fn) =>
        `task(${task}, {
  en: "${fn}() sends its greeting and closes the connection",
  ko: "${fn}()는 인사를 보내고 연결을 닫습니다",
}, async ({ learner, peers, random, step }) => {
  const listener = peers.listen();
  const conn = await learner.dial(listener.addr);
  const peer = await listener.accept();
  const name = random.word();
  const greeted = learner.call("${fn}", [conn, name]);
  const sent = { en: "the greeting arrives", ko: "인사가 도착함" };
  await step(sent, () => peer.expect(bytes(\`hello \${name}\\n\`)));
  const closed = { en: "the connection is closed", ko: "연결이 닫힘" };
  await step(closed, () => peer.expectEnd(closed, "connection-left-open"), "connection-left-open");
  await greeted;
}, { catches: ["connection-left-open"] });
`
      )
    }`,
    [`tests/wrong/${slug}/connection_left_open.ts`]:
      `// Fails task 1: connection-left-open — sends the greeting and forgets to close.

export async function greet(conn: Deno.TcpConn, name: string): Promise<void> {
  await conn.write(new TextEncoder().encode(\`hello \${name}\\n\`));
}
${
        each((_, fn) =>
          fn === "greet"
            ? ""
            : `export async function ${fn}(conn: Deno.TcpConn, name: string): Promise<void> {
  await conn.write(new TextEncoder().encode(\`hello \${name}\\n\`));
  conn.close();
}
`
        )
      }`,
    [`tests/right/${slug}/promise_chain.ts`]: `// Valid: promise chains, no async function.

${
      each((_, fn) =>
        `export function ${fn}(conn: Deno.TcpConn, name: string): Promise<void> {
  return conn.write(new TextEncoder().encode(\`hello \${name}\\n\`)).then(() => conn.close());
}
`
      )
    }`,
    [`tests/right/${slug}/stream.ts`]:
      `// Valid: the writable stream, whose end closes the connection.

${
        each((_, fn) =>
          `export async function ${fn}(conn: Deno.TcpConn, name: string): Promise<void> {
  await ReadableStream.from([new TextEncoder().encode(\`hello \${name}\\n\`)]).pipeTo(conn.writable);
}
`
        )
      }`,
    [`tests/right/${slug}/finally.ts`]: `// Valid: try and finally, one byte at a time.

${
      each((_, fn) =>
        `export async function ${fn}(conn: Deno.TcpConn, name: string): Promise<void> {
  try {
    for (const byte of new TextEncoder().encode(\`hello \${name}\\n\`)) {
      await conn.write(Uint8Array.of(byte));
    }
  } finally {
    conn.close();
  }
}
`
      )
    }`,
  };
  return { ...files, [stubPath(slug)]: files[`${lesson}/exercise.ts`]! };
}
