import { assertEquals } from "@std/assert";
import { Printed, readMarked } from "./printed.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** What is kept of `text` that comes in these pieces: a `|` for each mark. */
async function kept(pieces: string[], mark: string): Promise<string> {
  let text = "";
  const keep = (bytes: Uint8Array) => text += new TextDecoder().decode(bytes);
  async function* stream() {
    for (const piece of pieces) yield await Promise.resolve(bytes(piece));
  }
  await readMarked(stream(), bytes(mark), keep, () => text += "|");
  return text;
}

Deno.test("readMarked() finds its mark wherever a stream is cut", async () => {
  const mark = "<<m>";
  const cases = [
    [`one${mark}two${mark}${mark}`, "one|two||"],
    ["no mark << at all <", "no mark << at all <"],
    [`<${mark}<<${mark}<<m`, "<|<<|<<m"],
    ["", ""],
  ] as const;
  for (const [text, expected] of cases) {
    for (let a = 0; a <= text.length; a++) {
      for (let b = a; b <= text.length; b++) {
        const pieces = [text.slice(0, a), text.slice(a, b), text.slice(b)];
        assertEquals(await kept(pieces, mark), expected, JSON.stringify(pieces));
      }
    }
  }
});

Deno.test("what is printed is counted, and kept up to a limit, a character that is cut included", () => {
  const printed = new Printed();
  for (const byte of bytes("가나")) printed.add(Uint8Array.of(byte));
  assertEquals([printed.text, printed.bytes, printed.left], ["가나", 6, 0]);
  printed.add(new Uint8Array(20_000));
  assertEquals([printed.bytes, printed.left], [20_006, 20_006 - 16_384]);
  printed.clear();
  assertEquals([printed.text, printed.bytes, printed.left], ["", 0, 0]);
});
