/**
 * Stands in for `@std/cli/unicode-width`: how many columns of a terminal a text takes.
 *
 * Rules: UAX #11 (East Asian Width) for wide characters, with ambiguous ones narrow; combining marks, format
 * and control characters take none, nor do the vowels and final consonants of conjoining Hangul jamo, which a
 * terminal draws into the block of the first consonant. Characters are counted one by one: an emoji joined
 * from two takes four columns, and an escape sequence is not recognised as one.
 *
 * @module
 */

/** Control, format and combining characters, conjoining jamo after the first (U+1160–U+11FF). */
const NO_COLUMN = /^[\p{Cc}\p{Cf}\p{Mn}\p{Me}\u1160-\u11FF]$/u;

/** Emoji that are drawn as pictures; flags are pairs of regional indicators, each of which is narrow. */
const PICTURE = /^(?!\p{Regional_Indicator})\p{Emoji_Presentation}$/u;

/** Wide and fullwidth ranges, from and to, apart from emoji. */
const WIDE = [
  [0x1100, 0x115f], // Hangul jamo, first consonants
  [0x2329, 0x232a], // angle brackets
  [0x2e80, 0x303e], // CJK radicals, ideographic descriptions, CJK punctuation
  [0x3041, 0x3247], // kana, Bopomofo, Hangul compatibility jamo, enclosed CJK
  [0x3250, 0x4dbf], // enclosed CJK, CJK compatibility, ideographs extension A
  [0x4e00, 0xa4cf], // ideographs, Yi
  [0xa960, 0xa97f], // Hangul jamo extended A
  [0xac00, 0xd7a3], // Hangul syllables
  [0xf900, 0xfaff], // compatibility ideographs
  [0xfe10, 0xfe19], // vertical forms
  [0xfe30, 0xfe6f], // compatibility forms, small forms
  [0xff01, 0xff60], // fullwidth ASCII
  [0xffe0, 0xffe6], // fullwidth signs
  [0x16fe0, 0x18dff], // Tangut, Khitan
  [0x1aff0, 0x1b2ff], // kana extensions, Nushu
  [0x1f200, 0x1f265], // enclosed ideographs
  [0x20000, 0x2fffd], // ideographs, plane 2
  [0x30000, 0x3fffd], // ideographs, plane 3
];

function charWidth(char: string): number {
  const code = char.codePointAt(0)!;
  if (code >= 0x20 && code < 0x7f) return 1;
  if (code === 0xad) return 1; // the soft hyphen: a format character that terminals draw
  if (NO_COLUMN.test(char)) return 0;
  return WIDE.some(([from, to]) => code >= from && code <= to) || PICTURE.test(char) ? 2 : 1;
}

/** The columns that `str` takes on a terminal. */
export function unicodeWidth(str: string): number {
  let columns = 0;
  for (const char of str) columns += charWidth(char);
  return columns;
}
