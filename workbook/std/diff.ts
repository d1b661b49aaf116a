/**
 * Shows two values side by side, line by line, for the message of a failed assertion.
 *
 * @module
 */

/** More pairs of lines than this are not aligned; the differing middle is shown whole. */
const MAX_PAIRS = 1_000_000;

/** The text of a value as an assertion shows it: one element a line, nothing left out. */
export function format(value: unknown): string {
  return Deno.inspect(value, {
    depth: Infinity,
    sorted: true,
    trailingComma: true,
    compact: false,
    iterableLimit: Infinity,
    getters: true,
    strAbbreviateSize: Infinity,
  });
}

/** The block under a message: lines only in `actual` with `-`, only in `expected` with `+`. */
export function showDifference(actual: unknown, expected: unknown): string {
  const strings = typeof actual === "string" && typeof expected === "string";
  const linesOf = (value: unknown) =>
    strings ? visibleLines(value as string) : format(value).split("\n");
  const lines = align(linesOf(actual), linesOf(expected));
  const end = strings ? "\n\n" : "\n";
  return `\n\n\n    [Diff] Actual / Expected\n\n\n${lines.join("\n")}${end}`;
}

/** The lines of a string, each line feed and carriage return written out. */
function visibleLines(text: string): string[] {
  return text.replaceAll("\r", "\\r").replaceAll("\n", "\\n\n").split("\n");
}

function align(left: string[], right: string[]): string[] {
  let start = 0;
  while (start < left.length && start < right.length && left[start] === right[start]) start++;
  let tail = 0;
  while (
    tail < left.length - start && tail < right.length - start &&
    left[left.length - 1 - tail] === right[right.length - 1 - tail]
  ) tail++;
  return [
    ...left.slice(0, start).map((line) => `    ${line}`),
    ...alignMiddle(left.slice(start, left.length - tail), right.slice(start, right.length - tail)),
    ...left.slice(left.length - tail).map((line) => `    ${line}`),
  ];
}

/** Aligns two lists by their longest common subsequence. */
function alignMiddle(left: string[], right: string[]): string[] {
  const removed = (line: string) => `-   ${line}`;
  const added = (line: string) => `+   ${line}`;
  if (left.length * right.length > MAX_PAIRS) return [...left.map(removed), ...right.map(added)];

  // common[i][j]: how many lines can be kept from left[i…] and right[j…].
  const common = Array.from({ length: left.length + 1 }, () => new Uint32Array(right.length + 1));
  for (let i = left.length - 1; i >= 0; i--) {
    for (let j = right.length - 1; j >= 0; j--) {
      common[i][j] = left[i] === right[j]
        ? common[i + 1][j + 1] + 1
        : Math.max(common[i + 1][j], common[i][j + 1]);
    }
  }
  const lines: string[] = [];
  let i = 0, j = 0;
  while (i < left.length && j < right.length) {
    if (left[i] === right[j]) {
      lines.push(`    ${left[i++]}`);
      j++;
    } else if (common[i + 1][j] >= common[i][j + 1]) lines.push(removed(left[i++]));
    else lines.push(added(right[j++]));
  }
  return [...lines, ...left.slice(i).map(removed), ...right.slice(j).map(added)];
}
