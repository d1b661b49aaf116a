import { assertEquals } from "@std/assert";
import { readKeys } from "./keys.ts";

Deno.test("readKeys() reads letters of either case, and several at once", () => {
  assertEquals(readKeys("nHlRq"), ["next", "hint", "list", "again", "quit"]);
});

Deno.test("readKeys() reads the same keys where the keyboard writes Hangul", () => {
  assertEquals(readKeys("ㅜㅗㅣㄱㅂㄴㅅ"), readKeys("nhlrqst"));
});

Deno.test("readKeys() reads controls and sequences, and leaves out what means nothing", () => {
  assertEquals(readKeys("\x03\x1a\x04"), ["interrupt", "suspend", "quit"]);
  assertEquals(readKeys("\x1b[A\x1bOB\x1b[5~\x1b[1;5C\x1b"), ["up", "down", "pageUp", "back"]);
  assertEquals(readKeys("xyz가\x1b[200~"), []);
});
