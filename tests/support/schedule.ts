/**
 * Which test each of several runners takes next.
 *
 * The first runner begins with the first task, which is told first; the others begin with the last one, since later
 * tasks take longer. Whoever finds no task that is not begun helps with the one that has most tests left, from its end.
 *
 * @module
 */

/** Tests to be taken, each once. */
export class Schedule<T extends { task: number }> {
  /** Tests of each task that is not begun. */
  readonly #tasks: T[][];
  /** What is left of the task that each runner has begun, by its number. */
  readonly #begun = new Map<number, T[]>();

  constructor(tests: T[]) {
    this.#tasks = [...Map.groupBy(tests, ({ task }) => task).values()];
  }

  /** Whether `runner` has tests left of the task that it has begun. */
  isAmidTask(runner: number): boolean {
    return (this.#begun.get(runner)?.length ?? 0) > 0;
  }

  /** The next test for `runner`, a number from 0; none if all are taken. */
  next(runner: number): T | undefined {
    const own = this.#begun.get(runner);
    if (own && own.length > 0) return own.shift();
    const task = runner === 0 ? this.#tasks.shift() : this.#tasks.pop();
    if (task) {
      this.#begun.set(runner, task);
      return task.shift();
    }
    const longest = [...this.#begun.values()].reduce((a, b) => b.length > a.length ? b : a, []);
    return longest.pop();
  }
}
