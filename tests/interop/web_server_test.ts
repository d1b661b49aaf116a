/**
 * The model solution of lesson 6 and programs that nobody here wrote: curl, Deno's and Node's fetch, Python's
 * http.client, the load generators autocannon and wrk, and Chromium.
 *
 * A program that is not on this machine is named in the test that is ignored for it.
 */

import { assert, assertEquals, assertGreater, assertMatch } from "@std/assert";
import { dumpRequest, serveFiles } from "../../solutions/06_web_server/exercise.ts";

const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAFklEQVR42mO4pK9PEmIY1TCqYfhqAABBXjAQ+nrCygAAAABJRU5ErkJggg==";
const AUTOCANNON = "npm:autocannon@8.0.0";

// Nobody between the clients and a server on this machine.
Deno.env.set("NO_PROXY", "127.0.0.1");
Deno.env.set("no_proxy", "127.0.0.1");

const PAGE = `<!doctype html>
<html lang="ko">
<meta charset="utf-8">
<title>Lesson 6</title>
<link rel="stylesheet" href="style.css">
<h1>소켓 위의 웹 서버</h1>
<img id="drawn" src="pictures/drawn.svg" alt="">
<img id="dots" src="pictures/%EC%A0%90.png" alt="">
<p id="told">The script has not run.</p>
<script src="script.js"></script>
</html>
`;
const SCRIPT = `addEventListener("load", async () => {
  const { word } = await (await fetch("data.json?fresh=1")).json();
  const sizes = [...document.images].map((image) => image.naturalWidth + "x" + image.naturalHeight);
  const { color } = getComputedStyle(document.querySelector("h1"));
  const missing = (await fetch("missing.txt")).status;
  document.querySelector("#told").textContent = [word, ...sizes, color, missing].join(" | ");
});
`;
const FILES: Record<string, string | Uint8Array> = {
  "index.html": PAGE,
  "style.css": "body { font: 24px sans-serif; margin: 40px } h1 { color: rgb(1, 102, 203) }\n" +
    "img { width: 120px; image-rendering: pixelated }\n",
  "script.js": SCRIPT,
  "data.json": `{ "word": "소켓" }\n`,
  "pictures/drawn.svg": `<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40">` +
    `<circle cx="20" cy="20" r="18" fill="seagreen"/></svg>\n`,
  "pictures/점.png": Uint8Array.from(atob(PNG), (sign) => sign.charCodeAt(0)),
  "big.bin": new Uint8Array(3_000_000).map((_, i) => i * 7 + (i >> 8)),
};

interface Site {
  origin: string;
  /** The folder in which the site's folder lies, and a file that is nobody's business. */
  folder: string;
}

/** Runs `use` while the solution serves a site, and leaves nothing behind. */
async function withSite(use: (site: Site) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "workbook_site_" });
  try {
    await Deno.mkdir(`${folder}/site/pictures`, { recursive: true });
    await Deno.writeTextFile(`${folder}/secret.txt`, "secret\n");
    for (const [name, content] of Object.entries(FILES)) {
      await Deno.writeFile(`${folder}/site/${name}`, bytes(content));
    }
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const serving = serveFiles(listener, `${folder}/site`, { idleMs: 2_000 });
    try {
      await use({ origin: `http://127.0.0.1:${listener.addr.port}`, folder });
    } finally {
      listener.close();
      await serving;
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function bytes(content: string | Uint8Array): Uint8Array {
  return typeof content === "string" ? new TextEncoder().encode(content) : content;
}

async function sha256(content: string | Uint8Array): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes(content).slice())).toHex();
}

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end, which has to come within `ms`. */
async function run(program: string, args: string[], ms = 30_000): Promise<Ended> {
  const child = new Deno.Command(program, {
    args,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), ms);
  try {
    const { code, stdout, stderr } = await child.output();
    const [out, err] = [stdout, stderr].map((part) => new TextDecoder().decode(part));
    return { code, stdout: out!, stderr: err! };
  } finally {
    clearTimeout(timer);
  }
}

/** What a program printed. It has to end with status 0. */
async function output(program: string, args: string[], ms?: number): Promise<string> {
  const { code, stdout, stderr } = await run(program, args, ms);
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${stderr}`);
  return stdout;
}

/** The first of `programs` that says its version here. */
async function find(programs: string[], version = "--version"): Promise<string | undefined> {
  for (const program of programs) {
    try {
      const { code, stdout } = await run(program, [version], 10_000);
      // Where there is no node, Deno stands in for it.
      if (program === "node" && !stdout.startsWith("v")) continue;
      // wrk says it with a status of 1; so does what is there only to say how the program is installed.
      if (code === 0 || stdout.startsWith("wrk ")) return program;
    } catch {
      // Not here.
    }
  }
  return undefined;
}

/** Others' code from npm reaches loopback and reads; nothing else. */
const fromNpm = (...args: string[]) => [
  "run",
  "--no-lock",
  "--no-config",
  "--no-prompt",
  "--quiet",
  "--allow-net=127.0.0.1",
  "--allow-read",
  "--allow-env",
  "--allow-sys",
  ...args,
];

const [curl, node, python3, wrk, chromium, autocannon] = await Promise.all([
  find(["curl"]),
  find(["node"]),
  find(["python3"]),
  find(["wrk"], "-v"),
  find(["chromium", "chromium-browser", "google-chrome"]),
  // Fetched the first time, if npm can be reached.
  run(Deno.execPath(), fromNpm(AUTOCANNON, "--version"), 30_000)
    .then(({ code }) => code === 0 ? Deno.execPath() : undefined),
]);

/** A test that needs a program; without it, it is ignored, and its name says why. */
function withProgram(
  program: string | undefined,
  called: string,
  name: string,
  fn: (program: string, site: Site) => Promise<void>,
): void {
  const why = program ? "" : ` (ignored: there is no ${called} here)`;
  Deno.test({
    name: `lesson 6: ${name}${why}`,
    ignore: !program,
    timeout: 60_000,
    fn: () => withSite((site) => fn(program!, site)),
  });
}

withProgram(
  curl,
  "curl",
  "curl gets every file whole, all on one connection",
  async (curl, site) => {
    const names = Object.keys(FILES);
    const wanted = names.flatMap((name, i) => [
      "--output",
      `${site.folder}/got${i}`,
      `${site.origin}/${encodeURI(name)}`,
    ]);
    const written = ["--write-out", "%{http_code} %{num_connects} %{content_type}\n"];
    const printed = await output(curl, ["--silent", "--show-error", ...written, ...wanted]);
    const types = [
      "text/html; charset=utf-8",
      "text/css; charset=utf-8",
      "text/javascript; charset=utf-8",
      "application/json",
      "image/svg+xml",
      "image/png",
      "application/octet-stream",
    ];
    assertEquals(printed, types.map((type, i) => `200 ${i === 0 ? 1 : 0} ${type}\n`).join(""));
    for (const [i, name] of names.entries()) {
      assertEquals(
        await sha256(await Deno.readFile(`${site.folder}/got${i}`)),
        await sha256(FILES[name]!),
      );
    }
  },
);

withProgram(curl, "curl", "curl, and what is not a plain GET", async (curl, { origin, folder }) => {
  const status = (...args: string[]) =>
    output(curl, [
      "--silent",
      "--show-error",
      "--output",
      "/dev/null",
      "--write-out",
      "%{http_code}",
      ...args,
    ]);
  const page = `${origin}/index.html`;
  const head = await output(curl, ["--silent", "--head", page]);
  assertMatch(head, /^HTTP\/1\.1 200 OK\r\n/);
  assertMatch(head, new RegExp(`\r\ncontent-length: ${bytes(PAGE).length}\r\n`, "i"));
  assertEquals(await status("--time-cond", `${folder}/site/index.html`, page), "304");
  assertEquals(await status("--http1.0", page), "200");
  assertEquals(await status("--path-as-is", `${origin}/../secret.txt`), "404");
  assertEquals(await status(`${origin}/..%2fsecret.txt`), "404");
  assertEquals(await status(`${origin}/%zz`), "400");
  assertEquals(await status("--request", "DELETE", page), "405");
  assertEquals(await status("--data", "a=1", page), "405");
  // A body of unknown length is sent in chunks, which this server does not read.
  assertEquals(
    await status("--header", "Transfer-Encoding: chunked", "--data", "a=1", page),
    "501",
  );
  assertEquals(await status("--header", `Cookie: ${"a".repeat(20_000)}`, page), "431");
  assertEquals(await status(`${origin}/${"a".repeat(9_000)}`), "414");
  // Asks first, with Expect: 100-continue, and without asking.
  const upload = ["--data-binary", `@${folder}/site/big.bin`, page];
  assertEquals(await status(...upload), "413");
  // Who goes on sending beyond what the server throws away may find the connection closed before the answer is read.
  const unasked = await status("--header", "Expect:", ...upload)
    .catch((error: Error) => /ended with 5[56]:/.exec(error.message)?.[0] ?? error.message);
  assert(["413", "ended with 55:", "ended with 56:"].includes(unasked), unasked);
});

Deno.test({
  name: "lesson 6: Deno's fetch, many at a time",
  timeout: 30_000,
  fn: () =>
    withSite(async ({ origin }) => {
      using client = Deno.createHttpClient({ poolMaxIdlePerHost: 4 });
      const wanted = Array.from({ length: 10 }, () => Object.entries(FILES)).flat();
      await Promise.all(wanted.map(async ([name, content]) => {
        const response = await fetch(`${origin}/${name}`, { client });
        assertEquals(response.status, 200);
        assertEquals(await sha256(await response.bytes()), await sha256(content));
      }));
      const since = { "If-Modified-Since": new Date().toUTCString() };
      const unchanged = await fetch(`${origin}/index.html`, { client, headers: since });
      assertEquals([unchanged.status, await unchanged.text()], [304, ""]);
      const posted = await fetch(origin, { client, method: "POST", body: "a=1" });
      assertEquals([posted.status, posted.headers.get("Allow")], [405, "GET, HEAD"]);
      await posted.body?.cancel();
    }),
});

withProgram(
  node,
  "node",
  "Node's fetch, many at a time, and an upload that is refused",
  async (node, site) => {
    const script = `
    const { createHash } = require("node:crypto");
    const [origin, ...names] = process.argv.slice(1);
    const hash = async (name) => {
      const response = await fetch(origin + "/" + name);
      const body = Buffer.from(await response.arrayBuffer());
      return response.status + " " + createHash("sha256").update(body).digest("hex");
    };
    (async () => {
      for (let round = 0; round < 3; round++) {
        console.log((await Promise.all(names.map(hash))).join("\\n"));
      }
      const upload = await fetch(origin, { method: "POST", body: new Uint8Array(1_200_000) });
      console.log(upload.status);
      process.exit(0);
    })();`;
    const names = Object.keys(FILES);
    const printed = await output(node, ["-e", script, site.origin, ...names]);
    const hashes = await Promise.all(
      names.map(async (name) => `200 ${await sha256(FILES[name]!)}\n`),
    );
    assertEquals(printed, hashes.join("").repeat(3) + "413\n");
  },
);

withProgram(python3, "python3", "Python's http.client on one connection", async (python3, site) => {
  const script = `
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=10)
for method, path in [("HEAD", "/"), ("GET", "/data.json"), ("GET", "/none"), ("PUT", "/"), ("GET", "/style.css")]:
    connection.request(method, path, body=b"x" * 10 if method == "PUT" else None)
    local = connection.sock.getsockname()
    response = connection.getresponse()
    body = response.read()
    print(method, response.status, len(body), response.headers["Content-Length"] == str(len(body)), local == connection.sock.getsockname())
`;
  const printed = await output(python3, ["-c", script, new URL(site.origin).port]);
  const lines = printed.trim().split("\n").map((line) => line.replace(/ \d+ (?=True|False)/, " "));
  assertEquals(lines, [
    "HEAD 200 False True",
    "GET 200 True True",
    "GET 404 True True",
    "PUT 405 True True",
    "GET 200 True True",
  ]);
});

withProgram(
  autocannon,
  "autocannon (npm cannot be reached)",
  "autocannon's requests, one at a time and pipelined, are all answered",
  async (deno, { origin }) => {
    for (const pipelining of [1, 8]) {
      const load = ["--json", "--connections", "10", "--amount", "2000"];
      const args = [...load, "--pipelining", `${pipelining}`, `${origin}/index.html`];
      const result = JSON.parse(await output(deno, fromNpm(AUTOCANNON, ...args), 60_000));
      const { errors, timeouts, mismatches, non2xx, resets } = result;
      assertEquals(
        { errors, timeouts, mismatches, non2xx, resets },
        { errors: 0, timeouts: 0, mismatches: 0, non2xx: 0, resets: 0 },
      );
      // Each connection ends with its last few answers on their way, whoever serves.
      assertGreater(result["2xx"], 2000 - 10 * pipelining);
    }
  },
);

withProgram(
  wrk,
  "wrk",
  "wrk's requests on many connections are all answered",
  async (wrk, site) => {
    const load = ["--threads", "1", "--connections", "50", "--duration", "1s"];
    const printed = await output(wrk, [...load, `${site.origin}/index.html`]);
    assertMatch(printed, /[1-9]\d* requests in/);
    assertEquals(/Socket errors.*|Non-2xx.*/.exec(printed)?.[0], undefined);
  },
);

/** Starts a browser without a window, in a folder of its own. */
function browse(chromium: string, folder: string, args: string[]): Promise<string> {
  // Without its sandbox, which a container may not allow: the only page that it sees is the one above.
  const quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
  const own = [`--user-data-dir=${folder}/browser`, "--no-first-run", "--no-proxy-server"];
  return output(chromium, [...quiet, ...own, ...args], 60_000);
}

withProgram(
  chromium,
  "chromium",
  "Chromium shows a page with its style, pictures and script",
  async (chromium, { origin, folder }) => {
    // Time jumps ahead when nothing is loading, so the script has run before the page is printed.
    const wait = "--virtual-time-budget=10000";
    const dom = await browse(chromium, folder, [wait, "--dump-dom", `${origin}/`]);
    const told = /<p id="told">(.*)<\/p>/.exec(dom)?.[1];
    assertEquals(told, "소켓 | 40x40 | 16x16 | rgb(1, 102, 203) | 404");

    const picture = `${folder}/screenshot.png`;
    const size = "--window-size=800,500";
    await browse(chromium, folder, [wait, size, `--screenshot=${picture}`, `${origin}/`]);
    const view = new DataView((await Deno.readFile(picture)).buffer);
    assertEquals([view.getUint32(0), view.getUint32(16), view.getUint32(20)], [
      0x89504e47,
      800,
      500,
    ]);
    const keep = Deno.env.get("WORKBOOK_SCREENSHOT");
    if (keep) await Deno.copyFile(picture, keep);
  },
);

withProgram(
  chromium,
  "chromium",
  "dumpRequest() shows Chromium its own request",
  async (chromium, { folder }) => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const dumps: Promise<string>[] = [];
    const accepting = (async () => {
      // A browser may open more connections than it uses, and asks for an icon.
      for await (const conn of listener) dumps.push(dumpRequest(conn));
    })();
    const { log } = console;
    console.log = () => {};
    try {
      const url = `http://127.0.0.1:${listener.addr.port}/a%20path?with=query`;
      const dom = await browse(chromium, folder, ["--dump-dom", url]);
      listener.close();
      await accepting;
      const heads = await Promise.all(dumps);
      const head = heads.find((head) => head.startsWith("GET /a%20path?with=query HTTP/1.1\r\n"));
      assertMatch(head ?? "", /\r\nUser-Agent: .*Chrom.*\r\n\r\n$/s);
      assertMatch(dom, /GET \/a%20path\?with=query HTTP\/1\.1\nHost: 127\.0\.0\.1:\d+\n/);
    } finally {
      console.log = log;
    }
  },
);
