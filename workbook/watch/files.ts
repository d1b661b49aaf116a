/**
 * Tells when the files of an exercise have been saved.
 *
 * What counts is how the folder looks, not what the system reports: an editor may write in place or in pieces, write
 * elsewhere and rename, delete and create, or put the whole folder in the place of another; and where a file system
 * reports nothing (network drives, some containers, a machine that slept), a look now and then finds it all the same.
 *
 * @module
 */

/** Editors write a file in several steps; this long, in milliseconds, it has to be quiet. */
const QUIET_MS = 20;
/** A file that is missing or empty is mostly one that is being written: it gets this long, in milliseconds. */
const EMPTY_MS = 300;
/** How often the folder is looked at though nothing was reported, in milliseconds. */
const LOOK_MS = 500;
/** More entries than this are not looked at one by one. */
const MOST_ENTRIES = 500;

/** How long to wait, and how often to look, in milliseconds. */
export interface WatchTimes {
  quietMs?: number;
  emptyMs?: number;
  lookMs?: number;
}

/** Watches the files of one folder. */
export class FolderWatch {
  readonly #folder: string;
  readonly #onSave: () => void;
  readonly #times: Required<WatchTimes>;
  #watcher: Deno.FsWatcher | undefined;
  /** Which folder the system watches: a new one of the same name is another. */
  #watched: number | null | undefined;
  #seen: string;
  #awaited = "";
  #quiet: ReturnType<typeof setTimeout> | undefined;
  readonly #looking: ReturnType<typeof setInterval>;
  #closed = false;

  /** Calls `onSave` for each change of the files in `folder`, which need not exist, as soon as it is over. */
  constructor(folder: string, onSave: () => void, times: WatchTimes = {}) {
    this.#folder = folder;
    this.#onSave = onSave;
    this.#times = { quietMs: QUIET_MS, emptyMs: EMPTY_MS, lookMs: LOOK_MS, ...times };
    this.#seen = look(folder).signature;
    this.#listen();
    this.#looking = setInterval(() => this.#check(), this.#times.lookMs);
  }

  /** What is there now counts as seen. */
  settle(): void {
    this.#seen = look(this.#folder).signature;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#quiet);
    clearInterval(this.#looking);
    this.#stopListening();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #listen(): void {
    this.#watched = inodeOf(this.#folder);
    if (this.#watched === undefined) return;
    try {
      const watcher = Deno.watchFs(this.#folder, { recursive: true });
      this.#watcher = watcher;
      this.#follow(watcher);
    } catch {
      // The system has no watches left, or the folder has just gone: looking does it.
    }
  }

  async #follow(watcher: Deno.FsWatcher): Promise<void> {
    try {
      for await (const event of watcher) if (event.kind !== "access") this.#check();
    } catch {
      // A watch that fails is one less; looking goes on.
    }
  }

  #stopListening(): void {
    try {
      this.#watcher?.close();
    } catch {
      // It has ended by itself.
    }
    this.#watcher = undefined;
  }

  #check(): void {
    if (this.#closed) return;
    if (inodeOf(this.#folder) !== this.#watched) {
      this.#stopListening();
      this.#listen();
    }
    const now = look(this.#folder);
    // What is waited for already is not waited for anew: a look now and then would put it off for ever.
    if (now.signature !== (this.#quiet === undefined ? this.#seen : this.#awaited)) this.#wait(now);
  }

  /** Waits until a later look is the same as `before`. */
  #wait(before: Look): void {
    clearTimeout(this.#quiet);
    this.#awaited = before.signature;
    const { quietMs, emptyMs } = this.#times;
    this.#quiet = setTimeout(() => {
      this.#quiet = undefined;
      if (this.#closed) return;
      const now = look(this.#folder);
      if (now.signature !== before.signature) return this.#wait(now);
      if (now.signature === this.#seen) return;
      this.#seen = now.signature;
      this.#onSave();
    }, before.empty ? emptyMs : quietMs);
  }
}

/** How the files in a folder look. */
interface Look {
  /** Names, sizes, times. */
  signature: string;
  /** The exercise is missing or has nothing in it. */
  empty: boolean;
}

function look(folder: string): Look {
  const parts: string[] = [];
  let empty = true;
  try {
    let count = 0;
    for (const { name } of Deno.readDirSync(folder)) {
      if (!isSource(name) || ++count > MOST_ENTRIES) continue;
      try {
        const { ino, size, mtime, isDirectory } = Deno.statSync(`${folder}/${name}`);
        parts.push(`${name} ${ino} ${isDirectory ? "" : size} ${mtime?.getTime()}`);
        if (name === "exercise.ts" && (size > 0 || isDirectory)) empty = false;
      } catch {
        parts.push(`${name} cannot be seen`);
      }
    }
  } catch {
    return { signature: "no folder", empty: true };
  }
  return { signature: parts.sort().join("\n"), empty };
}

/** Whether an exercise could import it: not the text of the lesson, nor what editors keep beside a file. */
function isSource(name: string): boolean {
  return !/^\.|^#|~$|\.(md|sw.|tmp|bak|orig)$|^\d+$|^sed\w{6}$|___$/i.test(name);
}

function inodeOf(folder: string): number | null | undefined {
  try {
    return Deno.statSync(folder).ino;
  } catch {
    return undefined;
  }
}
