/**
 * What holds for processes of code that nobody has read, beyond what holds for a learner's own.
 *
 * @module
 */

import { type Strangers, STRANGERS_ENV } from "../../workbook/strangers.ts";

const given = Deno.env.get(STRANGERS_ENV.strangers);

/** How strangers' code is kept in; absent if it is the learner's own that is graded. */
export let strangers: Strangers | undefined = given === undefined ? undefined : JSON.parse(given);

/** Calls `run` as if strangers' code were graded so. */
export function asStrangers<T>(given: Strangers, run: () => T): T {
  const before = strangers;
  strangers = given;
  try {
    return run();
  } finally {
    strangers = before;
  }
}

/** KiB of data (heap, buffers, stacks), processor seconds, open files; no core dumps; files of 64 MiB. */
const LIMITS = "ulimit -c 0; ulimit -d 1048576; ulimit -t 30; ulimit -n 4096; ulimit -f 131072";
/** Threads and processes of one suite's processes together. */
const MOST_THREADS = 1000;

/** The limits as commands of the shell, which calls that of processes by one name or another. */
export function strangersLimits({ level }: Strangers): string {
  // In a namespace the processes of the suite alone count; outside of it, everything that the user runs.
  const most = level === "namespaces" ? MOST_THREADS : MOST_THREADS + threadsRunning();
  return `${LIMITS}; ulimit -p ${most} 2>/dev/null || ulimit -u ${most} 2>/dev/null || :`;
}

/** How many threads the machine has (proc(5), loadavg). */
function threadsRunning(): number {
  try {
    return Number(/\/(\d+)/.exec(Deno.readTextFileSync("/proc/loadavg"))?.[1] ?? 0);
  } catch {
    return 32_000;
  }
}

/** A command that runs another one without the rights that the suite has in its namespaces. */
export function withoutRights({ hasRights }: Strangers): string[] {
  if (!hasRights) return [];
  if (["/usr/bin", "/bin"].some((folder) => isFile(`${folder}/setpriv`))) {
    return ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--"];
  }
  // In a user namespace below, a process has no rights over anything above.
  return ["unshare", "--user", "--"];
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** The environment of such a process: a cache directory of its own, and no more than starting it needs. */
export function strangersEnvironment(
  { cache, work }: Pick<Strangers, "cache" | "work">,
): Record<string, string> {
  const folder = Deno.makeTempDirSync({ dir: work, prefix: "process_" });
  copyCache(cache, folder);
  const env: Record<string, string> = { DENO_DIR: folder, HOME: folder, TMPDIR: folder };
  for (const name of ["PATH", "SystemRoot"]) {
    const value = Deno.env.get(name);
    if (value !== undefined) env[name] = value;
  }
  return env;
}

/** The files of the cache, read once. */
const read = new Map<string, { name: string; bytes?: Uint8Array; link?: string }[]>();

function copyCache(from: string, to: string): void {
  let entries = read.get(from);
  if (!entries) {
    entries = [];
    collect(from, "", entries);
    read.set(from, entries);
  }
  for (const { name, bytes, link } of entries) {
    if (link !== undefined) Deno.symlinkSync(link, `${to}/${name}`);
    else if (bytes) Deno.writeFileSync(`${to}/${name}`, bytes);
    else Deno.mkdirSync(`${to}/${name}`);
  }
}

function collect(
  root: string,
  within: string,
  entries: { name: string; bytes?: Uint8Array; link?: string }[],
): void {
  for (const entry of Deno.readDirSync(`${root}/${within}`)) {
    const name = within === "" ? entry.name : `${within}/${entry.name}`;
    if (entry.isSymlink) entries.push({ name, link: Deno.readLinkSync(`${root}/${name}`) });
    else if (entry.isFile) entries.push({ name, bytes: Deno.readFileSync(`${root}/${name}`) });
    else {
      entries.push({ name });
      collect(root, name, entries);
    }
  }
}
