/**
 * Notices when the program that started this one is killed.
 *
 * `deno task` starts a program that may start another: whoever kills the first with SIGKILL means all of them.
 *
 * @module
 */

const POLL_MS = 200;
/** Programs that start us; a shell that is closed is none of them. */
const LAUNCHERS = /\/(deno|node)$/;

/** Calls `then` once, when a launcher is gone. Only on Linux, whose proc(5) tells. */
export class LauncherWatch implements Disposable {
  readonly #timer: ReturnType<typeof setInterval> | undefined;

  constructor(then: () => void) {
    const links = Deno.build.os === "linux" ? linksAbove(Deno.pid) : [];
    if (links.length === 0) return;
    this.#timer = setInterval(() => {
      if (links.every(([pid, parent]) => parentOf(pid) === parent)) return;
      this[Symbol.dispose]();
      then();
    }, POLL_MS);
    Deno.unrefTimer(this.#timer as unknown as number);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** Each program and the one that started it, up from `pid`, as far as they are launchers. */
function linksAbove(pid: number): [pid: number, parent: number][] {
  const links: [number, number][] = [];
  for (let child = pid; links.length < 10;) {
    const parent = parentOf(child);
    if (parent === undefined || !isLauncher(parent)) break;
    links.push([child, parent]);
    child = parent;
  }
  return links;
}

function isLauncher(pid: number): boolean {
  try {
    return LAUNCHERS.test(Deno.readLinkSync(`/proc/${pid}/exe`));
  } catch {
    return false;
  }
}

function parentOf(pid: number): number | undefined {
  try {
    // The program's name, in parentheses, may hold anything.
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return undefined;
  }
}
