/**
 * Packs the grader for a platform that wants it as a ZIP file.
 *
 * @module
 */

import { type ZipFile } from "./zip_writer.ts";

/** What grading needs, and nothing that tells the answers: folders, and which of their files. */
const PARTS: [folder: string, wanted: RegExp][] = [
  ["lessons", /\/(README|mistakes|hints)(\.ko)?\.md$/],
  ["tests/captures", /\.(pcap|json)$/],
  ["tests/stubs", /\.ts$/],
  ["tests/support", /(?<!_test)\.ts$/],
  ["workbook", /(?<!_test)\.(ts|json)$/],
];
const SUITE = /^\d\d_[a-z0-9_]+_test\.ts$/;
const SCRIPTS = ["setup.sh", "run_autograder"];

/** The files of Gradescope's autograder, which grades the lessons of these numbers, or all if there are none. */
export async function gradescopeFiles(root: string, lessons: number[]): Promise<ZipFile[]> {
  const files: ZipFile[] = [];
  for (const name of SCRIPTS) {
    const bytes = await Deno.readFile(`${root}/workbook/grading/platforms/gradescope/${name}`);
    files.push({ name, bytes: withoutCarriageReturns(bytes), mode: 0o755 });
  }
  const options = lessons.map((number) => `--lesson=${number}\n`).join("");
  files.push({ name: "grade_options", bytes: new TextEncoder().encode(options) });
  const names = ["deno.json"];
  for (const [folder, wanted] of PARTS) {
    names.push(...(await namesBelow(root, folder)).filter((name) => wanted.test(name)));
  }
  for await (const { name, isFile } of Deno.readDir(`${root}/tests`)) {
    if (isFile && SUITE.test(name)) names.push(`tests/${name}`);
  }
  for (const name of names.sort()) {
    files.push({ name, bytes: await Deno.readFile(`${root}/${name}`) });
  }
  return files;
}

/** A script that was checked out on Windows would not run on Linux. */
function withoutCarriageReturns(bytes: Uint8Array): Uint8Array {
  return bytes.filter((byte) => byte !== 0x0d);
}

async function namesBelow(root: string, folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name, isFile, isDirectory } of Deno.readDir(`${root}/${folder}`)) {
    if (isDirectory) names.push(...await namesBelow(root, `${folder}/${name}`));
    else if (isFile) names.push(`${folder}/${name}`);
  }
  return names;
}
