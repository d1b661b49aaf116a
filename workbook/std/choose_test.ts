/**
 * Looking for JSR is tried on registries of the tests' own, on loopback, each command in a process of its own
 * with its own cache and a folder of its own that holds nothing but a `deno.json`.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertExists,
  assertLess,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { join } from "node:path";
import { isStdMissing, type StdChoice, type StdState } from "./choose.ts";
import { PACKAGES, SUBPATHS } from "./names.ts";

const PINS = {
  "@std/assert": "jsr:@std/assert@1.0.19",
  "@std/cli": "jsr:@std/cli@1.0.32",
  "@std/http": "jsr:@std/http@1.1.3",
  "@std/net": "jsr:@std/net@1.0.6",
};
/** Longer than a machine with busy cores takes to load four small modules from loopback. */
const AMPLE = { limitMs: 60_000, patienceMs: 60_000 };
const PATIENT = { patienceMs: 60_000 };

/** A workbook's folder and a cache, both empty, and the commands that run there. */
class Place implements AsyncDisposable {
  readonly root: string;
  readonly env: Record<string, string>;

  private constructor(readonly base: string) {
    this.root = join(base, "workbook folder");
    this.env = {
      DENO_DIR: join(base, "cache"),
      DENO_NO_UPDATE_CHECK: "1",
      INIT_CWD: "",
      LANG: "en_US.UTF-8",
      LC_ALL: "",
      LC_MESSAGES: "",
      NO_COLOR: "1",
      WORKBOOK_IMPORT_MAP: "",
    };
  }

  static async create(registry: string): Promise<Place> {
    const place = new Place(await Deno.makeTempDir({ prefix: "workbook-std-" }));
    await Deno.mkdir(place.root);
    await place.pin(PINS);
    place.env.JSR_URL = registry;
    return place;
  }

  get memory(): string {
    return join(this.root, ".workbook", "std.json");
  }

  pin(imports: Record<string, string>): Promise<void> {
    return Deno.writeTextFile(
      join(this.root, "deno.json"),
      JSON.stringify({ lock: false, imports }),
    );
  }

  deno(args: string[], env: Record<string, string> = {}): Deno.Command {
    return new Deno.Command(Deno.execPath(), {
      args,
      cwd: this.root,
      env: { ...this.env, ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
  }

  async run(args: string[], env?: Record<string, string>) {
    const { code, stdout, stderr } = await this.deno(args, env).output();
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  }

  /** The arguments of a process that calls `name` of choose.ts and prints what it gives. */
  call(name: string, options: object): string[] {
    const module = JSON.stringify(new URL("./choose.ts", import.meta.url).href);
    const args = `${JSON.stringify(this.root)}, ${JSON.stringify(options)}`;
    return [
      "eval",
      `const m = await import(${module}); console.log(JSON.stringify(await m.${name}(${args})));`,
    ];
  }

  async inspect(options: object = AMPLE): Promise<StdState & { said: string }> {
    const { code, stdout, stderr } = await this.run(this.call("inspectStd", options));
    assertEquals(code, 0, stderr);
    return { ...JSON.parse(stdout), said: stderr };
  }

  std(args: string[], env?: Record<string, string>) {
    const program = new URL("./report.ts", import.meta.url).href;
    const code = `const m = await import(${JSON.stringify(program)});
      Deno.exit(await m.stdCommand(Deno.args, { root: ${JSON.stringify(this.root)} }));`;
    return this.run(["eval", code, "--", ...args], env);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.base, { recursive: true });
  }
}

/** A registry that takes connections and never says a word. */
class StalledRegistry implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #arrived = Promise.withResolvers<Deno.TcpConn>();
  readonly #accepting = this.#accept();
  readonly conns: Deno.TcpConn[] = [];
  readonly url = `http://127.0.0.1:${this.#listener.addr.port}/`;
  /** The first connection, once it is there. */
  readonly first = this.#arrived.promise;

  async #accept(): Promise<void> {
    for await (const conn of this.#listener) {
      this.conns.push(conn);
      this.#arrived.resolve(conn);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#accepting;
    for (const conn of this.conns) conn.close();
  }
}

/** A registry that serves packages of these names with one small module for each of their exports. */
class WorkingRegistry implements AsyncDisposable {
  readonly #files = new Map<string, string>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly url: string;
  requests = 0;

  private constructor() {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      (request) => {
        this.requests++;
        const file = this.#files.get(new URL(request.url).pathname);
        return new Response(file ?? "none", { status: file === undefined ? 404 : 200 });
      },
    );
    this.url = `http://127.0.0.1:${this.#server.addr.port}/`;
  }

  static async start(packages: readonly string[] = PACKAGES): Promise<WorkingRegistry> {
    const registry = new WorkingRegistry();
    for (const name of packages) await registry.#add(name);
    return registry;
  }

  async #add(name: string): Promise<void> {
    const version = PINS[name as keyof typeof PINS].split("@").at(-1)!;
    const manifest: Record<string, { size: number; checksum: string }> = {};
    const exports: Record<string, string> = {};
    const paths = SUBPATHS.filter((path) => path.startsWith(`${name}/`));
    for (const path of [name, ...paths]) {
      const key = `.${path.slice(name.length)}`;
      const file = key === "." ? "/mod.ts" : `${key.slice(1)}.ts`;
      const source = `export const from = ${JSON.stringify(path)};\n`;
      const bytes = new TextEncoder().encode(source);
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
      manifest[file] = { size: bytes.length, checksum: `sha256-${digest.toHex()}` };
      exports[key] = `.${file}`;
      this.#files.set(`/${name}/${version}${file}`, source);
    }
    const meta = {
      scope: "std",
      name: name.slice(5),
      latest: version,
      versions: { [version]: {} },
    };
    this.#files.set(`/${name}/meta.json`, JSON.stringify(meta));
    this.#files.set(`/${name}/${version}_meta.json`, JSON.stringify({ exports, manifest }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

/** The address of a registry that nobody listens on. */
function nobody(): string {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return `http://127.0.0.1:${listener.addr.port}/`;
}

const USE_STD = 'import * as std from "@std/cli/parse-args"; console.log(std.from);';

Deno.test("chooseStd() gives a stalled registry at most 10 s, and only once", async () => {
  await using registry = new StalledRegistry();
  await using place = await Place.create(registry.url);
  const start = performance.now();
  const first = await place.inspect({});
  assertLess(performance.now() - start, 10_000);
  assertEquals(first.outcome, "silent");
  assertEquals(first.said.trim().split("\n").length, 2, first.said);
  assertMatch(first.said, /^Looking .*\nJSR is out of reach .*\n$/);

  const connections = registry.conns.length;
  const second = await place.inspect({});
  assertEquals(registry.conns.length, connections);
  assertEquals(second.lookedAt, first.lookedAt);
  assertEquals(second.choice, {
    kind: "stand-ins",
    importMap: join(place.root, "workbook", "std", "import_map.json"),
  });
  assertEquals(second.said, "");
});

Deno.test("chooseStd() speaks Korean where the environment does", async () => {
  await using registry = new StalledRegistry();
  await using place = await Place.create(registry.url);
  place.env.LANG = "ko_KR.UTF-8";
  const { said } = await place.inspect({ limitMs: 500, patienceMs: 1 });
  assertMatch(said, /^JSR에서 .*\n여기서는 .*\n$/);
});

Deno.test(
  "chooseStd() ends its probe when the command is killed",
  { timeout: 30_000 },
  async () => {
    await using registry = new StalledRegistry();
    await using place = await Place.create(registry.url);
    const command = place.deno(place.call("chooseStd", AMPLE)).spawn();
    const conn = await registry.first;
    command.kill("SIGKILL");
    await Promise.all([command.status, command.stdout.cancel(), command.stderr.cancel()]);
    // The end of the stream, or a reset: the probe's socket is closed, so the probe is gone.
    const buffer = new Uint8Array(4096);
    while (await conn.read(buffer).catch(() => null) !== null);
  },
);

Deno.test("chooseStd() is told at once by a registry that refuses", async () => {
  await using place = await Place.create(nobody());
  const state = await place.inspect();
  assertEquals([state.outcome, state.choice.kind, state.remembered], [
    "refused",
    "stand-ins",
    true,
  ]);
  assertMatch(state.said, /^JSR is out of reach .*\n$/);
  assertEquals((await place.inspect()).said, "");
});

Deno.test("chooseStd() takes JSR when it answers, in silence, and later commands need no network", async () => {
  await using place = await Place.create("");
  {
    await using registry = await WorkingRegistry.start();
    place.env.JSR_URL = registry.url;
    const state = await place.inspect();
    assertEquals([state.choice, state.remembered], [{ kind: "jsr" }, true]);
    assertEquals(state.said, "");
    const { requests } = registry;
    assertEquals((await place.inspect()).choice, { kind: "jsr" });
    assertEquals(registry.requests, requests);
  }
  await Deno.writeTextFile(join(place.root, "use.ts"), USE_STD);
  const { stdout, stderr } = await place.run(["run", "--cached-only", "use.ts"]);
  assertEquals(stdout, "@std/cli/parse-args\n", stderr);
});

Deno.test("chooseStd() says that it looks and that it found when that takes long", async () => {
  await using registry = await WorkingRegistry.start();
  await using place = await Place.create(registry.url);
  const { said } = await place.inspect({ ...AMPLE, patienceMs: 1 });
  assertMatch(said, /^Looking .*\nJSR answered.*\n$/);
});

Deno.test("chooseStd() falls back when one of the packages is not to be had", async () => {
  await using registry = await WorkingRegistry.start(PACKAGES.slice(0, 3));
  await using place = await Place.create(registry.url);
  assertEquals((await place.inspect()).outcome, "refused");
});

Deno.test("lookAgain() serves when the cache was deleted and JSR is gone", async () => {
  await using place = await Place.create("");
  {
    await using registry = await WorkingRegistry.start();
    place.env.JSR_URL = registry.url;
    assertEquals((await place.inspect()).choice, { kind: "jsr" });
  }
  await Deno.remove(place.env.DENO_DIR, { recursive: true });
  await Deno.writeTextFile(join(place.root, "use.ts"), USE_STD);
  const { code, stderr } = await place.run(["run", "--cached-only", "use.ts"]);
  assert(code !== 0 && isStdMissing(stderr), stderr);

  const again = await place.run(place.call("lookAgain", AMPLE));
  assertEquals((JSON.parse(again.stdout) as StdChoice).kind, "stand-ins");
  assertEquals((await place.inspect()).choice.kind, "stand-ins");
});

Deno.test("isStdMissing() knows Deno's complaint from a learner's", () => {
  assert(isStdMissing(
    'error: Specifier not found in cache: "https://registry.test/@std/assert/1.0.19/mod.ts", --cached-only is specified.',
  ));
  assert(isStdMissing("error: JSR package manifest for '\x1b[1m@std/net\x1b[0m' failed to load."));
  assert(!isStdMissing('error: Uncaught NotFound: "notes.txt" not found in cache'));
  assert(!isStdMissing(""));
});

Deno.test("chooseStd() treats a damaged or foreign memory as none, and mends it", async () => {
  await using place = await Place.create(nobody());
  await place.inspect();
  const whole = await Deno.readTextFile(place.memory);
  const other = (changes: object) => JSON.stringify({ ...JSON.parse(whole), ...changes });
  for (
    const text of [
      "",
      whole.slice(0, 40),
      "\0\0\0",
      "null",
      "[]",
      '"jsr"',
      "{}",
      other({ version: 99 }),
      other({ outcome: "maybe" }),
      other({ targets: null }),
      other({ targets: { "@std/assert": 1 } }),
      other({ lookedAt: 5 }),
    ]
  ) {
    await Deno.writeTextFile(place.memory, text);
    const { said, remembered } = await place.inspect(PATIENT);
    assertStringIncludes(said, "out of reach", text);
    assert(remembered);
    assertEquals(JSON.parse(await Deno.readTextFile(place.memory)).outcome, "refused");
  }
});

Deno.test("chooseStd() looks again when the pinned versions change", async () => {
  await using place = await Place.create(nobody());
  await place.inspect();
  await place.pin({ ...PINS, "@std/net": "jsr:@std/net@1.0.7" });
  assertStringIncludes((await place.inspect()).said, "out of reach");
  assertEquals((await place.inspect()).said, "");
});

Deno.test("chooseStd() works in a folder that cannot be written, and looks each time", async () => {
  await using place = await Place.create(nobody());
  // A file in the way of the folder: also holds for a superuser and on Windows.
  await Deno.writeTextFile(join(place.root, ".workbook"), "");
  for (let time = 0; time < 2; time++) {
    const { choice, remembered, said } = await place.inspect();
    assertEquals([choice.kind, remembered], ["stand-ins", false]);
    assertMatch(said, /^JSR is out of reach .*\n$/);
  }
  const report = await place.std(["--lang", "en"]);
  assertStringIncludes(report.stdout, "the folder cannot be written");
});

Deno.test("chooseStd() by eight commands at once leaves one whole memory and nothing else", async () => {
  await using place = await Place.create(nobody());
  const states = await Promise.all(Array.from({ length: 8 }, () => place.inspect()));
  assertEquals(states.map((state) => state.choice.kind), Array(8).fill("stand-ins"));
  assertEquals((await place.inspect()).said, "");
  const names = Array.from(Deno.readDirSync(join(place.root, ".workbook")), (entry) => entry.name);
  assertEquals(names, ["std.json"]);
});

const OWN = Object.fromEntries([...PACKAGES, ...SUBPATHS].map((name) => [name, "./own.ts"]));

Deno.test("chooseStd() takes an import map of the user's own, found from where the command was typed", async () => {
  await using registry = new StalledRegistry();
  await using place = await Place.create(registry.url);
  const folder = join(place.base, "where the user is");
  await Deno.mkdir(folder);
  const map = join(folder, "map.json");
  await Deno.writeTextFile(map, JSON.stringify({ imports: OWN }));
  place.env.WORKBOOK_IMPORT_MAP = "map.json";
  place.env.INIT_CWD = folder;
  const state = await place.inspect();
  assertEquals(state.choice, { kind: "own", importMap: map });
  assertEquals(state.targets["@std/net"], "./own.ts");
  assertEquals([state.said, registry.conns.length], ["", 0]);

  const prefixes = {
    ...Object.fromEntries(PACKAGES.map((name) => [name, `./${name}/mod.ts`])),
    ...Object.fromEntries(PACKAGES.map((name) => [`${name}/`, `./${name}/`])),
  };
  await Deno.writeTextFile(map, JSON.stringify({ imports: prefixes }));
  assertEquals((await place.inspect()).choice.kind, "own");
});

Deno.test("deno task std says in one sentence what is wrong with an own import map", async () => {
  await using place = await Place.create(nobody());
  const { "@std/http": _, ...lacking } = OWN;
  const cases: [string | undefined, string][] = [
    [undefined, "there is no such file"],
    ["{ imports", "it is not JSON"],
    ["[]", 'it has no object "imports"'],
    ["null", 'it has no object "imports"'],
    [JSON.stringify({ imports: { "@std/assert": null } }), 'it has no object "imports"'],
    [JSON.stringify({ imports: lacking }), 'it does not map "@std/http".'],
    [
      JSON.stringify({ imports: { ...lacking, "@std/http": "" } }),
      'it does not map "@std/http".',
    ],
  ];
  for (const [text, reason] of cases) {
    if (text !== undefined) await Deno.writeTextFile(join(place.root, "map.json"), text);
    const env = { WORKBOOK_IMPORT_MAP: "map.json", INIT_CWD: place.root };
    const { code, stdout, stderr } = await place.std([], env);
    assertEquals([code, stdout], [2, ""], stderr);
    assertMatch(
      stderr,
      /^Cannot use the import map "map\.json" that WORKBOOK_IMPORT_MAP names: .*\.\n$/,
    );
    assertStringIncludes(stderr, reason);
  }
});

Deno.test("deno task std tells what is in force, in both languages, and looks again when asked", async () => {
  await using place = await Place.create(nobody());
  const english = await place.std([]);
  assertEquals(english.code, 0);
  assertStringIncludes(english.stdout, "stand-ins that come with the workbook");
  assertStringIncludes(english.stdout, "@std/assert@1.0.19, @std/cli@1.0.32");
  assertStringIncludes(english.stdout, ".workbook/std.json");

  const korean = await place.std(["--lang=ko"]);
  assertStringIncludes(korean.stdout, "워크북에 든 대체 라이브러리");
  assertEquals([korean.code, korean.stderr], [0, ""]);

  await using registry = await WorkingRegistry.start();
  place.env.JSR_URL = registry.url;
  assertStringIncludes((await place.std([])).stdout, "stand-ins");
  assertStringIncludes((await place.std(["--look-again"])).stdout, "from JSR");
  assertStringIncludes((await place.std([])).stdout, "from JSR");
});

Deno.test("deno task std refuses what it does not know", async () => {
  await using place = await Place.create(nobody());
  for (const args of [["--bogus"], ["word"], ["--lang"], ["--lang", "fr"], ["--look-again=1"]]) {
    const { code, stdout, stderr } = await place.std(args);
    assertEquals([code, stdout], [2, ""]);
    assertMatch(stderr, /^Unknown .*\nUsage: .*\n$/);
  }
  assertEquals((await place.std(["--help"])).code, 0);
});

Deno.test("the import map of the stand-ins has every name, and every file it names exists", async () => {
  const url = new URL("./import_map.json", import.meta.url);
  const { imports } = JSON.parse(await Deno.readTextFile(url));
  for (const name of [...PACKAGES, ...SUBPATHS]) assertExists(imports[name], name);
  for (const file of Object.values<string>(imports)) await Deno.stat(new URL(file, url));
});
