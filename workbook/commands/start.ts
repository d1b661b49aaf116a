/**
 * `deno task start [N]`: goes on where the learner left off, and watches.
 *
 * @module
 */

import { findLesson, lessonSlugs, readLesson } from "../course.ts";
import { lessonToDo, ProgressStore } from "../progress.ts";
import { standardScreen, wrap } from "../terminal.ts";
import { runSession } from "../watch/session.ts";
import { listLines } from "./list.ts";
import { readOptions, tooMany, wholeNumber } from "./options.ts";

/** Starts with the lesson that is asked for, or where the learner left off, or with the first that is not done. */
export async function startCommand(args: string[], root: string): Promise<number> {
  const { lang, rest } = readOptions(args, {});
  if (rest.length > 1) throw tooMany(rest[1]!);
  // A full screen would hide what is printed before it.
  let note: string | undefined;
  const store = new ProgressStore(root, (text) => note = text[lang]);
  const lessons = await Promise.all(
    (await lessonSlugs(root)).map((slug) => readLesson(root, slug)),
  );
  const { last } = await store.read();
  const lesson = rest[0] === undefined
    ? lessonToDo(lessons, await store.states(lessons), last?.lesson)
    : await findLesson(root, wholeNumber(rest[0], "start", 1));
  if (!lesson) {
    if (note) console.error(note);
    const screen = standardScreen();
    const done = lang === "ko"
      ? "모든 강을 마쳤습니다. 한 강을 다시 하려면: deno task start N"
      : "All lessons are done. To do one again: deno task start N";
    console.log((await listLines({ root, store, lang, screen })).join("\n"));
    console.log(wrap(done, screen.columns).join("\n"));
    return 0;
  }
  const target = { path: `${root}/lessons`, label: "lessons" };
  return await runSession({
    root,
    lesson,
    target,
    tasks: undefined,
    seed: undefined,
    lang,
    goesOn: true,
    note,
  });
}
