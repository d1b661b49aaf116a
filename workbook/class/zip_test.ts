import { assertEquals, assertRejects } from "@std/assert";
import { folderEntries, withArchives, zipEntries } from "./tree.ts";
import { memorySource, Zip, ZipError } from "./zip.ts";
import { writeZip, type ZipFile } from "./zip_writer.ts";

const encoder = new TextEncoder();

function file(name: string, text = "", more: Partial<ZipFile> = {}): ZipFile {
  return { name, bytes: encoder.encode(text), ...more };
}

async function names(files: ZipFile[]): Promise<string[]> {
  return (await zipEntries(memorySource(writeZip(files)))).map(({ path }) => path);
}

/** Changes every place where `from` stands in an archive's bytes. */
function patched(bytes: Uint8Array<ArrayBuffer>, from: number[], to: number[]) {
  const changed = bytes.slice();
  for (let i = 0; i + from.length <= bytes.length; i++) {
    if (from.every((byte, j) => bytes[i + j] === byte)) changed.set(to, i);
  }
  return changed;
}

Deno.test("Zip reads what was stored and what was deflated", async () => {
  const long = "one line of many\n".repeat(1000);
  const zip = await Zip.open(memorySource(writeZip([file("a.txt", "ab"), file("d/b.txt", long)])));
  assertEquals(zip.entries.map(({ name, method }) => [name, method]), [["a.txt", 0], [
    "d/b.txt",
    8,
  ]]);
  const texts = await Promise.all(
    zip.entries.map(async (entry) => new TextDecoder().decode(await zip.read(entry, 100_000))),
  );
  assertEquals(texts, ["ab", long]);
});

Deno.test("Zip reads what the zip program writes, in the order of its own", async () => {
  const dir = await Deno.makeTempDir({ prefix: "workbook_zip_" });
  try {
    await Deno.writeTextFile(`${dir}/a b.txt`, "x".repeat(500));
    const made = await new Deno.Command("zip", { args: ["-q", "all.zip", "a b.txt"], cwd: dir })
      .output().catch(() => undefined);
    // Not every machine has the program.
    if (!made?.success) return;
    const all = await withArchives(await folderEntries(dir), []);
    const inner = all.find(({ path }) => path === "all.zip/a b.txt");
    assertEquals((await inner!.read(1000)).length, 500);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("zipEntries() leaves out names that lead elsewhere", async () => {
  const bad = [
    "../up.txt",
    "/root.txt",
    "a/../../b.txt",
    "C:\\x.txt",
    "a//b.txt",
    "./c.txt",
    "n\0ul",
  ];
  assertEquals(await names([...bad.map((name) => file(name)), file("good.txt")]), ["good.txt"]);
});

Deno.test("zipEntries() takes backslashes for slashes, as Windows wrote them", async () => {
  assertEquals(await names([file("01_a\\exercise.ts")]), ["01_a/exercise.ts"]);
});

Deno.test("zipEntries() refuses two files of one name", async () => {
  await assertRejects(() => names([file("a", "1"), file("a", "2")]), ZipError, "two files");
});

Deno.test("zipEntries() tells links from files", async () => {
  const [entry] = await zipEntries(
    memorySource(writeZip([file("exercise.ts", "/etc/passwd", { isLink: true })])),
  );
  assertEquals(entry!.kind, "link");
});

Deno.test("Zip reads Korean names of Windows", async () => {
  // "가" in EUC-KR, in an archive that does not say UTF-8.
  const bytes = writeZip([file("XY.txt")]);
  const named = patched(patched(bytes, [0x58, 0x59], [0xb0, 0xa1]), [20, 0, 0, 8], [20, 0, 0, 0]);
  assertEquals((await zipEntries(memorySource(named)))[0]!.path, "가.txt");
});

Deno.test("Zip.read() inflates no more than it may, and no more than is announced", async () => {
  const bomb = writeZip([{ name: "bomb", bytes: new Uint8Array(50_000_000) }]);
  const zip = await Zip.open(memorySource(bomb));
  await assertRejects(() => zip.read(zip.entries[0]!, 1_000_000), ZipError, "50000000 bytes");
  // 50,000,000 bytes that are announced as 100.
  const size = [0x80, 0xf0, 0xfa, 0x02];
  const liar = await Zip.open(memorySource(patched(bomb, size, [100, 0, 0, 0])));
  await assertRejects(() => liar.read(liar.entries[0]!, 1_000_000), ZipError, "damaged");
});

Deno.test("Zip.read() refuses encrypted and damaged files", async () => {
  const bytes = writeZip([file("a", "hello")]);
  const locked = await Zip.open(memorySource(patched(bytes, [20, 0, 0, 8], [20, 0, 1, 8])));
  await assertRejects(() => locked.read(locked.entries[0]!, 100), ZipError, "encrypted");
  const changed = patched(bytes, [...encoder.encode("hello")], [...encoder.encode("hallo")]);
  const zip = await Zip.open(memorySource(changed));
  await assertRejects(() => zip.read(zip.entries[0]!, 100), ZipError, "damaged");
});

Deno.test("Zip.open() refuses whatever is cut at any byte", async () => {
  const bytes = writeZip([file("a", "hello"), file("b", "world".repeat(100))]);
  for (let length = 0; length < bytes.length; length++) {
    await assertRejects(() => Zip.open(memorySource(bytes.slice(0, length))), ZipError);
  }
});

Deno.test("Zip survives any one byte that is changed", async () => {
  const bytes = writeZip([file("a", "hello"), file("b", "world".repeat(100))]);
  for (let at = 0; at < bytes.length; at++) {
    const changed = bytes.slice();
    changed[at]! ^= 0xff;
    try {
      const zip = await Zip.open(memorySource(changed));
      for (const entry of zip.entries) await zip.read(entry, 10_000);
    } catch (error) {
      if (!(error instanceof ZipError)) throw error;
    }
  }
});

Deno.test("withArchives() opens an archive in an archive, and no deeper", async () => {
  const third = writeZip([file("c.txt", "c")]);
  const second = writeZip([file("b.txt", "b"), { name: "third.zip", bytes: third }]);
  const first = writeZip([file("a.txt", "a"), { name: "second.zip", bytes: second }]);
  const dir = await Deno.makeTempDir({ prefix: "workbook_zip_" });
  try {
    await Deno.writeFile(`${dir}/first.zip`, first);
    const all = await withArchives(await folderEntries(dir), []);
    assertEquals(all.map(({ path }) => path).sort(), [
      "first.zip",
      "first.zip/a.txt",
      "first.zip/second.zip",
      "first.zip/second.zip/b.txt",
      "first.zip/second.zip/third.zip",
    ]);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
