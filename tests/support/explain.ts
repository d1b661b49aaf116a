/**
 * Says in the learner's terms what became of their code: what it threw, what it waits for, how it ended.
 *
 * @module
 */

import {
  type ChildState,
  OUTPUT_LOST,
  type PendingCall,
  type WireError,
  type WireValue,
} from "../../workbook/protocol.ts";
import { join, same, type Text } from "../../workbook/text.ts";
import { type ChildEnd, FLOOD_MIB } from "./child.ts";
import { type FailureFacts, TaskFailure } from "./failure.ts";
import { withShortPaths } from "./shown_paths.ts";
import { showAddr } from "./transcript.ts";
import { decodeValue, Remote, RemoteError, Unshown } from "./wire.ts";

/** The file that is graded, as the learner knows it. */
export interface ExerciseFile {
  /** E.g. `lessons/01_create_bind/exercise.ts`. */
  label: string;
  /** Its text; empty if there is none. */
  source: string;
}

/** Line of the stub's marker for `task`, 1-based; 0 if it is gone. */
function todoLine({ source }: ExerciseFile, task: number): number {
  return source.split("\n").findIndex((line) => line.includes(`TODO(task ${task})`)) + 1;
}

function at(error: WireError): string {
  return error.at ? ` (${error.at})` : "";
}

/** `TypeError: x is not a function (exercise.ts:3:7)`. */
export function showError(error: WireError): string {
  if (error.thrown) return showValue(decodeValue(error.thrown));
  // Where the stack happened to be full says nothing.
  const where = error.message.includes("call stack") ? "" : at(error);
  return withShortPaths(`${error.name}: ${error.message}${where}`);
}

/** A value as it is shown to the learner. */
export function showValue(value: unknown): string {
  if (value instanceof Remote) {
    const where = value.addr ? ` ${showAddr(value.addr)}` : "";
    return value.kind === "object" || value.kind === "function"
      ? `object of class ${value.className}`
      : `Deno.${value.className === "Listener" ? "Listener" : value.className}${where}${
        value.closed ? " (closed)" : ""
      }`;
  }
  if (value instanceof RemoteError) return showError(value.wire);
  if (value instanceof Unshown) return value.text;
  if (value instanceof Uint8Array) return `Uint8Array(${value.length})`;
  if (typeof value === "string") return withShortPaths(JSON.stringify(value));
  const options = { depth: 4, breakLength: Infinity, compact: true };
  return withShortPaths(Deno.inspect(withRemotesShown(value), options));
}

function withRemotesShown(value: unknown): unknown {
  if (value instanceof Remote || value instanceof RemoteError || value instanceof Unshown) {
    return { [Symbol.for("Deno.customInspect")]: () => showValue(value) };
  }
  if (Array.isArray(value)) return value.map(withRemotesShown);
  if (typeof value === "object" && value !== null && !(value instanceof Uint8Array)) {
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, withRemotesShown(v)]));
  }
  return value;
}

const PERMISSION = /Requires (\w+) access(?: to "?([^",]*)"?)?/;

/** What Deno refused, if that is what the error is. */
export function refusal(error: WireError): { text: Text; mistake?: string } | undefined {
  const [, kind, what = ""] = PERMISSION.exec(error.message) ?? [];
  if (!kind || !["NotCapable", "TypeError"].includes(error.name)) return undefined;
  const place = at(error);
  switch (kind) {
    case "net":
      return {
        text: {
          en: `the network address ${what}${place}: exercises use the loopback network only`,
          ko: `네트워크 주소 ${what}${place}: 과제는 루프백(loopback) 안에서만 통신합니다`,
        },
        ...(/^(0\.0\.0\.0|\[?::\]?):/.test(what) && { mistake: "every-interface" }),
      };
    case "env":
      return {
        text: {
          en: `an environment variable${
            what ? ` (${what})` : ""
          }${place}: exercises may not read any`,
          ko: `환경 변수${what ? `(${what})` : ""}${place}: 과제에서는 읽을 수 없습니다`,
        },
      };
    case "read":
    case "write":
      return {
        text: {
          en: `the file system${place}: exercises may not use files outside their own folder`,
          ko: `파일 시스템${place}: 과제는 자기 폴더 밖의 파일을 쓸 수 없습니다`,
        },
      };
    default:
      return {
        text: {
          en: `${kind} access${place}: exercises have the loopback network and nothing else`,
          ko: `${kind} 권한${place}: 과제에는 루프백 네트워크만 허용됩니다`,
        },
      };
  }
}

/** Errors that say nothing of sockets: slips in the code, or something thrown that is no Error. */
export function isSlip({ classes, message }: WireError): boolean {
  return classes.length === 0 ||
    ["ReferenceError", "SyntaxError"].some((c) => classes.includes(c)) ||
    /call stack|is not a (function|constructor)|is not iterable|Cannot (read|set) properties/
      .test(message);
}

/** The failure of a call that threw where it should have returned. */
export function threw(
  call: string,
  error: WireError,
  { file, task, expected }: { file: ExerciseFile; task: number; expected?: Text | undefined },
): TaskFailure {
  if (!error.thrown && error.message.startsWith("Not implemented")) {
    return notWritten(call, file, task);
  }
  const kind = isSlip(error) ? "slip" : "threw";
  const facts: FailureFacts = { kind, ...(expected && { expected }) };
  if (/Array buffer allocation failed/.test(error.message)) {
    return new TaskFailure({ kind: "ended", expected: callEnds(call), received: OUT_OF_MEMORY });
  }
  const refused = refusal(error);
  if (refused) {
    return new TaskFailure({
      ...facts,
      kind: "refused",
      mistake: refused.mistake,
      received: join([
        { en: `${call} asked for `, ko: `${call} 호출이 요청한 것: ` },
        refused.text,
      ]),
    });
  }
  if (error.thrown) {
    const shown = showError(error);
    return new TaskFailure({
      ...facts,
      received: {
        en: `${call} threw ${shown}, which is not an Error`,
        ko: `${call} 호출이 Error가 아닌 값을 던졌습니다(throw): ${shown}`,
      },
    });
  }
  return new TaskFailure({
    ...facts,
    received: {
      en: `${call} threw ${showError(error)}`,
      ko: `${call} 호출이 오류를 던졌습니다(throw): ${showError(error)}`,
    },
  });
}

/** The failure of a function that is still the stub's. */
function notWritten(call: string, file: ExerciseFile, task: number): TaskFailure {
  const line = todoLine(file, task);
  const place = line > 0 ? `${file.label}:${line}` : file.label;
  const name = call.replace(/\(.*$/s, "()");
  return new TaskFailure({
    kind: "missing",
    received: {
      en: `${name} is not written yet: look for TODO(task ${task}) in ${place}`,
      ko: `${name} 함수를 아직 작성하지 않았습니다: ${place} 의 TODO(task ${task})를 보세요`,
    },
  });
}

/** The failure of an exercise that lacks a function, or has something else under its name. */
export function notExported(
  name: string,
  exports: { name: string; type: string }[],
  file: ExerciseFile,
): TaskFailure {
  const found = exports.find((e) => e.name === name);
  const expected: Text = {
    en: `${file.label} exports a function ${name}()`,
    ko: `${file.label} 에서 함수 ${name}()을 내보냄(export)`,
  };
  if (found) {
    return new TaskFailure({
      kind: "missing",
      expected,
      received: {
        en: `${name} is not a function: typeof ${name} is "${found.type}"`,
        ko: `${name} 이름의 것이 함수가 아닙니다: typeof ${name} === "${found.type}"`,
      },
    });
  }
  if (file.source.trim() === "") {
    return new TaskFailure({
      kind: "absent",
      expected: { en: `${file.label} has code`, ko: `${file.label} 에 코드가 있음` },
      received: { en: "the file is empty", ko: "파일이 비어 있습니다" },
      notes: [bringBack(file.label)],
    });
  }
  const close = closest(name, exports.filter((e) => e.type === "function").map((e) => e.name));
  const declared = new RegExp(`\\b(function\\*?|class|const|let|var)\\s+${name}\\b`).test(
    file.source,
  );
  return new TaskFailure({
    kind: "missing",
    expected,
    received: declared
      ? {
        en: `${name} is there but not exported`,
        ko: `${name} 함수가 있지만 export되지 않았습니다`,
      }
      : close
      ? {
        en: `no ${name}, but ${close}: is the name misspelt?`,
        ko: `${name} 함수는 없고 ${close} 함수가 있습니다: 이름을 잘못 쓴 것은 아닌지 보세요`,
      }
      : exports.length === 0
      ? { en: "the file exports nothing", ko: "파일이 아무것도 export하지 않습니다" }
      : {
        en: `exports are ${exports.map((e) => e.name).join(", ")}`,
        ko: `export된 것: ${exports.map((e) => e.name).join(", ")}`,
      },
    notes: declared
      ? [{ en: `Write export before ${name}.`, ko: `${name} 앞에 export를 붙이세요.` }]
      : [],
  });
}

/** How the stub comes back: where it is the learner's own, by a command. */
function bringBack(label: string): Text {
  const number = Number(/^lessons\/(\d\d)_/.exec(label)?.[1] ?? 0);
  return number > 0
    ? {
      en: `The stub comes back with: deno task reset ${number}`,
      ko: `처음 파일 되찾기: deno task reset ${number}`,
    }
    : {
      en: "The stub is in the course's own copy of the file, under tests/stubs/.",
      ko: "처음 파일은 강의 자료의 tests/stubs/ 폴더에 있습니다.",
    };
}

/** The failure of an exercise that is not there. */
export function absent(file: ExerciseFile): TaskFailure {
  return new TaskFailure({
    kind: "absent",
    expected: { en: `a file ${file.label}`, ko: `파일 ${file.label}` },
    received: { en: "there is no such file", ko: "그런 파일이 없습니다" },
    notes: [bringBack(file.label)],
  });
}

/** The name that is most like `name`, if one is alike enough to be a slip of the keyboard. */
function closest(name: string, names: string[]): string | undefined {
  const [best] = names.map((other) => ({ other, far: distance(other, name) }))
    .filter(({ far }) => far <= MOST_SLIPS).sort((a, b) => a.far - b.far);
  return best?.other;
}

const MOST_SLIPS = 3;

/** Edit distance, for misspelt names. */
function distance(a: string, b: string): number {
  const [x, y] = [a.toLowerCase(), b.toLowerCase()];
  let row = Array.from({ length: y.length + 1 }, (_, i) => i);
  for (let i = 1; i <= x.length; i++) {
    const next = [i];
    for (let j = 1; j <= y.length; j++) {
      const change = row[j - 1]! + (x[i - 1] === y[j - 1] ? 0 : 1);
      next[j] = Math.min(change, row[j]! + 1, next[j - 1]! + 1);
    }
    row = next;
  }
  return row[y.length]!;
}

/** The failure of an exercise that could not be loaded. */
export function notLoaded(error: WireError, file: ExerciseFile): TaskFailure {
  const expected: Text = {
    en: `${file.label} can be loaded`,
    ko: `${file.label} 를 불러올 수 있음`,
  };
  const { message } = error;
  const outside = /Requires (read|import) access/.test(message) ||
    (error.name === "TypeError" &&
      /Module not found|not found in cache|Unsupported scheme|npm package|not a dependency|Failed loading/
        .test(message));
  if (
    /could not be parsed|Expected|SyntaxError/.test(`${error.name} ${message}`) &&
    /\.ts:\d+:\d+/.test(message)
  ) {
    const place = /([^/\s]+\.ts:\d+:\d+)/.exec(message)![1];
    const words = message.replace(/^The module's source code could not be parsed:\s*/, "")
      .replace(/ at file:\S+/, "").split("\n")[0]!;
    return new TaskFailure({
      kind: "syntax",
      expected,
      received: {
        en: `a syntax error at ${place}: ${words}`,
        ko: `${place} 에 문법 오류(syntax error): ${words}`,
      },
      notes: codeAt(file, place!),
    });
  }
  if (outside) {
    return new TaskFailure({
      kind: "import",
      expected,
      received: {
        en: `it imports what is not its own: ${importedAt(error, file)}${at(error)}`,
        ko: `자기 것이 아닌 것을 import합니다: ${importedAt(error, file)}${at(error)}`,
      },
      notes: [{
        en:
          "An exercise imports files of its own folder and the course's @std packages, nothing else.",
        ko: "과제 파일은 자기 폴더의 파일과 강의의 @std 패키지만 import할 수 있습니다.",
      }],
    });
  }
  const refused = refusal(error);
  return new TaskFailure({
    kind: "load",
    expected,
    received: refused
      ? join([
        { en: "while it was loaded it asked for ", ko: "불러오는 중에 요청함: " },
        refused.text,
      ])
      : {
        en: `it threw while it was loaded: ${showError(error)}`,
        ko: `불러오는 중에 오류를 던졌습니다(throw): ${showError(error)}`,
      },
    notes: error.at ? codeAt(file, error.at) : [],
  });
}

/** Of a line that is longer, only the beginning is searched: it may be made to be searched without end. */
const MAX_SEARCHED = 1_000;

/** The specifier in the line at which an import failed; failing that, the file that was meant. */
function importedAt(error: WireError, { source }: ExerciseFile): string {
  const line = Number(/:(\d+):\d+$/.exec(error.at ?? "")?.[1] ?? 0);
  const code = source.split("\n")[line - 1]?.slice(0, MAX_SEARCHED) ?? "";
  const specifier = /(?:from|import)\s*\(?\s*(["'`])(.+?)\1/.exec(code);
  if (specifier) return specifier[2]!;
  const path = /"([^"]+)"/.exec(error.message)?.[1] ?? "";
  return path.split("/").slice(-2).join("/");
}

/** The line of code at `file:line:column`, with a mark under the column. */
function codeAt({ source }: ExerciseFile, place: string): Text[] {
  const [, line, column] = /:(\d+):(\d+)$/.exec(place) ?? [];
  const code = source.split("\n")[Number(line) - 1];
  if (code === undefined || code.length > 160) return [];
  return [same(`${line} | ${code}`), same(`${" ".repeat(line!.length + 2 + Number(column))}^`)];
}

const OUT_OF_MEMORY: Text = {
  en: "the program ran out of memory",
  ko: "프로그램의 메모리가 바닥났습니다",
};

/** What is expected of a call of which nothing else is known. */
export function callEnds(call: string): Text {
  return { en: `${call} ends`, ko: `${call} 호출이 끝남` };
}

/** The failure of a process that ended in the middle of a test. */
export function endedEarly(
  end: ChildEnd,
  { flooded, tampered, outOfMemory, outOfDescriptors }: {
    flooded: boolean;
    tampered: boolean;
    outOfMemory: boolean;
    outOfDescriptors: boolean;
  },
  expected: Text,
): TaskFailure {
  const received: Text = flooded
    ? {
      en: `more than ${FLOOD_MIB} MiB printed: the program was stopped`,
      ko: `${FLOOD_MIB} MiB가 넘게 출력했습니다: 프로그램을 멈췄습니다`,
    }
    : tampered
    ? {
      en: "the code changed what the workbook needs to hear it: built-ins have to be left alone",
      ko:
        "워크북이 코드의 응답을 듣는 데 필요한 것을 코드가 바꿨습니다. 내장 기능은 그대로 두어야 합니다",
    }
    : outOfMemory
    ? OUT_OF_MEMORY
    : outOfDescriptors
    ? {
      en: "the program opened so many sockets that the system gave it no more (file descriptors)",
      ko: "소켓을 너무 많이 열어 시스템이 더 내주지 않았습니다(파일 디스크립터)",
    }
    : end.code === OUTPUT_LOST
    ? {
      en: "the code closed standard output, on which the workbook listens to it",
      ko: "코드가 표준 출력을 닫았습니다. 워크북은 표준 출력으로 코드의 응답을 듣습니다",
    }
    : end.exitCall !== undefined
    ? {
      en: `the program ended itself: Deno.exit(${end.exitCall})`,
      ko: `프로그램이 스스로 종료했습니다: Deno.exit(${end.exitCall})`,
    }
    : end.signal
    ? {
      en: `the program was ended by the signal ${end.signal}`,
      ko: `프로그램이 신호 ${end.signal} 로 종료되었습니다`,
    }
    : {
      en: `the program ended with status ${end.code}`,
      ko: `프로그램이 종료 상태 ${end.code} 로 끝났습니다`,
    };
  const notes: Text[] = end.exitCall === undefined ? [] : [{
    en: "A function returns its result; ending the program also ends every socket it holds.",
    ko: "함수는 결과를 반환합니다. 프로그램을 끝내면 열려 있던 소켓도 모두 닫힙니다.",
  }];
  return new TaskFailure({ kind: "ended", expected: expected, received, notes });
}

/** Who has read so much from one look to the next has more to read; who has read less is sent a little now and then. */
const BUSY_BYTES = 100;

/** What of its connections a process was still reading from, with much more there than it could take in time. */
export function busyReading(before: ChildState | undefined, later: ChildState | undefined): Text[] {
  return (later?.open ?? []).flatMap(({ resource, remoteAddr, bytesRead }) => {
    const last = before?.open.find((socket) => socket.resource === resource)?.bytesRead ?? 0;
    if (bytesRead - last < BUSY_BYTES || !remoteAddr) return [];
    const from = showAddr(remoteAddr);
    return [{
      en: `still reading from ${from}: more keeps coming`,
      ko: `${from} 에서 아직 읽는 중: 계속 오고 있습니다`,
    }];
  });
}

/** What a process that did not get on in time was doing; `state` is undefined if it did not even answer. */
export function waitingFor(
  state: ChildState | undefined,
  { stopped = false }: { stopped?: boolean } = {},
): Text[] {
  if (!state && stopped) {
    return [{
      en: "the process has stopped itself by a signal, and does nothing",
      ko: "프로세스가 신호로 스스로를 정지시켜 아무것도 하지 않습니다",
    }];
  }
  if (!state) {
    return [{
      en: "the code runs without a pause: a loop without await lets nothing else happen",
      ko: "코드가 쉬지 않고 돌고 있습니다: await가 없는 반복문은 다른 일을 막습니다",
    }];
  }
  // What waits for somebody in particular first: a server's accept() and read() may always be pending.
  const calls = state.pending.filter((call) => call.byLearner)
    .toSorted((a, b) => rankOf(a.api) - rankOf(b.api));
  if (calls.length > 0) return distinct(calls.map(waitingIn)).slice(0, 3);
  const timer = Math.max(...state.timersMs, 0);
  if (timer > 0) {
    return [{
      en: `waiting for a timer of ${timer} ms; no socket call is pending`,
      ko: `${timer} ms 타이머를 기다리는 중입니다. 대기 중인 소켓 호출은 없습니다`,
    }];
  }
  return [{
    en: "waiting for a promise that nothing settles; no socket call is pending",
    ko:
      "아무도 끝내 주지 않는 프로미스(promise)를 기다리는 중입니다. 대기 중인 소켓 호출은 없습니다",
  }];
}

const TOLD_FIRST = ["connect", "write", "closeWrite", "read", "receive", "accept"];

function rankOf(api: string): number {
  const rank = TOLD_FIRST.indexOf(api);
  return rank < 0 ? TOLD_FIRST.length : rank;
}

function distinct(texts: Text[]): Text[] {
  return texts.filter((text, i) => texts.findIndex((t) => t.en === text.en) === i);
}

function waitingIn(call: PendingCall): Text {
  const from = call.remoteAddr ? ` ${showAddr(call.remoteAddr)}` : "";
  switch (call.api) {
    case "accept":
      return {
        en: "waiting in accept(): no client was accepted",
        ko: "accept()에서 대기 중: 수락된 클라이언트가 없습니다",
      };
    case "connect":
      return {
        en: `waiting in connect(): no answer from${from}`,
        ko: `connect()에서 대기 중:${from} 이 응답하지 않습니다`,
      };
    case "read":
      return {
        en: `waiting in read(): nothing more came from${from}`,
        ko: `read()에서 대기 중:${from} 에서 더 온 것이 없습니다`,
      };
    case "write":
      return {
        en: `waiting in write():${from} does not read`,
        ko: `write()에서 대기 중:${from} 이 읽지 않습니다`,
      };
    case "receive":
      return {
        en: "waiting in receive(): no datagram came",
        ko: "receive()에서 대기 중: 도착한 데이터그램이 없습니다",
      };
    default:
      return { en: `waiting in ${call.api}()`, ko: `${call.api}()에서 대기 중` };
  }
}

/** A rejection or error that no code of the learner's took care of. */
export function unhandled(error: WireError): Text {
  const refused = refusal(error);
  if (refused) {
    return join([
      {
        en: "an error that nobody handled: the code asked for ",
        ko: "아무도 처리하지 않은 오류. 코드가 요청한 것: ",
      },
      refused.text,
    ]);
  }
  const shown = error.thrown ? showValue(decodeValue(error.thrown as WireValue)) : showError(error);
  return {
    en: `an error that nobody handled: ${shown}`,
    ko: `아무도 처리하지 않은 오류: ${shown}`,
  };
}

/**
 * The first module of Node's network, or of npm, that a source imports; comments are not looked at.
 *
 * Text is no proof: it only explains what was seen on the wire.
 */
export function networkModuleIn(source: string): string | undefined {
  const pieces = /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|\/\/.*|\/\*[^]*?(?:\*\/|$)/g;
  const code = source.replace(pieces, (piece) => piece.startsWith("/") ? " " : piece);
  const wanted = "(?:node:)?(?:http|https|http2|net|tls)|npm:[^\"']+";
  return new RegExp(`\\b(?:from|import|require)\\s{0,20}\\(?\\s{0,20}["'](${wanted})["']`).exec(
    code,
  )?.[1];
}

/** The failure of code that let the runtime do what it should do itself. */
export function outOfBounds({ name, at }: { name: string; at?: string | undefined }): TaskFailure {
  const place = at ? ` (${at})` : "";
  return new TaskFailure({
    kind: "forbidden",
    expected: {
      en: "the exercise speaks over Deno.Listener and Deno.Conn only",
      ko: "과제는 Deno.Listener와 Deno.Conn으로만 통신함",
    },
    received: {
      en: `${name} was used${place}`,
      ko: `${name} 사용${place}`,
    },
    mistake: "not-raw-tcp",
  });
}

/** A note on built-ins that the exercise replaced. */
export function replaced(names: string[]): Text {
  return {
    en: `Note: the exercise replaces ${names.join(", ")}.`,
    ko: `참고: 과제 파일이 내장 기능을 바꿔치기합니다: ${names.join(", ")}`,
  };
}
