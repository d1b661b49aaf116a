/**
 * The place in which one submission is graded: temporary folders, the import map of its processes, their cache.
 *
 * @module
 */

import { builtinModules } from "node:module";
import { exerciseCommand } from "../../tests/support/child.ts";
import { asStrangers } from "../../tests/support/strangers.ts";
import { PACKAGES } from "../std/names.ts";
import { pathOf } from "../std/paths.ts";
import type { SuitePlace } from "../suite.ts";
import type { SandboxLevel } from "./model.ts";
import { inNamespaces, type Launch, namespaceMaker, plainEnvironment } from "./sandbox.ts";
import { type Strangers, STRANGERS_ENV } from "../strangers.ts";

/** Parts of Node.js that show or change the inside of a process, or start code beside it. */
const OUT_OF_BOUNDS = [
  "child_process",
  "cluster",
  "inspector",
  "inspector/promises",
  "module",
  "repl",
  "trace_events",
  "v8",
  "vm",
  "wasi",
  "worker_threads",
];

const hostFile = pathOf(new URL("../host.ts", import.meta.url));

/** What a place is made for. */
export interface PlaceRequest {
  root: string;
  level: SandboxLevel;
  /** The import map in force, or none where deno.json's imports serve. */
  importMap?: string | undefined;
  /** A teacher's own suites. */
  suites?: string | undefined;
}

/** A place to grade in. */
export class Place implements SuitePlace {
  readonly #request: PlaceRequest;
  readonly #folder: string;
  readonly #strangers: Strangers;
  /** The folder laid out like `lessons/` into which exercises are put. */
  readonly target: string;
  /** The import map of the suites, where they need another than the one in force. */
  suiteMap: string | undefined;

  private constructor(request: PlaceRequest, folder: string, cache: string) {
    this.#request = request;
    this.#folder = folder;
    this.target = `${folder}/lessons`;
    this.#strangers = {
      level: request.level,
      importMap: `${folder}/exercise_map.json`,
      cache,
      // In namespaces, all that is written goes where nothing stays.
      work: request.level === "namespaces" ? "/tmp/processes" : `${folder}/processes`,
      hasRights: request.level === "namespaces" && namespaceMaker() === "unshare",
    };
  }

  /** Makes a place. It has to be removed. */
  static async create(request: PlaceRequest): Promise<Place> {
    const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "workbook_grade_" }));
    const imports = await importsInForce(request);
    const exerciseMap = `${folder}/exercise_map.json`;
    await Deno.writeTextFile(exerciseMap, JSON.stringify(forExercises(imports)));
    const cache = await sharedCache(request, exerciseMap);
    const place = new Place(request, folder, cache);
    await Promise.all(
      ["lessons", "root", "processes"].map((name) => Deno.mkdir(`${folder}/${name}`)),
    );
    if (request.suites !== undefined) {
      const support = new URL("../../tests/support/", import.meta.url).href;
      const map = { ...imports, "workbook/suite": `${support}suite.ts`, "workbook/": support };
      place.suiteMap = `${folder}/suite_map.json`;
      await Deno.writeTextFile(place.suiteMap, JSON.stringify({ imports: map }));
    }
    return place;
  }

  get ownProcesses(): boolean {
    return this.#request.level === "namespaces";
  }

  /** The command that runs a suite, from the one that would run it without a sandbox. */
  launch({ args, env, suite, slug }: {
    args: string[];
    env: Record<string, string>;
    suite: string;
    slug: string;
  }): Launch {
    const { root, level, importMap } = this.#request;
    const all = {
      ...plainEnvironment(),
      ...env,
      [STRANGERS_ENV.strangers]: JSON.stringify(this.#strangers),
    };
    if (level !== "namespaces") return { command: Deno.execPath(), args, env: all };
    const maps = importMap ? [importMap, ...foldersOf(importMap)] : [];
    const launch = inNamespaces(args, {
      base: `${this.#folder}/root`,
      tmp: this.#strangers.work,
      readable: outermost([
        `${root}/deno.json`,
        `${root}/workbook`,
        `${root}/tests/support`,
        // What some suites compare with.
        ...existing(`${root}/tests/captures/${slug}`),
        ...compiled(root, suite),
        // A teacher's suite may import what lies beside it.
        suite.startsWith(`${root}/tests/`) ? suite : suite.slice(0, suite.lastIndexOf("/")),
        ...maps,
        ...(this.suiteMap ? [this.suiteMap] : []),
        this.#strangers.importMap,
        this.#strangers.cache,
        ...linksOf(this.#strangers.cache),
        `${this.target}/${slug}`,
        Deno.execPath(),
      ]),
    });
    return { ...launch, env: { ...all, DENO_DIR: denoDir(), ...launch.env } };
  }

  /** Removes everything. */
  async remove(): Promise<void> {
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** What Deno has made of the course's own files before, where it keeps that: without it each suite is compiled anew. */
function compiled(root: string, suite: string): string[] {
  const kept = `${denoDir()}/gen/file`;
  return [`${root}/workbook`, `${root}/tests/support`, `${suite}.js`]
    .flatMap((path) => existing(`${kept}${path}`));
}

function existing(path: string): string[] {
  try {
    Deno.statSync(path);
    return [path];
  } catch {
    return [];
  }
}

/** Paths without those that lie in another of them. */
function outermost(paths: string[]): string[] {
  const sorted = [...new Set(paths)].sort();
  return sorted.filter((path) =>
    !sorted.some((other) => other !== path && path.startsWith(`${other}/`))
  );
}

/** Folders of the files that an import map names. */
function foldersOf(importMap: string): string[] {
  const targets = Object.values(readImports(importMap));
  return targets.filter((target) => target.startsWith("file:"))
    .map((target) => pathOf(new URL(".", target)).replace(/\/$/, ""));
}

/** The imports of a map, those that name files by their full addresses. */
function readImports(importMap: string): Record<string, string> {
  const base = `file://${importMap.split("/").map(encodeURIComponent).join("/")}`;
  const { imports = {} } = JSON.parse(Deno.readTextFileSync(importMap)) as {
    imports?: Record<string, string>;
  };
  return Object.fromEntries(
    Object.entries(imports).map(([name, target]) => [
      name,
      /^\.{0,2}\//.test(target) ? new URL(target, base).href : target,
    ]),
  );
}

async function importsInForce({ root, importMap }: PlaceRequest): Promise<Record<string, string>> {
  if (importMap) return readImports(importMap);
  const { imports } = JSON.parse(await Deno.readTextFile(`${root}/deno.json`)) as {
    imports: Record<string, string>;
  };
  // What deno.json maps by itself: a package, and what lies below it.
  return Object.fromEntries(
    PACKAGES.flatMap((name) => {
      const target = imports[name];
      if (target === undefined) return [];
      return [[name, target], [`${name}/`, `${target.replace(/^(jsr|npm):\/?/, "$1:/")}/`]];
    }),
  );
}

/** An import map. */
interface ImportMap {
  imports: Record<string, string>;
  scopes: Record<string, Record<string, string>>;
}

/** The import map of a stranger's processes. */
function forExercises(imports: Record<string, string>): ImportMap {
  const refuse = (name: string) =>
    `data:text/javascript,${
      encodeURIComponent(`throw new Error("${name} is out of bounds in a graded exercise");`)
    }`;
  const refused = OUT_OF_BOUNDS.flatMap((name) => [
    [name, refuse(`node:${name}`)],
    [`node:${name}`, refuse(`node:${name}`)],
  ]);
  // The real one leads to all the others.
  const process = `data:text/javascript,${
    encodeURIComponent(
      "const p = globalThis.process; export default p;" +
        "export const { argv, exit, nextTick, pid, platform, stdout, stderr, stdin, version, on, once, hrtime, memoryUsage } = p;",
    )
  }`;
  // Whatever is Node's comes after the host has seen to it, which it does when `process` is asked for.
  const seen: ImportMap = { imports: {}, scopes: {} };
  for (const name of builtinModules.map((name) => name.replace(/^node:/, ""))) {
    const address = `data:text/javascript,${
      encodeURIComponent(
        `import * as all from "node:${name}"; globalThis.process; export * from "node:${name}"; export default all.default;`,
      )
    }`;
    seen.imports[`node:${name}`] = address;
    // Some have no name without the prefix.
    if (builtinModules.includes(name)) seen.imports[name] = address;
    seen.scopes[address] = { [`node:${name}`]: `node:${name}` };
  }
  return {
    imports: {
      ...seen.imports,
      ...imports,
      ...Object.fromEntries(refused),
      "node:process": process,
      process,
    },
    scopes: seen.scopes,
  };
}

const caches = new Map<string, Promise<string>>();

/** The cache directory that all processes of this grader begin with. Made once. */
function sharedCache(request: PlaceRequest, exerciseMap: string): Promise<string> {
  const key = `${request.root}\n${request.importMap ?? ""}`;
  const known = caches.get(key);
  if (known) return known;
  const made = makeCache(request, exerciseMap);
  caches.set(key, made);
  return made;
}

async function makeCache({ importMap }: PlaceRequest, exerciseMap: string): Promise<string> {
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "workbook_cache_" }));
  addEventListener("unload", () => {
    try {
      Deno.removeSync(folder, { recursive: true });
    } catch {
      // It is gone already.
    }
  });
  const work = `${folder}/processes`;
  const exercise = `${folder}/exercise`;
  let cache = `${folder}/cache`;
  await Promise.all([cache, work, exercise].map((path) => Deno.mkdir(path)));
  // Packages that were fetched, where the course uses any.
  for (const name of importMap ? [] : ["remote", "npm"]) {
    const path = `${denoDir()}/${name}`;
    if (await isFolder(path)) await Deno.symlink(path, `${cache}/${name}`);
  }
  // The second process finds what the first has compiled, and V8 keeps what it made of it.
  for (let run = 0; run < 2; run++) {
    const before = new Set(await namesIn(work));
    const strangers: Strangers = {
      level: "limits",
      importMap: exerciseMap,
      cache,
      work,
      hasRights: false,
    };
    const process = asStrangers(
      strangers,
      () => exerciseCommand(exercise, hostFile, "piped").spawn(),
    );
    await process.stdin.close();
    await process.output();
    cache = `${work}/${(await namesIn(work)).find((name) => !before.has(name))}`;
  }
  return cache;
}

async function namesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
}

async function isFolder(path: string): Promise<boolean> {
  return (await Deno.stat(path).catch(() => undefined))?.isDirectory ?? false;
}

/** Where Deno keeps what it fetched. */
function denoDir(): string {
  const given = Deno.env.get("DENO_DIR");
  if (given) return given;
  const base = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`;
  return `${base}/deno`;
}

/** Where the symbolic links of a folder lead. */
function linksOf(folder: string): string[] {
  const links = Array.from(Deno.readDirSync(folder)).filter(({ isSymlink }) => isSymlink);
  return links.map(({ name }) => Deno.readLinkSync(`${folder}/${name}`));
}
