/**
 * How strangers' code is kept in: what this machine offers, and how a suite is started in it.
 *
 * @module
 */

import { pathOf } from "../std/paths.ts";
import type { SandboxLevel } from "./model.ts";
import { type Inside, STRANGERS_ENV } from "../strangers.ts";

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

/** A `deno` command in namespaces of its own. `args` begin with the subcommand, and must be one that runs a module. */
export function inNamespaces(args: string[], inside: Inside): Launch {
  const [subcommand = "", ...rest] = args;
  return {
    command: "unshare",
    args: [...UNSHARE, "--", Deno.execPath(), subcommand, `--preload=${insideFile}`, ...rest],
    env: { [STRANGERS_ENV.inside]: JSON.stringify(inside) },
  };
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
  const root = pathOf(new URL("../..", import.meta.url)).replace(/\/$/, "");
  const base = await Deno.makeTempDir({ prefix: "workbook_probe_" });
  try {
    const readable = [root, Deno.execPath()];
    const { command, args, env } = inNamespaces(
      ["run", "--no-check", "--no-lock", "--no-config", "--cached-only", "--allow-all", probeFile],
      { base, readable, tmp: "/tmp" },
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
    if (success && new TextDecoder().decode(stdout).trim() === "closed") return "namespaces";
  } catch {
    // There is no such program, or it hangs.
  } finally {
    await Deno.remove(base, { recursive: true }).catch(() => {});
  }
  return "limits";
}

const probeFile = pathOf(new URL("probe.ts", import.meta.url));
