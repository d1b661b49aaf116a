/**
 * The formats in which a submission's result can be written, by name.
 *
 * @module
 */

import { classroom } from "./classroom.ts";
import type { Format } from "./common.ts";
import { exercism } from "./exercism.ts";
import { gradescope } from "./gradescope.ts";
import { json } from "./json.ts";
import { junit } from "./junit.ts";
import { moodle } from "./moodle.ts";
import { text } from "./text.ts";
import { vpl } from "./vpl.ts";

export type { Format } from "./common.ts";

/** All formats. Each is made from the result alone, so that none can have other totals than another. */
export const FORMATS: Record<string, Format> = {
  json,
  gradescope,
  classroom,
  exercism,
  junit,
  moodle,
  vpl,
  text,
};
