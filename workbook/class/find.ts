/**
 * Grades what somebody handed in, wherever in it the exercises lie.
 *
 * @module
 */

import {
  gradeSubmission,
  type SubmissionRequest,
  type SubmissionResult,
} from "../grading/submission.ts";
import { filesOf } from "./roster.ts";
import { type Staged, takeStudent, writeStaged } from "./stage.ts";
import { folderEntries } from "./tree.ts";

/** Grades exercises that were found before. They lie in a folder of their own meanwhile. */
export async function gradeStaged(
  staged: Staged,
  request: Omit<SubmissionRequest, "dir">,
  grade: (request: SubmissionRequest) => Promise<SubmissionResult> = gradeSubmission,
): Promise<SubmissionResult> {
  const dir = await Deno.makeTempDir({ prefix: "workbook_submission_" });
  try {
    await writeStaged(dir, staged);
    const result = await grade({ ...request, dir });
    result.ignored = staged.ignored;
    for (const lesson of result.lessons) {
      const why = staged.refused.get(lesson.lesson) ?? staged.problem;
      if (why) lesson.message ??= why[request.lang];
    }
    return result;
  } finally {
    await Deno.remove(dir, { recursive: true }).catch(() => {});
  }
}

/** Like {@linkcode gradeSubmission}, but looks for the exercises also deeper in the folder, and in archives. */
export async function gradeFound(
  request: SubmissionRequest & { lessons: NonNullable<SubmissionRequest["lessons"]> },
): Promise<SubmissionResult> {
  const { dir, lessons } = request;
  const files = () => filesOf([{ name: dir, kind: "folder", entries: () => folderEntries(dir) }]);
  return await gradeStaged(await takeStudent({ files }, lessons.map(({ slug }) => slug)), request);
}
