/**
 * `--watch`: grades again whenever the exercise is saved. A new save ends a grading that is still going on.
 *
 * @module
 */

import { paint, type Screen } from "../terminal.ts";
import type { Lang } from "../text.ts";

/** Editors write a file in several steps; this long, in milliseconds, it has to be quiet. */
const QUIET_MS = 30;

const WAITING = {
  en: "Waiting for the next save. Ctrl-C ends this.",
  ko: "다음 저장을 기다립니다. 끝내려면 Ctrl-C를 누르세요.",
};

/** Runs `run` at once and after every change in `folder`, until `signal` is aborted. Returns the last exit status. */
export async function watch(
  folder: string,
  { run, signal, screen, lang }: {
    run: (stop: AbortSignal) => Promise<number>;
    signal: AbortSignal;
    screen: Screen;
    lang: Lang;
  },
): Promise<number> {
  const watcher = Deno.watchFs(folder);
  signal.addEventListener("abort", () => watcher.close());
  let status = 0;
  let stop = new AbortController();
  let running: Promise<void> = Promise.resolve();
  const start = () => {
    stop = new AbortController();
    const either = AbortSignal.any([stop.signal, signal]);
    running = (async () => {
      if (screen.isTerminal) console.log("\x1b[2J\x1b[3J\x1b[H");
      const ended = await run(either);
      if (either.aborted) return;
      status = ended;
      console.log(`\n${paint(screen, "dim", WAITING[lang])}`);
    })();
  };
  start();
  let quiet: ReturnType<typeof setTimeout> | undefined;
  for await (const event of watcher) {
    if (event.kind === "access") continue;
    clearTimeout(quiet);
    quiet = setTimeout(async () => {
      stop.abort();
      await running;
      if (!signal.aborted) start();
    }, QUIET_MS);
  }
  clearTimeout(quiet);
  await running;
  return status;
}
