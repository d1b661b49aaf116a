/**
 * Submissions that are the same but for names and layout, or nearly: a hint where to look, not a verdict.
 *
 * @module
 */

import type { Prints } from "./tokens.ts";

/** What is known of one submission: the fingerprints of each lesson's exercise, by the lesson's folder name. */
export interface Printed {
  name: string;
  lessons: Record<string, Prints>;
}

/** Submissions that are alike in one lesson. */
export interface Alike {
  lesson: string;
  /** Names of the submissions, in order: two, or more if all of them are the same. */
  names: string[];
  /** The part of the smaller one that is in the other, from 0 to 1. */
  share: number;
  /** The same but for names and layout. */
  isSame: boolean;
}

/** Runs of tokens beyond the stub's: what is shorter is alike by chance. */
const MIN_OWN = 60;
const MIN_PRINTS = 12;
const MIN_SHARE = 0.8;
/** What so many of a class have is how it is written, or was shown on the blackboard. */
const COMMON_SHARE = 0.25;
const COMMON_LEAST = 5;
/** A page with more would not be read. */
const MAX_ALIKE = 200;

/** Finds what is alike, the most alike first. */
export function findAlike(class_: Printed[]): { found: Alike[]; more: number } {
  const slugs = [...new Set(class_.flatMap(({ lessons }) => Object.keys(lessons)))].sort();
  const all = slugs.flatMap((slug) => alikeIn(slug, class_));
  all.sort((a, b) =>
    b.share - a.share || Number(b.isSame) - Number(a.isSame) ||
    (a.lesson === b.lesson ? 0 : a.lesson < b.lesson ? -1 : 1) ||
    (a.names.join("\n") < b.names.join("\n") ? -1 : 1)
  );
  return { found: all.slice(0, MAX_ALIKE), more: Math.max(0, all.length - MAX_ALIKE) };
}

function alikeIn(lesson: string, class_: Printed[]): Alike[] {
  // The same rows of tokens count as one in all that follows.
  const groups = new Map<string, { names: string[]; prints: Set<string> }>();
  for (const { name, lessons } of class_) {
    const prints = Object.hasOwn(lessons, lesson) ? lessons[lesson] : undefined;
    if (!prints || prints.own < MIN_OWN) continue;
    const group = groups.get(prints.whole);
    if (group) group.names.push(name);
    else groups.set(prints.whole, { names: [name], prints: new Set(prints.prints) });
  }
  const found: Alike[] = [...groups.values()].filter(({ names }) => names.length > 1)
    .map(({ names }) => ({ lesson, names: names.toSorted(), share: 1, isSame: true }));
  const list = [...groups.values()];
  const holders = new Map<string, number[]>();
  list.forEach(({ prints }, i) => {
    for (const print of prints) {
      const known = holders.get(print);
      if (known) known.push(i);
      else holders.set(print, [i]);
    }
  });
  const common = Math.max(COMMON_LEAST, list.length * COMMON_SHARE);
  const sizes = new Array<number>(list.length).fill(0);
  const shared = new Map<number, number>();
  for (const those of holders.values()) {
    if (those.length > common) continue;
    for (const i of those) sizes[i]!++;
    for (let a = 0; a < those.length; a++) {
      for (let b = a + 1; b < those.length; b++) {
        const pair = those[a]! * list.length + those[b]!;
        shared.set(pair, (shared.get(pair) ?? 0) + 1);
      }
    }
  }
  for (const [pair, count] of shared) {
    const [a, b] = [Math.floor(pair / list.length), pair % list.length];
    const least = Math.min(sizes[a]!, sizes[b]!);
    if (least < MIN_PRINTS || count / least < MIN_SHARE) continue;
    const names = [list[a]!.names[0]!, list[b]!.names[0]!].sort();
    found.push({ lesson, names, share: Math.round(100 * count / least) / 100, isSame: false });
  }
  return found;
}
