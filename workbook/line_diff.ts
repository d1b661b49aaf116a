/**
 * Two files line by line: what both have, what only one of them has.
 *
 * @module
 */

/** A line of either file, or of both; or lines that both have and that are left out. */
export type DiffLine =
  | { kind: "both" | "left" | "right"; text: string }
  | { kind: "gap"; count: number };

/** More pairs of lines than this are not aligned; the differing middle is shown whole. */
const MAX_PAIRS = 4_000_000;

/** All lines of two texts, in order: a longest common subsequence is what both have. */
export function diffLines(left: string, right: string): DiffLine[] {
  const [a, b] = [linesOf(left), linesOf(right)];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let tail = 0;
  while (
    tail < a.length - start && tail < b.length - start &&
    a[a.length - 1 - tail] === b[b.length - 1 - tail]
  ) tail++;
  const both = (text: string): DiffLine => ({ kind: "both", text });
  return [
    ...a.slice(0, start).map(both),
    ...middle(a.slice(start, a.length - tail), b.slice(start, b.length - tail)),
    ...a.slice(a.length - tail).map(both),
  ];
}

function linesOf(text: string): string[] {
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

function middle(a: string[], b: string[]): DiffLine[] {
  const left = (text: string): DiffLine => ({ kind: "left", text });
  const right = (text: string): DiffLine => ({ kind: "right", text });
  if (a.length * b.length > MAX_PAIRS) return [...a.map(left), ...b.map(right)];
  // common[i][j]: how much can be kept of a[i…] and b[j…]. An empty line is worth little: it joins nothing by itself.
  const common = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
  const worth = (text: string) => /\w/.test(text) ? 16 : 1;
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      common[i]![j] = Math.max(
        a[i] === b[j] ? common[i + 1]![j + 1]! + worth(a[i]!) : 0,
        common[i + 1]![j]!,
        common[i]![j + 1]!,
      );
    }
  }
  const lines: DiffLine[] = [];
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    const here = common[i]![j]!;
    if (a[i] === b[j] && here === common[i + 1]![j + 1]! + worth(a[i]!)) {
      lines.push({ kind: "both", text: a[i++]! });
      j++;
    } else if (here === common[i + 1]![j]) lines.push(left(a[i++]!));
    else lines.push(right(b[j++]!));
  }
  return [...lines, ...a.slice(i).map(left), ...b.slice(j).map(right)];
}

/** Leaves out what both have, but for `around` lines beside each difference. */
export function withGaps(lines: DiffLine[], around = 3): DiffLine[] {
  const near = lines.map(({ kind }, i) =>
    kind !== "both" ||
    lines.slice(Math.max(0, i - around), i + around + 1).some(({ kind }) => kind !== "both")
  );
  const shown: DiffLine[] = [];
  for (const [i, line] of lines.entries()) {
    if (near[i]) {
      shown.push(line);
      continue;
    }
    const last = shown.at(-1);
    if (last?.kind === "gap") last.count++;
    else shown.push({ kind: "gap", count: 1 });
  }
  return shown;
}
