/**
 * What an editor says about the course: the language server is asked as VS Code asks it, with the folder's settings.
 */

import { assertEquals } from "@std/assert";
import { lessonSlugs } from "./course.ts";

const HERE = decodeURIComponent(new URL("..", import.meta.url).pathname).replace(/\/$/, "");
const PATIENCE_MS = 90_000;

/** What is said of the standard library where JSR has never been reached: the README tells it. */
const NOT_FETCHED = /^JSR package "@std\/\w+@[\d.]+" is not installed/;

interface Message {
  id?: number;
  method?: string;
  params?: {
    uri?: string;
    diagnostics?: { message: string; severity?: number }[];
    items?: { section?: string }[];
  };
}

/** A language server, as far as it is needed to open files and hear what is wrong with them. */
class LanguageServer implements AsyncDisposable {
  readonly #process = new Deno.Command(Deno.execPath(), {
    args: ["lsp", "--quiet"],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
    env: { DENO_NO_UPDATE_CHECK: "1" },
  }).spawn();
  readonly #writer = this.#process.stdin.getWriter();
  readonly #reading = this.#read();
  readonly #initialized = Promise.withResolvers<void>();
  readonly #told = new Map<string, PromiseWithResolvers<string[]>>();
  readonly #settings: Record<string, unknown>;

  constructor(settings: Record<string, unknown>) {
    this.#settings = settings;
  }

  #send(message: Record<string, unknown>): void {
    const body = new TextEncoder().encode(JSON.stringify({ jsonrpc: "2.0", ...message }));
    const head = new TextEncoder().encode(`Content-Length: ${body.length}\r\n\r\n`);
    this.#writer.write(new Uint8Array([...head, ...body])).catch(() => {});
  }

  async #read(): Promise<void> {
    let bytes = new Uint8Array();
    for await (const chunk of this.#process.stdout) {
      bytes = new Uint8Array([...bytes, ...chunk]);
      for (;;) {
        const head = /^(?:[^\r]+\r\n)*?Content-Length: (\d+)\r\n(?:[^\r]+\r\n)*\r\n/
          .exec(new TextDecoder("latin1").decode(bytes.subarray(0, 500)));
        if (!head) break;
        const end = head[0].length + Number(head[1]);
        if (bytes.length < end) break;
        this.#take(JSON.parse(new TextDecoder().decode(bytes.subarray(head[0].length, end))));
        bytes = bytes.slice(end);
      }
    }
  }

  #take({ id, method, params }: Message): void {
    if (method === "textDocument/publishDiagnostics") {
      // Errors and warnings; what the editor would only suggest is underlined nowhere.
      const shown = params!.diagnostics!.filter(({ severity = 1 }) => severity <= 2);
      this.#file(params!.uri!).resolve(shown.map(({ message }) => message));
    } else if (method === "workspace/configuration") {
      const result = params!.items!.map(({ section }) => section === "deno" ? this.#settings : {});
      this.#send({ id, result });
    } else if (method && id !== undefined) this.#send({ id, result: null });
    else if (id === 1) this.#initialized.resolve();
  }

  #file(uri: string): PromiseWithResolvers<string[]> {
    const known = this.#told.get(uri) ?? Promise.withResolvers<string[]>();
    this.#told.set(uri, known);
    return known;
  }

  async open(folder: string): Promise<void> {
    const uri = `file://${folder}`;
    this.#send({
      id: 1,
      method: "initialize",
      params: {
        processId: null,
        rootUri: uri,
        workspaceFolders: [{ uri, name: "workbook" }],
        capabilities: { workspace: { configuration: true, workspaceFolders: true } },
        initializationOptions: this.#settings,
      },
    });
    await this.#initialized.promise;
    this.#send({ method: "initialized", params: {} });
  }

  /** What is wrong with a file. */
  async problems(path: string, text: string): Promise<string[]> {
    const uri = `file://${path}`;
    const textDocument = { uri, languageId: "typescript", version: 1, text };
    this.#send({ method: "textDocument/didOpen", params: { textDocument } });
    return await this.#file(uri).promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await Promise.all([this.#process.status, this.#reading]);
    await this.#writer.abort().catch(() => {});
  }
}

Deno.test("the editor finds nothing wrong with stubs, solutions and suites, and does find what is wrong", async () => {
  const settings = JSON.parse(await Deno.readTextFile(`${HERE}/.vscode/settings.json`));
  const deno = Object.fromEntries(
    Object.entries(settings).map(([key, value]) => [key.replace(/^deno\./, ""), value]),
  );
  assertEquals(deno, { enable: true });
  await using server = new LanguageServer(deno);
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error("The language server is silent")), PATIENCE_MS);
  const within = <T>(promise: Promise<T>) => Promise.race([promise, late]);
  try {
    await within(server.open(HERE));
    for (const slug of await lessonSlugs(HERE)) {
      const files: [string, string][] = [
        // What the learner may have written is theirs.
        [`lessons/${slug}/exercise.ts`, `tests/stubs/${slug}.ts`],
        [`solutions/${slug}/exercise.ts`, `solutions/${slug}/exercise.ts`],
        [`tests/${slug}_test.ts`, `tests/${slug}_test.ts`],
      ];
      for (const [path, source] of files) {
        const text = await Deno.readTextFile(`${HERE}/${source}`).catch(() => "");
        const problems = await within(server.problems(`${HERE}/${path}`, text));
        assertEquals([path, problems.filter((problem) => !NOT_FETCHED.test(problem))], [path, []]);
      }
    }
    const wrong = await within(
      server.problems(`${HERE}/lessons/wrong.ts`, 'export const port: number = "80";\n'),
    );
    assertEquals(wrong, ["Type 'string' is not assignable to type 'number'."]);
  } finally {
    clearTimeout(timer);
  }
});
