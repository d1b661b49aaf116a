/**
 * The stub of a lesson as the course has it, whatever the learner made of theirs: `tests/stubs/NN_slug.ts`.
 *
 * It is a copy of the exercise, made by `deno task check --update` and held equal to it by `deno task check`.
 *
 * @module
 */

/** Where the copy of a lesson's stub lies, in the workbook. */
export function stubPath(slug: string): string {
  return `tests/stubs/${slug}.ts`;
}

/** The stub of a lesson, if the course has a copy of it. */
export async function stubOf(root: string, slug: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(`${root}/${stubPath(slug)}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Whether nothing of an exercise with these tasks has been written yet: each part with a TODO still throws. */
export function isUntouched(source: string, tasks: number[]): boolean {
  return tasks.every((task) => source.includes(`TODO(task ${task})`)) &&
    source.split(/^(?=export )/m).every((part) =>
      !part.includes("TODO(task ") || part.includes("Not implemented")
    );
}
