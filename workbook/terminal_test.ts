import { assert, assertEquals } from "@std/assert";
import { unicodeWidth } from "@std/cli/unicode-width";
import { fit, harmless, leftAndRight, padEnd, paint, type Screen, wrap } from "./terminal.ts";

const TEXTS = [
  "A socket is one end of a conversation between two processes.",
  "소켓은 두 프로세스가 나누는 대화의 한쪽 끝입니다. 주소는 bind()가 붙입니다.",
  "가나다라마바사아자차카타파하가나다라마바사아자차카타파하가나다라마바사아자차카타파하",
  `Cannot bind ${"x".repeat(150)} to a port`,
  `${"1".repeat(99)} ${"가".repeat(45)}a ${"b가".repeat(30)}`,
  "a  b   c    d     e      f       g        h         i          j",
  "✓ task 1: ok 👍 좋습니다 👩‍👩‍👧 e\u0301e\u0301e\u0301e\u0301e\u0301 끝",
  "word",
];
const COLUMNS = [20, 21, 22, 23, 40, 41, 79, 80, 100, 200];

const screen = (colours: boolean): Screen => ({ columns: 80, colours, isTerminal: colours });
const withoutSpaces = (text: string) => text.replaceAll(/\s/g, "");

Deno.test("wrap() never makes a line wider than the columns, whatever the hanging indent", () => {
  for (const text of TEXTS) {
    for (const columns of COLUMNS) {
      for (const indent of [0, 2, 7, 15, 300]) {
        for (const line of wrap(text, columns, indent)) {
          assert(
            unicodeWidth(line) <= columns,
            `${unicodeWidth(line)} > ${columns}, indent ${indent}: "${line}"`,
          );
        }
      }
    }
  }
});

Deno.test("wrap() loses no character but spaces, and keeps their order", () => {
  for (const text of TEXTS) {
    for (const columns of COLUMNS) {
      const lines = wrap(text, columns, 4);
      assertEquals(withoutSpaces(lines.join("")), withoutSpaces(text), `${columns} columns`);
    }
  }
});

Deno.test("wrap() breaks at spaces where words fit on a line", () => {
  assertEquals(wrap("a stream of bytes", 10), ["a stream", "of bytes"]);
  assertEquals(wrap("소켓은 두 프로세스", 10), ["소켓은 두", "프로세스"]);
});

Deno.test("wrap() counts a Korean syllable as two columns", () => {
  assertEquals(wrap("가나다라마", 6), ["가나다", "라마"]);
  assertEquals(wrap("가나다라마", 7), ["가나다", "라마"]);
});

Deno.test("wrap() fills a line to the last column", () => {
  assertEquals(wrap("12345 7890", 10), ["12345 7890"]);
  assertEquals(wrap("12345 78901", 10), ["12345", "78901"]);
});

Deno.test("wrap() breaks inside a word that is longer than a line, never inside a character", () => {
  assertEquals(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
  assertEquals(wrap("e\u0301".repeat(4), 3), ["e\u0301".repeat(3), "e\u0301"]);
});

Deno.test("wrap() begins the lines after the first with the hanging indent", () => {
  assertEquals(wrap("ab cd ef gh", 6, 3), ["ab cd", "   ef", "   gh"]);
});

Deno.test("wrap() leaves room for text beside an indent that is too wide", () => {
  assertEquals(wrap("ab cd ef", 4, 99), ["ab", "  cd", "  ef"]);
});

Deno.test("wrap() keeps the indent that a text begins with", () => {
  assertEquals(wrap("  ab cd", 5, 2), ["  ab", "  cd"]);
});

Deno.test("wrap() moves a word that fits on the next line there whole", () => {
  assertEquals(wrap("a 123456", 8, 2), ["a 123456"]);
  assertEquals(wrap("a 1234567", 8, 1), ["a", " 1234567"]);
});

Deno.test("wrap() gives one empty line for an empty text, and no spaces at the ends of lines", () => {
  assertEquals(wrap("", 20), [""]);
  assertEquals(wrap("   ", 20), [""]);
  for (const line of wrap("ab   cd   ", 4)) assertEquals(line, line.trimEnd());
});

Deno.test("harmless() makes every control character but tab and newline visible", () => {
  for (let code = 0; code < 0xa0; code++) {
    if (code >= 0x20 && code < 0x7f) continue;
    const character = String.fromCharCode(code);
    const wanted = "\t\n".includes(character)
      ? character
      : `\\x${code.toString(16).padStart(2, "0")}`;
    assertEquals(harmless(`a${character}b`), `a${wanted}b`);
  }
});

Deno.test("harmless() disarms escape sequences", () => {
  assertEquals(harmless("\x1b[2J\x1b[31mred\x1b[0m"), "\\x1b[2J\\x1b[31mred\\x1b[0m");
  assertEquals(harmless("\x1b]0;title\x07"), "\\x1b]0;title\\x07");
  assertEquals(harmless("\x9b31m"), "\\x9b31m");
});

Deno.test("harmless() makes marks of the writing direction and line separators visible", () => {
  const marks = [0x61c, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e];
  for (const code of [...marks, 0x2066, 0x2067, 0x2068, 0x2069]) {
    const hex = code.toString(16).padStart(4, "0");
    assertEquals(harmless(`a${String.fromCharCode(code)}b`), `a\\u${hex}b`);
  }
});

Deno.test("harmless() takes a carriage return before a newline for a line's end, others are shown", () => {
  assertEquals(harmless("one\r\ntwo\rthree"), "one\ntwo\\x0dthree");
});

Deno.test("harmless() keeps tabs, newlines, Korean, emoji and accents", () => {
  const text = "\tfirst\n소켓 ㄱㄴ 👍 👩‍👩‍👧 é e\u0301 → ✓ …";
  assertEquals(harmless(text), text);
});

Deno.test("padEnd() fills to a width in columns", () => {
  assertEquals(padEnd("ab", 5), "ab   ");
  assertEquals(padEnd("기대", 5), "기대 ");
  assertEquals(padEnd("", 2), "  ");
});

Deno.test("padEnd() leaves a text alone that is wide enough", () => {
  assertEquals(padEnd("abc", 3), "abc");
  assertEquals(padEnd("기대", 3), "기대");
});

Deno.test("paint() writes escape codes on a screen with colours only", () => {
  assertEquals(paint(screen(true), "bad", "no"), "\x1b[31mno\x1b[0m");
  assertEquals(paint(screen(false), "bad", "no"), "no");
  assertEquals(paint(screen(true), "bad", ""), "");
});

Deno.test("fit() cuts by columns, and marks that", () => {
  assertEquals(fit("short", 5), "short");
  assertEquals(fit("a longer text", 8), "a longe…");
  assertEquals(fit("한글과 글자", 6), "한글…");
  assertEquals(fit("x", 0), "");
});

Deno.test("leftAndRight() keeps the right end, and gives it up where there is no room", () => {
  assertEquals(leftAndRight("task", "1/2", 12), { left: "task     ", right: "1/2" });
  assertEquals(leftAndRight("아주 긴 제목입니다", "1/2", 14), {
    left: "아주 긴…   ",
    right: "1/2",
  });
  assertEquals(leftAndRight("a long title", "10/10", 10), { left: "a long ti…", right: "" });
});
