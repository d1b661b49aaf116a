/**
 * What the kernel itself says of a process: evidence that no code in that process can touch.
 *
 * @module
 */

/**
 * How many sockets process `pid` holds, and how many of them are of TCP and UDP; others the runtime has for itself.
 *
 * The kernel's table of TCP takes milliseconds to read, and far more on a busy machine. So it is only looked at if the
 * process holds more than `usual` sockets of whatever kind, and one of them is no Unix socket. 0 where the system does
 * not tell; Linux does (proc(5)).
 */
export function socketsBeyond(pid: number, usual: number): { held: number; internet: number } {
  const inodes = inodesOf(pid);
  const held = inodes.length;
  return { held, internet: held <= usual ? 0 : internetSocketsAmong(inodes, pid) };
}

function internetSocketsAmong(held: string[], pid: number): number {
  const unix = new Set(inodesIn(pid, "unix"));
  const others = held.filter((inode) => !unix.has(inode));
  if (others.length === 0) return 0;
  const known = new Set(INTERNET_TABLES.flatMap((table) => inodesIn(pid, table)));
  return others.filter((inode) => known.has(inode)).length;
}

/** Whether process `pid` listens at `port` of TCP, at whatever address; undefined where the system does not tell. */
export function listensAt(pid: number, port: number): boolean | undefined {
  if (Deno.build.os !== "linux") return undefined;
  const shown = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const listening = (["tcp", "tcp6"] as const).flatMap((table) => linesOf(pid, table))
    .filter((columns) => columns[LOCAL_AT]?.endsWith(shown) && columns[STATE_AT] === LISTEN)
    .map((columns) => columns[INODE_AT.tcp]);
  return inodesOf(pid).some((inode) => listening.includes(inode));
}

/** How many sockets of whatever kind process `pid` holds. */
export function socketsOf(pid: number): number {
  return inodesOf(pid).length;
}

/** Whether process `pid` stands still after SIGSTOP. */
export function isStopped(pid: number): boolean {
  return ["t", "T", ""].includes(stateOf(pid));
}

/** Whether Linux says that process `pid` stands still after SIGSTOP; elsewhere nobody does. */
export function isKnownToStop(pid: number): boolean {
  return ["t", "T"].includes(stateOf(pid));
}

/** What Linux tells of a process's state (proc(5), stat). Elsewhere, and of one that is gone, it is empty. */
function stateOf(pid: number): string {
  if (Deno.build.os !== "linux") return "";
  try {
    // The name of the program stands before it in parentheses, and may hold anything.
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return stat.slice(stat.lastIndexOf(")") + 2)[0] ?? "";
  } catch {
    return "";
  }
}

/**
 * Files and folders in `folder`, a path without links, that process `pid` holds open: their paths from there, each once,
 * in alphabetical order.
 */
export function filesOf(pid: number, folder: string): string[] {
  const held = descriptorsOf(pid)
    .filter((target) => target === folder || target.startsWith(`${folder}/`))
    .map((target) => target.slice(folder.length + 1) || ".");
  return [...new Set(held)].sort();
}

/** Inodes of the sockets among the process's descriptors. */
function inodesOf(pid: number): string[] {
  return descriptorsOf(pid).flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []);
}

/** What the process's descriptors stand for (proc(5), fd). */
function descriptorsOf(pid: number): string[] {
  if (Deno.build.os !== "linux") return [];
  const folder = `/proc/${pid}/fd`;
  const targets: string[] = [];
  try {
    for (const { name } of Deno.readDirSync(folder)) {
      const target = targetOf(`${folder}/${name}`);
      if (target !== undefined) targets.push(target);
    }
  } catch {
    // The process has ended.
  }
  return targets;
}

function targetOf(link: string): string | undefined {
  try {
    return Deno.readLinkSync(link);
  } catch {
    // Closed while it was looked at.
    return undefined;
  }
}

const INTERNET_TABLES = ["tcp", "udp", "tcp6", "udp6"] as const;
/** In which column of a table the inode stands. */
const INODE_AT = { unix: 6, tcp: 9, udp: 9, tcp6: 9, udp6: 9 };
/** The same for the local address and the state, in those of TCP. */
const LOCAL_AT = 1;
const STATE_AT = 3;
const LISTEN = "0A";

/** Inodes of all sockets in one of the kernel's tables. */
function inodesIn(pid: number, table: keyof typeof INODE_AT): string[] {
  return linesOf(pid, table).map((columns) => columns[INODE_AT[table]] ?? "");
}

/** The lines of one of the kernel's tables of sockets, by columns. */
function linesOf(pid: number, table: keyof typeof INODE_AT): string[][] {
  try {
    const lines = Deno.readTextFileSync(`/proc/${pid}/net/${table}`).trim().split("\n").slice(1);
    return lines.map((line) => line.trim().split(/\s+/));
  } catch {
    return [];
  }
}
