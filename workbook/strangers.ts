/**
 * What the process of a suite has to know to start processes for strangers' code.
 *
 * @module
 */

import type { SandboxLevel } from "./grading/model.ts";

/** How the exercise's processes are kept in. Travels as JSON in an environment variable of the suite. */
export interface Strangers {
  level: SandboxLevel;
  /** The import map of the exercise's processes, an absolute path. */
  importMap: string;
  /** A cache directory that has what the host needs and nothing else: each process gets a copy. */
  cache: string;
  /** Where those copies are made. */
  work: string;
  /** The suite has rights over its namespaces, which the exercise's processes must not have. */
  hasRights: boolean;
}

/** A private network and file system of the suite's: read by `inside.ts` before anything else is loaded. */
export interface Inside {
  /** An empty folder on which the new root is built. */
  base: string;
  /** What is seen in it, besides the system's programs: absolute paths, read-only. */
  readable: string[];
  /** Where temporary files are made: its contents vanish with the namespace. */
  tmp: string;
}

/** The environment variables of both. */
export const STRANGERS_ENV = {
  strangers: "WORKBOOK_STRANGERS",
  inside: "WORKBOOK_INSIDE",
} as const;
