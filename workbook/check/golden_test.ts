import { assertEquals, assertNotEquals } from "@std/assert";
import { withoutSteps } from "./golden.ts";

const told = (received: string, ...further: string[]): string =>
  [
    "✗ task 1: a message comes back                     0/2",
    '    expected  "hello" (5 bytes)',
    `    received  ${received}`,
    ...further,
    "    Next: deno task hint 1 1",
  ].join("\n");

Deno.test("of bytes that are drawn by chance neither which nor how many they are matters, nor where a line was cut", () => {
  const one = told(String.raw`…"\xa8\xab\xed\x12}\xe7ql" (65536 bytes)`);
  const other = told(
    String.raw`…"\x9e\xe5\xc9\x9e/^\xae=\xd4\xf1\xae\r\x92\u00e9\"` + "\\",
    String.raw`              x928~\x11\x93"… (131072 bytes)`,
  );
  assertEquals(withoutSteps(one), withoutSteps(other));
});

Deno.test("text matters, and so does everything else that is told", () => {
  assertNotEquals(withoutSteps(told('"hallo" (5 bytes)')), withoutSteps(told('"hell" (4 bytes)')));
  assertNotEquals(withoutSteps(told("nothing")), withoutSteps(told("the end of the stream")));
});

Deno.test("steps on the wire, further tests and the numbers of ports do not matter", () => {
  const steps = [
    '      1  you   call     greet("127.0.0.1", PORT1)',
    "      2  peer  accept   PORT2",
    "    also fails: a message in pieces",
  ];
  assertEquals(
    withoutSteps(told("a reset from port PORT1")),
    withoutSteps(told("a reset from port PORT3", ...steps)),
  );
});
