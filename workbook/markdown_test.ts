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
