/**
 * What the kernel itself says of a process: evidence that no code in that process can touch.
 *
 * @module
 */

/**
 * How many TCP and UDP sockets process `pid` holds. Not those of other kinds, which the runtime has for itself.
 *
 * The kernel's tables take long to read on a busy machine, so they are only looked at if the process holds more
 * than `usual` sockets of whatever kind. 0 where the system does not tell; Linux does (proc(5)).
 */
export function internetSocketsOf(pid: number, usual: number): number {
  const held = inodesOf(pid);
  if (held.length <= usual) return 0;
  const known = new Set(["tcp", "udp", "tcp6", "udp6"].flatMap((table) => inodesIn(pid, table)));
  return held.filter((inode) => known.has(inode)).length;
}

/** How many sockets of whatever kind process `pid` holds. */
export function socketsOf(pid: number): number {
  return inodesOf(pid).length;
}

/** Whether process `pid` stands still after SIGSTOP. */
export function isStopped(pid: number): boolean {
  return ["t", "T", ""].includes(statOf(pid).state);
}

/** Whether Linux says that process `pid` stands still after SIGSTOP; elsewhere nobody does. */
export function isKnownToStop(pid: number): boolean {
  return ["t", "T"].includes(statOf(pid).state);
}

/** Whether process `pid` waits for something to happen. */
export function isAsleep(pid: number): boolean {
  return ["S", ""].includes(statOf(pid).state);
}

/** Whether process `pid` has begun to end: its sockets may be closed before it is gone. */
export function isEnding(pid: number): boolean {
  const PF_EXITING = 4;
  return (statOf(pid).flags & PF_EXITING) !== 0;
}

/** What Linux tells of a process (proc(5), stat). Elsewhere, and of one that is gone, the state is empty. */
function statOf(pid: number): { state: string; flags: number } {
  if (Deno.build.os !== "linux") return { state: "", flags: 0 };
  try {
    // The name of the program stands before it in parentheses, and may hold anything.
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    const [state = "", ...numbers] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { state, flags: Number(numbers[5]) };
  } catch {
    return { state: "", flags: 4 };
  }
}

/** Inodes of the sockets among the process's descriptors. */
function inodesOf(pid: number): string[] {
  if (Deno.build.os !== "linux") return [];
  const folder = `/proc/${pid}/fd`;
  const inodes: string[] = [];
  try {
    for (const { name } of Deno.readDirSync(folder)) {
      const inode = socketInode(`${folder}/${name}`);
      if (inode) inodes.push(inode);
    }
  } catch {
    // The process has ended.
  }
  return inodes;
}

function socketInode(link: string): string | undefined {
  try {
    return /^socket:\[(\d+)\]$/.exec(Deno.readLinkSync(link))?.[1];
  } catch {
    // Closed while it was looked at.
    return undefined;
  }
}

/** Inodes of all sockets in one of the kernel's tables. */
function inodesIn(pid: number, table: string): string[] {
  try {
    const lines = Deno.readTextFileSync(`/proc/${pid}/net/${table}`).trim().split("\n").slice(1);
    return lines.map((line) => line.trim().split(/\s+/)[9] ?? "");
  } catch {
    return [];
  }
}
