import { assertEquals } from "@std/assert";
import { showMarkdown } from "./markdown.ts";

Deno.test("showMarkdown() wraps prose and leaves code as it is", () => {
  const screen = { columns: 20, colours: false, isTerminal: false };
  assertEquals(
    showMarkdown(
      'one two three four five six\nseven\n\n```ts\nconst longer = "than a line";\n```',
      screen,
    ),
    'one two three four\nfive six seven\n\n    const longer = "than a line";',
  );
});

Deno.test("showMarkdown() keeps the items of a list apart, and code of either fence", () => {
  const screen = { columns: 20, colours: false, isTerminal: false };
  assertEquals(
    showMarkdown("First:\n- one two three four five\n  six\n2. `two`\n\n~~~ts\nx;\n~~~", screen),
    "First:\n- one two three four\n  five six\n2. `two`\n\n    x;",
  );
});

Deno.test("showMarkdown() goes on below with code that a terminal has no room for", () => {
  const screen = { columns: 20, colours: false, isTerminal: true };
  assertEquals(
    showMarkdown("```ts\nif (yes) {\n  call(one, two, three);\n}\n```", screen),
    "    if (yes) {\n      call(one, two,\n          three);\n    }",
  );
});

Deno.test("showMarkdown() fits a table to the screen, and makes lines of it where there is no room", () => {
  const table = "| a   | what it is              |\n| --- | ----------------------- |\n" +
    "| `x` | **소켓** and a [port](a.md) |\n\nAfter.";
  const screen = { colours: false, isTerminal: true };
  assertEquals(
    showMarkdown(table, { ...screen, columns: 40 }),
    "a    what it is\n`x`  소켓 and a port\n\nAfter.",
  );
  assertEquals(
    showMarkdown(table, { ...screen, columns: 18 }),
    "a    what it is\n`x`  소켓 and a\n       port\n\nAfter.",
  );
  assertEquals(
    showMarkdown(table, { ...screen, columns: 10 }),
    "a: what it\n  is\n`x`: 소켓\n  and a\n  port\n\nAfter.",
  );
});
