import { assertEquals } from "@std/assert";
import { type DiffLine, diffLines, withGaps } from "./line_diff.ts";

const SIGNS = { both: " ", left: "-", right: "+" };
const shown = (lines: DiffLine[]) =>
  lines.map((line) => line.kind === "gap" ? `…${line.count}` : SIGNS[line.kind] + line.text);

Deno.test("diffLines() keeps what both have, in order", () => {
  assertEquals(shown(diffLines("a\nb\nc\nd\n", "a\nx\nc\nd\ne\n")), [
    " a",
    "-b",
    "+x",
    " c",
    " d",
    "+e",
  ]);
  assertEquals(shown(diffLines("", "a\n")), ["+a"]);
  assertEquals(shown(diffLines("a\r\nb\r\n", "a\nb")), [" a", " b"]);
});

Deno.test("diffLines() loses no line of either text", () => {
  let seed = 7;
  const random = () => (seed = seed * 48271 % 2147483647) / 2147483647;
  const text = () => Array.from({ length: 30 }, () => "abc \n".at(random() * 4)!).join("\n") + "\n";
  for (let i = 0; i < 50; i++) {
    const [a, b] = [text(), text()];
    const lines = diffLines(a, b);
    const of = (kind: "left" | "right") =>
      lines.flatMap((line) => line.kind === "both" || line.kind === kind ? [line.text + "\n"] : []);
    assertEquals([of("left").join(""), of("right").join("")], [a, b]);
  }
});

Deno.test("diffLines() joins by lines of code, not by empty ones", () => {
  const lines = shown(diffLines("f {\n  1\n}\n\ng {\n}\n", "f {\n}\n\ng {\n  2\n}\n"));
  assertEquals(lines, [" f {", "-  1", " }", " ", " g {", "+  2", " }"]);
});

Deno.test("withGaps() leaves out what is far from a difference", () => {
  const text = Array.from({ length: 20 }, (_, i) => `${i}\n`).join("");
  const lines = shown(withGaps(diffLines(text, text.replace("10\n", "ten\n")), 2));
  assertEquals(lines, ["…8", " 8", " 9", "-10", "+ten", " 11", " 12", "…7"]);
});
