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

/** Whether process `pid` stands still after SIGSTOP; where the system does not tell, it is taken to. */
export function isStopped(pid: number): boolean {
  if (Deno.build.os !== "linux") return true;
  try {
    // The name of the program stands before it in parentheses, and may hold anything.
    return /\) [Tt] [^)]*$/.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
  } catch {
    // The process has ended.
    return true;
  }
}

/** Whether process `pid` has begun to end: its sockets may be closed before it is gone. */
export function isEnding(pid: number): boolean {
  if (Deno.build.os !== "linux") return false;
  const PF_EXITING = 4;
  try {
    // State, five numbers of its family, and the kernel's flags.
    const [, flags] = /\) \S (?:-?\d+ ){5}(\d+)/.exec(Deno.readTextFileSync(`/proc/${pid}/stat`))!;
    return (Number(flags) & PF_EXITING) !== 0;
  } catch {
    return true;
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
