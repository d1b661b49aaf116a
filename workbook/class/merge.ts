/**
 * Joins the parts of a class that were graded apart.
 *
 * @module
 */

import { CommandError } from "../errors.ts";
import type { Text } from "../text.ts";
import { writeClass } from "./derive.ts";
import {
  type ClassInfo,
  classInfo,
  ResultsFolder,
  studentsOf,
  toJson,
  writeWhole,
} from "./files.ts";

interface Part {
  folder: ResultsFolder;
  info: ClassInfo;
  shard: { index: number; of: number };
}

/**
 * Joins `dirs` to one folder of results `out`, which is there as a whole or not at all. Returns how many students it
 * has. Throws a {@linkcode CommandError} if the parts are not those of one class, each once and complete.
 */
export async function mergeParts(root: string, dirs: string[], out: string): Promise<number> {
  const parts = await Promise.all(dirs.map(readPart));
  parts.sort((a, b) => a.shard.index - b.shard.index);
  const [first] = parts as [Part, ...Part[]];
  for (const part of parts.slice(1)) refuseOther(first, part);
  refuseGaps(parts);
  await refuseFull(out);
  const draft = `${out.replace(/[\\/]+$/, "")}.draft-${crypto.randomUUID().slice(0, 8)}`;
  const folder = new ResultsFolder(draft);
  try {
    await folder.create();
    const { course, seed, lang, lessons, students } = first.info;
    const info = classInfo({ course, seed, lang, lessons, students });
    for (const part of parts) await copyGraded(part, folder, info);
    await writeWhole(folder.classFile, toJson(info));
    const count = await writeClass(root, folder, info);
    await Deno.remove(out).catch(() => {});
    await Deno.rename(draft, out);
    return count;
  } catch (error) {
    await Deno.remove(draft, { recursive: true }).catch(() => {});
    throw error;
  }
}

async function readPart(dir: string): Promise<Part> {
  const folder = new ResultsFolder(dir);
  const info = await folder.readClass();
  if (!info) {
    throw new CommandError({
      en: `There are no results of a class in "${dir}".`,
      ko: `"${dir}" 안에 채점 결과가 없습니다.`,
    });
  }
  const { shard = { index: 1, of: 1 } } = info;
  return { folder, info, shard };
}

function refuse(en: string, ko: string): never {
  throw new CommandError({
    en: `The parts were not joined: ${en}.`,
    ko: `결과를 합치지 않았습니다: ${ko}.`,
  });
}

/** Parts belong together if they come of one course, one seed and one class. */
function refuseOther(a: Part, b: Part): void {
  const both = `"${a.folder.dir}", "${b.folder.dir}"`;
  const differs: [boolean, Text][] = [
    [a.info.course !== b.info.course, { en: "versions of the course", ko: "과정의 버전" }],
    [a.info.seed !== b.info.seed, { en: "seeds", ko: "시드" }],
    [a.info.lessons.join() !== b.info.lessons.join(), { en: "lessons", ko: "강" }],
    [a.info.lang !== b.info.lang, { en: "languages", ko: "언어" }],
    [a.shard.of !== b.shard.of, { en: "numbers of parts", ko: "전체 조각 수" }],
    [JSON.stringify(a.info.students) !== JSON.stringify(b.info.students), {
      en: "submissions",
      ko: "제출물",
    }],
  ];
  const [, what] = differs.find(([is]) => is) ?? [];
  if (what) refuse(`they have different ${what.en} (${both})`, `${what.ko} 다릅니다(${both})`);
}

function refuseGaps(parts: Part[]): void {
  const { of } = parts[0]!.shard;
  for (let index = 1; index <= of; index++) {
    const those = parts.filter(({ shard }) => shard.index === index);
    if (those.length === 0) {
      refuse(`part ${index}/${of} is missing`, `${index}/${of} 조각이 없습니다`);
    }
    if (those.length > 1) {
      const names = those.map(({ folder }) => `"${folder.dir}"`).join(", ");
      refuse(
        `part ${index}/${of} is there ${those.length} times (${names})`,
        `${index}/${of} 조각이 ${those.length}개 있습니다(${names})`,
      );
    }
  }
}

async function refuseFull(out: string): Promise<void> {
  try {
    for await (const _ of Deno.readDir(out)) {
      throw new CommandError({
        en: `"${out}" is not empty: nothing was written.`,
        ko: `"${out}" 폴더가 비어 있지 않아 쓰지 않았습니다.`,
      });
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function copyGraded(part: Part, to: ResultsFolder, info: ClassInfo): Promise<void> {
  for (const student of studentsOf(part.info)) {
    const graded = await part.folder.readGraded(student);
    if (!graded) {
      refuse(
        `"${part.folder.dir}" has no result of "${student.name}" yet`,
        `"${part.folder.dir}" 에 "${student.name}" 의 결과가 아직 없습니다`,
      );
    }
    if (graded.result.course !== info.course || graded.result.seed !== info.seed) {
      refuse(
        `the result of "${student.name}" is of another course or seed`,
        `"${student.name}" 의 결과는 다른 과정이나 시드로 채점한 것입니다`,
      );
    }
    await writeWhole(to.graded(student.key), toJson(graded));
  }
}
