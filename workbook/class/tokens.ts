/**
 * TypeScript as a row of tokens in which names and layout do not show, and fingerprints of it.
 *
 * The fingerprints are chosen by winnowing (Schleimer, Wilkerson, Aiken: "Winnowing: Local Algorithms for Document
 * Fingerprinting", SIGMOD 2003): two texts that share a run of tokens long enough share a fingerprint, wherever in
 * them the run is.
 *
 * @module
 */

/** Tokens of a run that is compared. Shorter ones are alike in all programs. */
export const RUN_TOKENS = 16;
/** Every window of so many runs has one fingerprint: what two texts share in `RUN_TOKENS + WINDOW - 1` is found. */
const WINDOW = 6;

const RESERVED = new Set(
  ("abstract any as async await boolean break case catch class const continue debugger declare default delete do else " +
    "enum export extends false finally for from function get if implements import in infer instanceof interface is " +
    "keyof let namespace never new null number object of private protected public readonly return satisfies set static " +
    "string super switch symbol this throw true try type typeof undefined unknown using var void while with yield")
    .split(" "),
);
const WORD = /[\p{ID_Start}$_#][\p{ID_Continue}$\u200c\u200d]*/uy;
const NUMBER = /(?:0[xob][\da-f_]+|[\d_]*\.?[\d_]+(?:e[+-]?[\d_]+)?)n?/iy;
const SIGN =
  /(?:\.\.\.|=>|\*\*=|>>>=|<<=|>>=|&&=|\|\|=|\?\?=|===|!==|\*\*|==|!=|<=|>=|&&|\|\||\?\?|\?\.|\+\+|--|[-+*/%&|^]=|[^\s])/uy;
const BEFORE_REGEX =
  /^(?:[-+*/%&|^!~?:=<>,;({[]|=>|&&|\|\||\?\?|return|typeof|case|in|of|do|else|void|delete|[=!]==?)$/;

/** The tokens of a text, names as they are. Strings are `S`, templates `T` around their expressions, patterns `R`. */
export function tokensOf(text: string): string[] {
  const tokens: string[] = [];
  scan(text, 0, tokens, false);
  return tokens;
}

/** Scans from `at`, up to the brace that closes a template's expression if `inTemplate`. Returns where it ended. */
function scan(text: string, at: number, tokens: string[], inTemplate: boolean): number {
  let braces = 0;
  while (at < text.length) {
    const char = text[at]!;
    if (/\s/.test(char)) {
      at++;
    } else if (text.startsWith("//", at)) {
      const end = text.indexOf("\n", at);
      at = end < 0 ? text.length : end;
    } else if (text.startsWith("/*", at)) {
      const end = text.indexOf("*/", at + 2);
      at = end < 0 ? text.length : end + 2;
    } else if (char === '"' || char === "'") {
      tokens.push("S");
      at = endOf(text, at + 1, char);
    } else if (char === "`") {
      at = scanTemplate(text, at + 1, tokens);
    } else if (char === "/" && BEFORE_REGEX.test(tokens.at(-1) ?? ";")) {
      tokens.push("R");
      at = endOfPattern(text, at + 1);
    } else {
      const isNumber = /\d/.test(char) || (char === "." && /\d/.test(text[at + 1] ?? ""));
      const token = isNumber
        ? match(NUMBER, text, at)
        : match(WORD, text, at) ?? match(SIGN, text, at);
      if (inTemplate && token === "{") braces++;
      if (inTemplate && token === "}" && braces-- === 0) return at + 1;
      tokens.push(token ?? char);
      at += (token ?? char).length;
    }
  }
  return at;
}

function match(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

function endOf(text: string, at: number, quote: string): number {
  while (at < text.length && text[at] !== quote && text[at] !== "\n") {
    at += text[at] === "\\" ? 2 : 1;
  }
  return at + 1;
}

function endOfPattern(text: string, at: number): number {
  let inClass = false;
  while (at < text.length && text[at] !== "\n") {
    const char = text[at]!;
    if (char === "\\") at++;
    else if (char === "[") inClass = true;
    else if (char === "]") inClass = false;
    else if (char === "/" && !inClass) break;
    at++;
  }
  return at + 1;
}

/** How deep templates in templates are looked into. */
let depth = 0;

function scanTemplate(text: string, at: number, tokens: string[]): number {
  tokens.push("T");
  if (++depth > 50) {
    depth--;
    return text.length;
  }
  while (at < text.length && text[at] !== "`") {
    if (text.startsWith("${", at)) at = scan(text, at + 2, tokens, true);
    else at += text[at] === "\\" ? 2 : 1;
  }
  depth--;
  return at + 1;
}

/** Names that nobody can change: what the stub exports, and members that the course's own code uses. */
export interface KnownNames {
  exported: Set<string>;
  members: Set<string>;
}

/** The names of a lesson, from its stub and its model solution. */
export function knownNames(stub: string, solution: string): KnownNames {
  const exported = new Set<string>();
  const members = new Set<string>();
  for (const text of [stub, solution]) {
    const tokens = tokensOf(text);
    tokens.forEach((token, i) => {
      const before = tokens[i - 1] ?? "";
      if (isName(token) && isDot(before)) members.add(token);
    });
  }
  for (const [, name] of stub.matchAll(EXPORTED)) exported.add(name!);
  return { exported, members };
}

const EXPORTED =
  /^export (?:default )?(?:async )?(?:function\*?|class|const|let|interface|type) ?\*? ?([\w$]+)/gm;

function isName(token: string): boolean {
  return NAME.test(token) && !RESERVED.has(token) && !MARKS.has(token);
}

const NAME = /^[\p{ID_Start}$_#]/u;
const MARKS = new Set(["S", "T", "R"]);

function isDot(token: string): boolean {
  return token === "." || token === "?.";
}

/**
 * The row of tokens without what a disguise would change: semicolons and trailing commas are left out, and a name of
 * the author's own is what `rename` makes of it.
 */
function plainTokens(
  text: string,
  { exported, members }: KnownNames,
  rename: (name: string) => string,
): string[] {
  const plain: string[] = [];
  let before = "";
  for (const token of tokensOf(text)) {
    const isKnown = exported.has(token) || (isDot(before) && members.has(token));
    before = token;
    if (token === ";") continue;
    if (/^[)\]}]$/.test(token) && plain.at(-1) === ",") plain.pop();
    plain.push(isName(token) && !isKnown ? rename(token) : token);
  }
  return plain;
}

/** What is compared of one exercise. */
export interface Prints {
  /** A hash of the whole row of tokens, each name numbered in the order of its appearance. */
  whole: string;
  /** How many runs of tokens it has beyond the stub's. */
  own: number;
  /** Fingerprints of those, sorted. */
  prints: string[];
}

/** The fingerprints of an exercise, without all that its stub has too. */
export function printsOf(text: string, stub: string, names: KnownNames): Prints {
  const alike = () => "i";
  const stubRuns = new Set(runsOf(plainTokens(stub, names, alike)));
  const runs = runsOf(plainTokens(text, names, alike)).filter((run) => !stubRuns.has(run));
  const chosen = new Set<number>();
  for (let i = 0; i < runs.length && (i === 0 || i + WINDOW <= runs.length); i++) {
    chosen.add(Math.min(...runs.slice(i, i + WINDOW)));
  }
  const numbers = new Map<string, string>();
  const numbered = (name: string) => {
    const number = numbers.get(name) ?? `i${numbers.size}`;
    numbers.set(name, number);
    return number;
  };
  return {
    whole: shown(hash(plainTokens(text, names, numbered))),
    own: runs.length,
    prints: [...chosen].map(shown).sort(),
  };
}

function shown(print: number): string {
  return print.toString(16).padStart(14, "0");
}

function runsOf(tokens: string[]): number[] {
  const runs: number[] = [];
  for (let i = 0; i + RUN_TOKENS <= tokens.length; i++) {
    runs.push(hash(tokens.slice(i, i + RUN_TOKENS)));
  }
  return runs;
}

/** 53 bits: two halves of FNV-1a with different beginnings. */
function hash(tokens: string[]): number {
  let [a, b] = [0x811c9dc5, 0x01234567];
  for (const token of tokens) {
    for (let i = 0; i <= token.length; i++) {
      const code = i < token.length ? token.charCodeAt(i) : 0x20;
      a = Math.imul(a ^ code, 0x01000193);
      b = Math.imul(b ^ code, 0x01000193) + i;
    }
  }
  return (a >>> 0) * 2 ** 21 + ((b >>> 0) & 0x1fffff);
}
