/**
 * Somebody learns alone: a lesson is watched, each save is graded, and there is always one thing to do next.
 *
 * On a terminal with a screen and keys; elsewhere in lines, one grading after the other.
 *
 * @module
 */

import { takeHint, viewHint } from "../commands/hint.ts";
import { listLines } from "../commands/list.ts";
import { maySee, notYet, solutionLines } from "../commands/solution.ts";
import {
  inLang,
  type LessonInfo,
  lessonSlugs,
  type MistakeInfo,
  readLesson,
  readMistakes,
  readOpening,
  readTaskText,
  readText,
} from "../course.ts";
import { CommandError } from "../errors.ts";
import { type LessonState, ProgressStore } from "../progress.ts";
import { SUITE_ENV } from "../records.ts";
import type { LessonResult, TaskResult } from "../result.ts";
import { fit, paint, type Screen, standardScreen, wrap } from "../terminal.ts";
import type { Lang, Text } from "../text.ts";
import { type TypeErrors, viewTypeErrors } from "../type_errors.ts";
import { FolderWatch } from "./files.ts";
import { type Frame, FullScreen, furthest, isInteractive } from "./full_screen.ts";
import { Grader } from "./grading.ts";
import { type Key, readKeys } from "./keys.ts";
import {
  isUnwritten,
  type LessonText,
  taskToShow,
  viewBeginning,
  viewDone,
  viewKeys,
  viewScore,
  viewTaskText,
  viewTitle,
  viewVerdict,
} from "./view.ts";

/** What is watched. */
export interface SessionRequest {
  root: string;
  lesson: LessonInfo;
  target: { path: string; label: string };
  /** Only these tasks. */
  tasks: number[] | undefined;
  seed: number | undefined;
  lang: Lang;
  /** Whether it goes on with the next lesson when one is done. */
  goesOn: boolean;
  /** What the learner has to know from the beginning, where it can be seen. */
  note?: string | undefined;
}

/** What a shell expects of a program that a signal ended: 128 and its number. */
const ENDED_BY = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
const STATUS = { pass: 0, fail: 1, error: 2 } as const;
/** A grading that is over sooner than this leaves the last picture until then, in milliseconds. */
const STEADY_MS = 400;
/** Sizes that come while a window is drawn larger are drawn once, in milliseconds. */
const RESIZE_MS = 20;

/** Watches until somebody ends it. Returns the exit status: that of the last grading, or what a signal stands for. */
export async function runSession(request: SessionRequest): Promise<number> {
  const session = isInteractive() ? new TerminalSession(request) : new LineSession(request);
  return await session.run();
}

/** What both kinds of session have: a lesson, its watcher, and what is known of it. */
abstract class Session {
  protected readonly request: SessionRequest;
  protected readonly lang: Lang;
  protected readonly store: ProgressStore;
  protected lesson: LessonInfo;
  protected text!: LessonText;
  protected results = new Map<number, TaskResult>();
  protected result: LessonResult | undefined;
  protected types: TypeErrors | undefined;
  /** Set once the lesson is done and that is on disk. */
  protected done:
    | { state: LessonState; mistakes: Map<string, MistakeInfo>; next: LessonInfo | undefined }
    | undefined;
  /** Settles, and never rejects, when the last verdict is on disk: hints, the list and the solution go by that. */
  protected noted: Promise<void> = Promise.resolve();
  #grader: Grader | undefined;
  #watch: FolderWatch | undefined;
  readonly #ended = Promise.withResolvers<number>();
  readonly #tidy: (() => void)[] = [];

  constructor(request: SessionRequest) {
    this.request = request;
    this.lang = request.lang;
    this.lesson = request.lesson;
    this.store = new ProgressStore(request.root, (text) => this.say(text[this.lang]));
  }

  async run(): Promise<number> {
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      this.onSignal(name, () => this.end(ENDED_BY[name]));
    }
    try {
      this.begin();
      await this.open(this.lesson);
      if (this.request.note) this.say(this.request.note);
      return await this.#ended.promise;
    } finally {
      // First the screen: whatever comes of the rest, the terminal is as it was.
      this.finish();
      await this.#close();
      await this.noted;
      for (const tidy of this.#tidy.splice(0)) tidy();
      this.farewell();
    }
  }

  /** Ends the session. */
  protected end(status: number): void {
    this.#ended.resolve(status);
  }

  /** The exit status if it ends now. */
  protected get status(): number {
    return this.result ? STATUS[this.result.status] : 0;
  }

  protected onSignal(name: Deno.Signal, run: () => void): void {
    try {
      Deno.addSignalListener(name, run);
      this.#tidy.push(() => Deno.removeSignalListener(name, run));
    } catch {
      // This system has no such signal.
    }
  }

  /** Whether what is graded is the learner's own lesson, as a whole: it counts. */
  protected get isOwn(): boolean {
    return this.request.target.path === `${this.request.root}/lessons`;
  }

  protected get isWhole(): boolean {
    return this.isOwn && this.request.tasks === undefined;
  }

  /** Goes to a lesson: reads its text, watches its folder, grades it. */
  protected async open(lesson: LessonInfo): Promise<void> {
    await this.#close();
    const { root, target, tasks, seed, lang } = this.request;
    const readme = await readText(`${root}/lessons/${lesson.slug}/${inLang("README.md", lang)}`)
      .catch(() => "");
    this.lesson = lesson;
    this.text = {
      lesson,
      label: `${target.label}/${lesson.slug}/exercise.ts`,
      opening: readOpening(readme),
      tasks: new Map(lesson.tasks.map(({ task }) => [task, readTaskText(readme, task)])),
    };
    this.results = new Map();
    this.result = undefined;
    this.types = undefined;
    this.done = undefined;
    const importMap = Deno.env.get(SUITE_ENV.importMap);
    const grader = new Grader({ root, lesson, target, tasks, seed, lang, importMap }, {
      begun: () => this.begun(),
      taskGraded: (task) => this.taskGraded(task),
      graded: (result) => {
        this.result = result;
        this.results = new Map(result.tasks.map((task) => [task.task, task]));
        this.types = undefined;
        this.done = undefined;
        this.graded();
        this.noted = this.#afterwards(result);
      },
      checked: (found) => {
        this.types = found;
        this.checked();
      },
      failed: (error) => this.say(error instanceof Error ? error.message : String(error)),
    });
    this.#grader = grader;
    this.#watch = new FolderWatch(`${target.path}/${lesson.slug}`, () => {
      this.saved();
      grader.start();
    });
    this.opened();
    grader.start();
  }

  /** Grades what is there, saved or not. */
  protected again(): void {
    this.#watch?.settle();
    this.#grader?.start();
  }

  async #close(): Promise<void> {
    this.#watch?.close();
    await this.#grader?.close();
  }

  /** Notes a verdict; when the lesson is done, finds what comes next. */
  async #afterwards(result: LessonResult): Promise<void> {
    if (!this.isOwn || result.status === "error") return;
    const { root } = this.request;
    try {
      await this.store.record(this.lesson, result);
      if (result.status !== "pass" || !this.isWhole) return;
      const [state, mistakes, next] = await Promise.all([
        this.store.state(this.lesson),
        readMistakes(root, this.lesson.slug),
        this.#nextLesson(),
      ]);
      if (this.result !== result) return;
      this.done = { state, mistakes, next };
      this.lessonDone();
    } catch (error) {
      this.say(error instanceof Error ? error.message : String(error));
    }
  }

  /** The next lesson that is not done, first of those that follow. */
  async #nextLesson(): Promise<LessonInfo | undefined> {
    const { root } = this.request;
    const lessons = await Promise.all((await lessonSlugs(root)).map((s) => readLesson(root, s)));
    const states = await this.store.states(lessons);
    const open = lessons.filter(({ slug }, i) => !states[i]!.done && slug !== this.lesson.slug);
    return open.find(({ number }) => number > this.lesson.number) ?? open[0];
  }

  /** What is said of the next lesson; `how` is what to do for it. */
  protected nextText(how: Text): Text {
    const next = this.done?.next;
    if (!next) {
      return {
        en: "That was the last lesson: all of them are done.",
        ko: "마지막 강이었습니다. 모든 강을 마쳤습니다.",
      };
    }
    return {
      en: `Next is lesson ${next.number}, ${next.title.en}: ${how.en}`,
      ko: `다음은 ${next.number}강 "${next.title.ko}"입니다: ${how.ko}`,
    };
  }

  /** Takes hold of what it shows things on. */
  protected abstract begin(): void;
  /** Gives it back. Also called when it was never taken. */
  protected abstract finish(): void;
  /** Says the last words, when nothing goes on any more. */
  protected abstract farewell(): void;
  protected abstract say(sentence: string): void;
  protected abstract opened(): void;
  protected abstract saved(): void;
  protected abstract begun(): void;
  protected abstract taskGraded(task: TaskResult): void;
  protected abstract graded(): void;
  protected abstract lessonDone(): void;
  protected abstract checked(): void;
}

const WAITING: Text = {
  en: "Waiting for the next save. Ctrl-C ends this.",
  ko: "다음 저장을 기다립니다. 끝내려면 Ctrl-C를 누르세요.",
};

/** A session in lines, for a pipe, a file, or a terminal that cannot do more. */
class LineSession extends Session {
  #gradings = 0;

  protected begin(): void {}
  protected finish(): void {}
  protected farewell(): void {}

  protected say(sentence: string): void {
    console.error(sentence);
  }

  protected opened(): void {
    if (!this.isWhole) return;
    const setting = { screen: standardScreen(), lang: this.lang };
    this.#print(["", ...viewBeginning(this.text, this.lesson.tasks[0]?.task, setting)]);
  }

  protected saved(): void {}
  protected begun(): void {}
  protected taskGraded(): void {}

  protected graded(): void {
    const screen = standardScreen();
    const setting = { screen, lang: this.lang };
    const { results, request } = this;
    this.#gradings++;
    // Right after the beginning there is nothing more to say of a lesson that is not begun.
    const isNews = this.#gradings > 1 || !this.isWhole || !isUnwritten(this.lesson.tasks, results);
    this.#print([
      ...(isNews ? ["", ...viewVerdict(this.text, { results, told: request.tasks }, setting)] : []),
      "",
      viewScore(this.result!, setting),
      ...(this.result!.message ? wrap(this.result!.message, screen.columns) : []),
      // A lesson that is done says more first.
      ...(this.isWhole && this.result!.status === "pass" ? [] : this.#waiting(screen)),
    ]);
  }

  #waiting(screen: Screen): string[] {
    return wrap(WAITING[this.lang], screen.columns).map((line) => paint(screen, "dim", line));
  }

  protected lessonDone(): void {
    const screen = standardScreen();
    const setting = { screen, lang: this.lang };
    const { state, mistakes } = this.done!;
    const { number } = this.lesson;
    const compare = `deno task solution ${number}`;
    this.#print([
      "",
      ...viewDone(this.text, {
        results: this.results,
        state,
        mistakes,
        compare: { en: compare, ko: compare },
        nextLesson: this.nextText({ en: "deno task start", ko: "deno task start" }),
      }, setting).slice(viewTitle(this.text, setting).length + 1),
      ...this.#waiting(screen),
    ]);
  }

  protected checked(): void {
    const report = viewTypeErrors(this.types!, { screen: standardScreen(), lang: this.lang });
    if (report) console.log(report);
  }

  #print(lines: string[]): void {
    console.log(lines.join("\n"));
  }
}

const KEY_NAMES = {
  next: { en: "next lesson", ko: "다음 강" },
  nextTask: { en: "next task", ko: "다음 Task" },
  hint: { en: "hint", ko: "힌트" },
  nextHint: { en: "next hint", ko: "다음 힌트" },
  list: { en: "list", ko: "목록" },
  text: { en: "task text", ko: "과제 글" },
  again: { en: "run again", ko: "다시 채점" },
  quit: { en: "quit", ko: "끝내기" },
  solution: { en: "compare with the model", ko: "모범 답안과 비교" },
  back: { en: "back", ko: "돌아가기" },
} satisfies Record<string, Text>;

/** A page in front of the verdict. */
interface Page {
  name: "hint" | "list" | "solution" | "text";
  view: (screen: Screen) => string[] | Promise<string[]>;
  lines: string[];
  columns: number;
}

/** A session on a terminal. */
class TerminalSession extends Session {
  readonly #screen = new FullScreen();
  #fresh: Map<number, TaskResult> | undefined;
  #gradingSince: number | undefined;
  #focus: number | undefined;
  #page: Page | undefined;
  #note = "";
  #from = 0;
  #furthest = 0;
  #timers = new Set<ReturnType<typeof setTimeout>>();
  #resize: ReturnType<typeof setTimeout> | undefined;
  readonly #onFault = (event: ErrorEvent | PromiseRejectionEvent) => {
    event.preventDefault();
    this.#screen.leave();
    const reason = "reason" in event ? event.reason : event.error;
    const text = reason instanceof Error ? `${reason.name}: ${reason.message}` : String(reason);
    console.error(
      this.lang === "ko"
        ? `워크북에서 예상하지 못한 오류가 났습니다: ${text}`
        : `The workbook met an error it did not expect: ${text}`,
    );
    if (Deno.env.get("WORKBOOK_DEBUG")) console.error(reason);
    this.end(2);
  };
  readonly #leave = () => this.#screen.leave();

  protected begin(): void {
    addEventListener("error", this.#onFault);
    addEventListener("unhandledrejection", this.#onFault);
    addEventListener("unload", this.#leave);
    this.onSignal("SIGWINCH", () => {
      clearTimeout(this.#resize);
      this.#resize = setTimeout(() => this.#draw(), RESIZE_MS);
    });
    this.onSignal("SIGCONT", () => this.#wakeUp());
    this.#screen.enter();
    this.#readKeys();
  }

  protected finish(): void {
    clearTimeout(this.#resize);
    for (const timer of this.#timers) clearTimeout(timer);
    this.#screen.leave();
    removeEventListener("error", this.#onFault);
    removeEventListener("unhandledrejection", this.#onFault);
    removeEventListener("unload", this.#leave);
  }

  protected farewell(): void {
    if (!this.result) return;
    const setting = { screen: standardScreen(), lang: this.lang };
    const { number } = this.lesson;
    const name = this.lang === "ko" ? `${number}강: ` : `Lesson ${number}: `;
    const isLast = this.done !== undefined && !this.done.next;
    const goOn = { en: "To go on: deno task start", ko: "이어서 하기: deno task start" };
    const last = (isLast ? this.nextText(goOn) : goOn)[this.lang];
    const again = this.request.goesOn ? wrap(last, setting.screen.columns) : [];
    console.log([`${name}${viewScore(this.result, setting)}`, ...again].join("\n"));
  }

  protected say(sentence: string): void {
    this.#note = sentence;
    this.#draw();
  }

  protected opened(): void {
    this.#fresh = undefined;
    this.#gradingSince = undefined;
    this.#focus = undefined;
    this.#page = undefined;
    this.#note = "";
    this.#from = 0;
    this.#draw();
  }

  protected saved(): void {
    this.#page = undefined;
    this.#note = "";
  }

  protected begun(): void {
    this.#fresh = new Map();
    this.#gradingSince ??= performance.now();
    this.#after(STEADY_MS + 1, () => this.#draw());
    this.#draw();
  }

  protected taskGraded(task: TaskResult): void {
    this.#fresh?.set(task.task, task);
    this.#draw();
  }

  protected graded(): void {
    this.#fresh = undefined;
    this.#gradingSince = undefined;
    const focused = this.#focus === undefined ? undefined : this.results.get(this.#focus);
    if (!focused || focused.status === "pass") this.#focus = undefined;
    this.#draw();
  }

  protected lessonDone(): void {
    this.#from = 0;
    this.#draw();
  }

  protected checked(): void {
    this.#draw();
  }

  #after(ms: number, run: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, ms);
    this.#timers.add(timer);
  }

  /** After a stop, the terminal is as the shell left it, and a grading has lost its sense of time. */
  #wakeUp(): void {
    this.#screen.retake();
    if (this.#gradingSince !== undefined) this.again();
    this.#draw();
  }

  async #readKeys(): Promise<void> {
    const bytes = new Uint8Array(1024);
    const decoder = new TextDecoder();
    try {
      for (;;) {
        const count = await Deno.stdin.read(bytes);
        // The terminal has gone.
        if (count === null) break;
        const text = decoder.decode(bytes.subarray(0, count), { stream: true });
        for (const key of readKeys(text)) this.#press(key);
      }
    } catch {
      // So it has, too.
    }
    this.end(ENDED_BY.SIGHUP);
  }

  #press(key: Key): void {
    const rows = Math.max(1, this.#screen.screen.rows - 3);
    switch (key) {
      case "interrupt":
        return this.end(ENDED_BY.SIGINT);
      case "quit":
        return this.#page ? this.#back() : this.end(this.request.goesOn ? 0 : this.status);
      case "suspend":
        return this.#screen.suspend();
      case "redraw":
        this.#screen.forget();
        return this.#draw();
      case "back":
        return this.#back();
      case "down":
        return this.#scroll(1);
      case "up":
        return this.#scroll(-1);
      case "pageDown":
        return this.#scroll(rows);
      case "pageUp":
        return this.#scroll(-rows);
      case "top":
        return this.#scroll(-Infinity);
      case "bottom":
        return this.#scroll(Infinity);
      case "again":
        this.#page = undefined;
        this.#note = "";
        return this.again();
      case "next":
        return this.#next();
      case "hint":
        return this.#attempt(() => this.#hint());
      case "list":
        return this.#attempt(() => this.#list());
      case "text":
        return this.#attempt(() => this.#taskText());
      case "solution":
        return this.#attempt(() => this.#solution());
    }
  }

  #scroll(by: number): void {
    this.#from = Math.max(0, Math.min(this.#furthest, this.#from + by));
    this.#draw();
  }

  #back(): void {
    this.#page = undefined;
    this.#note = "";
    this.#from = 0;
    this.#draw();
  }

  #attempt(run: () => Promise<void>): void {
    run().catch((error) => {
      this.say(
        error instanceof CommandError
          ? error.sentence[this.lang]
          : error instanceof Error
          ? error.message
          : String(error),
      );
    });
  }

  #next(): void {
    this.#page = undefined;
    this.#note = "";
    this.#from = 0;
    if (this.done) {
      const { next } = this.done;
      if (next && this.request.goesOn) return this.#attempt(() => this.open(next));
      this.#note = this.nextText({ en: "deno task start", ko: "deno task start" })[this.lang];
      return this.#draw();
    }
    const failing = this.#failing();
    const at = failing.indexOf(this.#shown ?? 0);
    this.#focus = failing[(at + 1) % failing.length];
    this.#draw();
  }

  #failing(): number[] {
    return this.lesson.tasks.map(({ task }) => task).filter((task) => {
      const status = this.results.get(task)?.status;
      return status !== undefined && status !== "pass";
    });
  }

  /** The task that is told of in full. */
  get #shown(): number | undefined {
    return this.#focus ?? taskToShow(this.lesson, this.results);
  }

  async #open(name: Page["name"], view: Page["view"]): Promise<void> {
    const { screen } = this.#screen;
    const lesson = this.lesson;
    const page = { name, view, columns: screen.columns, lines: await view(screen) };
    if (lesson !== this.lesson) return;
    this.#page = page;
    this.#note = "";
    this.#from = 0;
    this.#draw();
  }

  async #hint(): Promise<void> {
    const { root, lang } = this.request;
    const { lesson, store } = this;
    const nextStep = "h";
    await this.noted;
    const hint = await takeHint({ root, lesson, task: this.#shown, lang, store, nextStep });
    await this.#open("hint", (screen) => viewHint(hint, screen));
  }

  async #list(): Promise<void> {
    const { root, lang } = this.request;
    const { store } = this;
    await this.noted;
    await this.#open("list", (screen) => listLines({ root, store, lang, screen }));
  }

  async #taskText(): Promise<void> {
    const { text, lang } = this;
    const task = this.#shown ?? this.lesson.tasks[0]?.task ?? 1;
    const readme = `lessons/${this.lesson.slug}/${lang === "ko" ? "README.ko.md" : "README.md"}`;
    const where = lang === "ko" ? `강의 글: ${readme}` : `The whole lesson: ${readme}`;
    await this.#open("text", (screen) => [
      ...viewTaskText(text, task, { screen, lang }),
      ...wrap(where, screen.columns).map((line) => paint(screen, "dim", line)),
    ]);
  }

  async #solution(): Promise<void> {
    const { root, lang } = this.request;
    const { lesson } = this;
    await this.noted;
    if (!this.done && !await maySee(lesson, this.store)) {
      return this.say(notYet(lesson, "s")[lang]);
    }
    await this.#open("solution", (screen) => solutionLines({ root, lesson, lang, screen }));
  }

  /** Makes the picture of how things stand. */
  #draw(): void {
    const { screen } = this.#screen;
    if (this.#page && this.#page.columns !== screen.columns) this.#widen(this.#page, screen);
    const frame: Frame = { body: this.#body(screen), footer: [] };
    frame.footer = this.#footer(screen, frame.body);
    this.#furthest = furthest(frame, screen.rows);
    this.#from = Math.min(this.#from, this.#furthest);
    this.#screen.draw(frame, this.#from);
  }

  #widen(page: Page, screen: Screen): void {
    page.columns = screen.columns;
    this.#attempt(async () => {
      page.lines = await page.view(screen);
      if (this.#page === page) this.#draw();
    });
  }

  /** What is known now: while a grading is young, what was known before it. */
  get #known(): Map<number, TaskResult> {
    const since = this.#gradingSince;
    const isOld = since !== undefined && performance.now() - since >= STEADY_MS;
    return isOld && this.#fresh ? this.#fresh : this.results;
  }

  #body(screen: Screen): string[] {
    if (this.#page) return this.#page.lines;
    const setting = { screen, lang: this.lang };
    const results = this.#known;
    if (this.done && results === this.results) {
      const { state, mistakes } = this.done;
      return viewDone(this.text, {
        results,
        state,
        mistakes,
        compare: { en: "s", ko: "s" },
        nextLesson: this.nextText(
          this.request.goesOn
            ? { en: "n", ko: "n" }
            : { en: "deno task start", ko: "deno task start" },
        ),
      }, setting);
    }
    if (this.isWhole && this.#isBeginning(results)) {
      return viewBeginning(this.text, this.#focus ?? this.lesson.tasks[0]?.task, setting);
    }
    const told = this.request.tasks;
    const types = this.types && this.#gradingSince === undefined
      ? viewTypeErrors(this.types, setting).split("\n")
      : [];
    return [...viewVerdict(this.text, { results, focus: this.#focus, told }, setting), ...types];
  }

  /** Whether nothing has been written, as far as is known. */
  #isBeginning(results: Map<number, TaskResult>): boolean {
    const before = this.result ? isUnwritten(this.lesson.tasks, this.results) : true;
    const graded = this.lesson.tasks.filter(({ task }) => results.has(task));
    return before && isUnwritten(graded, results);
  }

  #footer(screen: Screen & { rows: number }, body: string[]): string[] {
    const keys = this.#keys();
    const lines = [this.#statusLine(screen)];
    const note = this.#note || (this.#gradingSince === undefined && this.result?.message) || "";
    if (note) lines.push(...wrap(note, screen.columns).map((line) => paint(screen, "warn", line)));
    const settled = { screen, lang: this.lang };
    const all = [...lines, ...viewKeys(keys, settled)];
    const left = body.length - this.#from - Math.max(0, screen.rows - all.length);
    if (left <= 0) return all;
    const more: [string, Text] = [
      "↓ space",
      { en: left === 1 ? "1 more line" : `${left} more lines`, ko: `${left}줄 더` },
    ];
    return [...lines, ...viewKeys([more, ...keys], settled)];
  }

  #statusLine(screen: Screen): string {
    if (this.#gradingSince !== undefined) {
      const graded = this.request.tasks ?? this.lesson.tasks.map(({ task }) => task);
      const next = graded.find((task) => !this.#fresh?.has(task)) ?? graded.at(-1);
      const text = this.lang === "ko" ? `… Task ${next} 채점 중` : `… grading task ${next}`;
      return paint(screen, "accent", fit(text, screen.columns));
    }
    return this.result ? viewScore(this.result, { screen, lang: this.lang }) : "";
  }

  #keys(): [string, Text][] {
    const quit: [string, Text] = ["q", KEY_NAMES.quit];
    if (this.#page) {
      return this.#page.name === "hint"
        ? [["h", KEY_NAMES.nextHint], ["q", KEY_NAMES.back]]
        : [["q", KEY_NAMES.back]];
    }
    if (this.done) {
      return [
        ...(this.done.next && this.request.goesOn ? [["n", KEY_NAMES.next] as [string, Text]] : []),
        ["s", KEY_NAMES.solution],
        ["l", KEY_NAMES.list],
        ["r", KEY_NAMES.again],
        quit,
      ];
    }
    return [
      ["h", KEY_NAMES.hint],
      ...(this.#failing().length > 1 ? [["n", KEY_NAMES.nextTask] as [string, Text]] : []),
      ["t", KEY_NAMES.text],
      ["l", KEY_NAMES.list],
      ["r", KEY_NAMES.again],
      quit,
    ];
  }
}
