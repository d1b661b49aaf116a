/**
 * Loaded before a suite's own file, which takes longer to load than this: the learner's processes start meanwhile.
 *
 * @module
 */

import { startEarly } from "./exercise.ts";

startEarly();
