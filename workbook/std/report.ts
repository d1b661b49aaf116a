/**
 * `deno task std`: tells which standard library is in force, and looks again when asked.
 *
 * @module
 */

import { isLang, type Lang, langOfEnvironment, type Text } from "../text.ts";
import { forgetChoice, inspectStd, OWN_MAP_VARIABLE, StdError, type StdState } from "./choose.ts";
import { MEMORY_FILE } from "./memory.ts";
import { unicodeWidth } from "./unicode_width.ts";

const LABELS = {
  library: { en: "Standard library", ko: "표준 라이브러리" },
  versions: { en: "Versions", ko: "버전" },
  standsFor: { en: "In place of", ko: "대신하는 것" },
  why: { en: "Why", ko: "까닭" },
  remembered: { en: "Remembered in", ko: "기억한 곳" },
  change: { en: "To change that", ko: "바꾸려면" },
} satisfies Record<string, Text>;

const SENTENCES = {
  jsr: { en: "from JSR", ko: "JSR의 것" },
  standIns: {
    en: "stand-ins that come with the workbook (workbook/std/)",
    ko: "워크북에 든 대체 라이브러리(workbook/std/)",
  },
  loaded: { en: "JSR answered when looked for", ko: "찾아보니 JSR이 응답했습니다" },
  refused: { en: "JSR could not be reached", ko: "JSR에 연결할 수 없었습니다" },
  silent: { en: "JSR did not answer in time", ko: "JSR이 제때 응답하지 않았습니다" },
  named: { en: `${OWN_MAP_VARIABLE} names it`, ko: `${OWN_MAP_VARIABLE}에 적혀 있습니다` },
  nowhere: {
    en: "nowhere: the folder cannot be written, so each command looks again",
    ko: "없음: 폴더에 쓸 수 없어 명령마다 다시 찾습니다",
  },
  lookAgain: {
    en: "deno task std --look-again looks for JSR again",
    ko: "deno task std --look-again: JSR을 다시 찾습니다",
  },
  ownMap: {
    en: `${OWN_MAP_VARIABLE}=FILE uses an import map of your own`,
    ko: `${OWN_MAP_VARIABLE}=FILE: 직접 만든 임포트 맵을 씁니다`,
  },
  unset: {
    en: `unset ${OWN_MAP_VARIABLE}, and the workbook chooses by itself`,
    ko: `${OWN_MAP_VARIABLE} 설정을 지우면 워크북이 스스로 고릅니다`,
  },
  usage: {
    en: "Usage: deno task std [--look-again] [--lang en|ko]",
    ko: "사용법: deno task std [--look-again] [--lang en|ko]",
  },
} satisfies Record<string, Text>;

/** Where to work and where to print, mostly for tests. */
export interface StdCommandOptions {
  root?: URL | string;
  print?: (line: string) => void;
  complain?: (line: string) => void;
  limitMs?: number;
}

/** Runs `deno task std` with `args` and resolves to the exit status: 0, or 2 for a usage or an own map at fault. */
export async function stdCommand(
  args: string[],
  options: StdCommandOptions = {},
): Promise<number> {
  const root = options.root ?? new URL("../../", import.meta.url);
  const print = options.print ?? ((line) => console.log(line));
  const complain = options.complain ?? ((line) => console.error(line));

  const flags = readFlags(args);
  if (flags.fault) {
    complain(flags.fault[flags.lang]);
    complain(SENTENCES.usage[flags.lang]);
    return 2;
  }
  if (flags.help) {
    print(SENTENCES.usage[flags.lang]);
    return 0;
  }
  try {
    if (flags.lookAgain) await forgetChoice(root);
    const { lang, lookAgain: anew } = flags;
    const { limitMs } = options;
    const state = await inspectStd(root, { lang, anew, limitMs, say: complain });
    for (const line of describeStd(state, lang)) print(line);
    return 0;
  } catch (error) {
    if (!(error instanceof StdError)) throw error;
    complain(error.text[flags.lang]);
    return 2;
  }
}

interface StdFlags {
  lang: Lang;
  lookAgain: boolean;
  help: boolean;
  fault?: Text;
}

function readFlags(args: string[]): StdFlags {
  const lang = langOfEnvironment((name) => Deno.env.get(name));
  const flags: StdFlags = { lang, lookAgain: false, help: false };
  for (let i = 0; i < args.length; i++) {
    const [name, inline] = args[i].split(/=(.*)/s, 2);
    if (name === "--lang") {
      const value = inline ?? args[++i];
      if (isLang(value)) flags.lang = value;
      else {
        flags.fault ??= {
          en: `Unknown language "${value ?? ""}": en and ko are spoken.`,
          ko: `모르는 언어 "${value ?? ""}"입니다. en과 ko를 쓸 수 있습니다.`,
        };
      }
    } else if (args[i] === "--look-again") flags.lookAgain = true;
    else if (args[i] === "--help" || args[i] === "-h") flags.help = true;
    else {
      flags.fault ??= {
        en: `Unknown argument "${args[i]}".`,
        ko: `모르는 인자 "${args[i]}"입니다.`,
      };
    }
  }
  return flags;
}

/** The report, line by line. */
export function describeStd(state: StdState, lang: Lang): string[] {
  const { choice, targets, outcome, lookedAt, remembered } = state;
  const rows: [Text, string][] = [];
  const row = (label: Text, ...values: string[]) => {
    for (const value of values) rows.push([label, value]);
  };
  if (choice.kind === "own") {
    row(LABELS.library, choice.importMap);
    row(LABELS.versions, ...Object.entries(targets).map(([name, to]) => `${name} → ${to}`));
    row(LABELS.why, SENTENCES.named[lang]);
    row(LABELS.change, SENTENCES.unset[lang]);
  } else {
    const isJsr = choice.kind === "jsr";
    row(LABELS.library, SENTENCES[isJsr ? "jsr" : "standIns"][lang]);
    row(
      isJsr ? LABELS.versions : LABELS.standsFor,
      Object.values(targets).map((target) => target.replace(/^jsr:/, "")).join(", "),
    );
    if (outcome) row(LABELS.why, `${SENTENCES[outcome][lang]} (${lookedAt?.slice(0, 10)})`);
    row(LABELS.remembered, remembered ? MEMORY_FILE : SENTENCES.nowhere[lang]);
    row(LABELS.change, SENTENCES.lookAgain[lang], SENTENCES.ownMap[lang]);
  }

  const width = Math.max(...rows.map(([label]) => unicodeWidth(label[lang])));
  return rows.map(([label, value], i) => {
    // A label that goes on is written once.
    const shown = rows[i - 1]?.[0] === label ? "" : label[lang];
    return `${shown}${" ".repeat(width - unicodeWidth(shown))}  ${value}`;
  });
}

if (import.meta.main) Deno.exit(await stdCommand(Deno.args));
