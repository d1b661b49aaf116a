/**
 * The first thing that a process does in namespaces of its own: makes them a place to grade in.
 *
 * Loaded with `--preload`, before the suite: brings up the loopback interface, and leaves of the file system what
 * grading needs, read-only, with a private `/tmp`. Then the process has the rights of nobody in particular: all of
 * its learner's processes see the same. If one step is refused, the process ends: never is something graded in a
 * place that is less closed than was said.
 *
 * The system is called by itself: no tool for it is on every machine. See network_namespaces(7), netdevice(7),
 * pivot_root(2), mount_setattr(2).
 *
 * @module
 */

import { type Inside, STRANGERS_ENV } from "../strangers.ts";
import { DEVICES, ETC, exists, isOfSystem, SYSTEM, TMP_BYTES } from "./root_parts.ts";

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SIOCSIFFLAGS = 0x8914n;
const IFF_UP_RUNNING = 0x41;
const IFREQ_BYTES = 40;

const MS_NOSUID = 2n;
const MS_NODEV = 4n;
const MS_NOEXEC = 8n;
const MS_BIND = 4096n;
const MS_REC = 16384n;
const MS_REMOUNT = 32n;
const MS_RDONLY = 1n;
const MNT_DETACH = 2;

const AT_FDCWD = -100n;
const AT_RECURSIVE = 0x8000n;
const MOUNT_ATTR_RDONLY = 1n;
/** The same number on every architecture. */
const SYS_MOUNT_SETATTR = 442n;

/** The highest number of a process or thread, where the kernel has such a limit per namespace. */
const MOST_PROCESSES = "1000";

const libc = Deno.dlopen("libc.so.6", {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  mount: { parameters: ["buffer", "buffer", "buffer", "u64", "buffer"], result: "i32" },
  umount2: { parameters: ["buffer", "i32"], result: "i32" },
  pivot_root: { parameters: ["buffer", "buffer"], result: "i32" },
  syscall: { parameters: ["i64", "i64", "buffer", "i64", "buffer", "i64"], result: "i64" },
}).symbols;

function text(value: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${value}\0`);
}

function must(what: string, result: number | bigint): void {
  if (Number(result) < 0) throw new Error(`The sandbox cannot be made: ${what} was refused`);
}

function mount(source: string, target: string, type: string, flags: bigint, data = ""): void {
  const result = libc.mount(text(source), text(target), text(type), flags, text(data));
  must(`mount ${target}`, result);
}

/** Brings up the loopback interface, which a new network namespace has, but down. */
function loopbackUp(): void {
  const request = new Uint8Array(IFREQ_BYTES);
  request.set(text("lo"));
  new DataView(request.buffer).setInt16(16, IFF_UP_RUNNING, true);
  const socket = libc.socket(AF_INET, SOCK_DGRAM, 0);
  must("socket", socket);
  must("loopback", libc.ioctl(socket, SIOCSIFFLAGS, request));
  libc.close(socket);
}

/** Makes a mount and all below it read-only, whatever else holds for them. */
function readOnly(path: string): void {
  const attributes = new BigUint64Array([MOUNT_ATTR_RDONLY, 0n, 0n, 0n]);
  const result = libc.syscall(
    SYS_MOUNT_SETATTR,
    AT_FDCWD,
    text(path),
    AT_RECURSIVE,
    new Uint8Array(attributes.buffer),
    32n,
  );
  must(`mount_setattr ${path}`, result);
}

function bind(source: string, target: string): void {
  if (Deno.statSync(source).isDirectory) {
    Deno.mkdirSync(target, { recursive: true });
  } else {
    Deno.mkdirSync(target.slice(0, target.lastIndexOf("/")), { recursive: true });
    Deno.writeFileSync(target, new Uint8Array());
  }
  mount(source, target, "", MS_BIND | MS_REC);
}

/** Builds a root of what is needed, and makes it the root of this process and all that it starts. */
function enter({ base, readable, tmp }: Inside): void {
  const cwd = Deno.cwd();
  mount("none", "/", "", MS_REC | (1n << 18n)); // MS_PRIVATE
  mount("tmpfs", base, "tmpfs", MS_NOSUID | MS_NODEV, "size=4m,mode=755");
  for (const name of SYSTEM) {
    if (!exists(`/${name}`)) continue;
    if (Deno.lstatSync(`/${name}`).isSymlink) {
      Deno.symlinkSync(Deno.readLinkSync(`/${name}`), `${base}/${name}`);
    } else {
      bind(`/${name}`, `${base}/${name}`);
      readOnly(`${base}/${name}`);
    }
  }
  Deno.mkdirSync(`${base}/etc`);
  for (const name of ETC) {
    if (exists(`/etc/${name}`)) {
      Deno.writeFileSync(`${base}/etc/${name}`, Deno.readFileSync(`/etc/${name}`));
    }
  }
  Deno.mkdirSync(`${base}/dev`);
  for (const name of DEVICES) bind(`/dev/${name}`, `${base}/dev/${name}`);
  Deno.symlinkSync("/proc/self/fd", `${base}/dev/fd`);
  Deno.mkdirSync(`${base}/proc`);
  mount("proc", `${base}/proc`, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC);
  try {
    Deno.writeTextFileSync(`${base}/proc/sys/kernel/pid_max`, MOST_PROCESSES);
  } catch {
    // Linux before 6.14 has one for the whole machine, which is not for us to change.
  }
  mount(`${base}/proc/sys`, `${base}/proc/sys`, "", MS_BIND | MS_REC);
  readOnly(`${base}/proc/sys`);
  // Before what is readable, which may lie in it.
  Deno.mkdirSync(`${base}/tmp`);
  mount("tmpfs", `${base}/tmp`, "tmpfs", MS_NOSUID | MS_NODEV, `size=${TMP_BYTES},mode=1777`);
  for (const source of readable) {
    // The system's programs are there already.
    if (isOfSystem(source)) continue;
    bind(source, `${base}${source}`);
    readOnly(`${base}${source}`);
  }
  Deno.mkdirSync(`${base}${tmp}`, { recursive: true });
  Deno.mkdirSync(`${base}/.old`);
  must("pivot_root", libc.pivot_root(text(base), text(`${base}/.old`)));
  Deno.chdir("/");
  must("umount", libc.umount2(text("/.old"), MNT_DETACH));
  Deno.removeSync("/.old");
  mount("none", "/", "", MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV);
  Deno.chdir(cwd);
}

const inside = Deno.env.get(STRANGERS_ENV.inside);
if (inside !== undefined) {
  try {
    if (Deno.pid !== 1) throw new Error("The sandbox cannot be made: not in a namespace");
    loopbackUp();
    enter(JSON.parse(inside) as Inside);
  } catch (error) {
    console.error(`error: ${error instanceof Error ? error.message : error}`);
    Deno.exit(70);
  }
}
