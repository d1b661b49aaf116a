// Tries to exhaust the stack of what reads the exercise; must get 0 of 2 points.

// deno-lint-ignore-file
export const deep = MANY_OPENED1;
