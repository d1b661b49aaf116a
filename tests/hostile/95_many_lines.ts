// Tries to break the report by lines of every kind of end; must get 0 of 2 points.

// deno-lint-ignore-file
const message = "a\rb\r\nc\vd\fe\x85f\u2028g\u2029h\x1b[31mi\x1b]8;;http://x\x07j\u202ek\u2066l\ufeffm\0n=1+1\n+1\n-1\n@x\n\tx".repeat(200);
console.log(message);
console.error(message);
const error = new Error(message);
error.name = message;
Object.defineProperty(error, "stack", { value: message });
throw error;
