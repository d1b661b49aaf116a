/**
 * How strangers' code is kept in: what this machine offers, and how a suite is started in it.
 *
 * @module
 */

import { pathOf } from "../std/paths.ts";
import type { SandboxLevel } from "./model.ts";
import { type Inside, STRANGERS_ENV } from "../strangers.ts";
import { DEVICES, ETC, exists, isOfSystem, SYSTEM, TMP_BYTES } from "./root_parts.ts";

const insideFile = pathOf(new URL("inside.ts", import.meta.url));

/** Time for the machine to show that it can make namespaces, in milliseconds. */
const PROBE_MS = 15_000;

/** A program with its arguments and what it needs in its environment. */
export interface Launch {
  command: string;
  args: string[];
  env: Record<string, string>;
}

/**
 * What makes the namespaces: a user's own, so that no rights are needed, and in it a network, processes, mounts, System
 * V queues and a host name. The first process in it is the suite; the kernel ends all others with it, and it ends with
 * `unshare`, which is what the grader sees and kills.
 */
const UNSHARE = [
  "--user",
  "--map-root-user",
  "--net",
  "--pid",
  "--mount",
  "--ipc",
  "--uts",
  "--fork",
  "--kill-child=SIGKILL",
];

/** The programs that can make namespaces, the one that is tried first before the other. */
const MAKERS = ["unshare", "bwrap"] as const;
export type NamespaceMaker = typeof MAKERS[number];

let maker: NamespaceMaker = "unshare";

/** The program that makes namespaces here, once {@linkcode bestSandbox} has found out. */
export function namespaceMaker(): NamespaceMaker {
  return maker;
}

/**
 * A `deno` command in namespaces of its own. `args` begin with the subcommand, and must be one that runs a module. Both
 * makers give the same place; with `unshare` the suite makes it itself, in `inside.ts`.
 */
export function inNamespaces(args: string[], inside: Inside, by = maker): Launch {
  if (by === "bwrap") {
    const command = [...bubble(inside), "--", Deno.execPath(), ...args];
    return { command: "bwrap", args: command, env: {} };
  }
  const [subcommand = "", ...rest] = args;
  return {
    command: "unshare",
    args: [...UNSHARE, "--", Deno.execPath(), subcommand, `--preload=${insideFile}`, ...rest],
    env: { [STRANGERS_ENV.inside]: JSON.stringify(inside) },
  };
}

/**
 * What bubblewrap is told (bwrap(1)): for systems that let it make namespaces, and nobody else. Rights over them it
 * keeps to itself.
 */
function bubble({ readable, tmp }: Inside): string[] {
  const system = SYSTEM.map((name) => `/${name}`).filter(exists);
  return [
    ...["--unshare-user", "--unshare-net", "--unshare-pid", "--unshare-ipc", "--unshare-uts"],
    ...["--die-with-parent", "--as-pid-1", "--cap-drop", "ALL"],
    ...system.flatMap((path) =>
      Deno.lstatSync(path).isSymlink
        ? ["--symlink", Deno.readLinkSync(path), path]
        : ["--ro-bind", path, path]
    ),
    ...ETC.flatMap((name) => ["--ro-bind-try", `/etc/${name}`, `/etc/${name}`]),
    ...DEVICES.flatMap((name) => ["--dev-bind", `/dev/${name}`, `/dev/${name}`]),
    ...["--symlink", "/proc/self/fd", "/dev/fd", "--proc", "/proc"],
    ...["--perms", "1777", "--size", `${TMP_BYTES}`, "--tmpfs", "/tmp"],
    // Some of them may lie in /tmp.
    ...readable.filter((path) => !isOfSystem(path))
      .flatMap((path) => ["--ro-bind", path, path]),
    ...["--dir", tmp, "--remount-ro", "/"],
  ];
}

/** The environment of a suite that strangers' code is graded with: nothing of the grader's own. */
export function plainEnvironment(): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of ["PATH", "HOME", "DENO_DIR", "XDG_CACHE_HOME", "LANG", "SystemRoot"]) {
    const value = Deno.env.get(name);
    if (value !== undefined) env[name] = value;
  }
  return env;
}

let best: Promise<SandboxLevel> | undefined;

/** The strongest level that this machine offers. Found out once per process, by trying. */
export function bestSandbox(): Promise<SandboxLevel> {
  return best ??= probe();
}

async function probe(): Promise<SandboxLevel> {
  if (Deno.build.os !== "linux") return "permissions";
  for (const by of MAKERS) {
    if (!await holds(by)) continue;
    maker = by;
    return "namespaces";
  }
  return "limits";
}

/** Whether that program makes a place that is closed, found out by trying. */
export async function holds(by: NamespaceMaker): Promise<boolean> {
  const root = pathOf(new URL("../..", import.meta.url)).replace(/\/$/, "");
  const base = await Deno.makeTempDir({ prefix: "workbook_probe_" });
  try {
    const readable = [root, Deno.execPath()];
    const { command, args, env } = inNamespaces(
      ["run", "--no-check", "--no-lock", "--no-config", "--cached-only", "--allow-all", probeFile],
      { base, readable, tmp: "/tmp" },
      by,
    );
    const { success, stdout } = await new Deno.Command(command, {
      args,
      env: { ...plainEnvironment(), ...env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
      clearEnv: true,
      cwd: root,
      stdin: "null",
      stderr: "null",
      signal: AbortSignal.timeout(PROBE_MS),
    }).output();
    return success && new TextDecoder().decode(stdout).trim() === "closed";
  } catch {
    // There is no such program, or it hangs.
    return false;
  } finally {
    await Deno.remove(base, { recursive: true }).catch(() => {});
  }
}

const probeFile = pathOf(new URL("probe.ts", import.meta.url));
