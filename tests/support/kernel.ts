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

/** Memory of process `pid` in bytes, or undefined where the system does not tell (proc(5), status; Linux does). */
export function memoryOf(
  pid: number,
): { resident: number; mostResident: number; mostVirtual: number } | undefined {
  if (Deno.build.os !== "linux") return undefined;
  try {
    const status = Deno.readTextFileSync(`/proc/${pid}/status`);
    const of = (name: string) => {
      const [, kib] = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)!;
      return Number(kib) * 1024;
    };
    return { resident: of("VmRSS"), mostResident: of("VmHWM"), mostVirtual: of("VmPeak") };
  } catch {
    // The process has ended.
    return undefined;
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
