/**
 * The result model itself.
 *
 * @module
 */

import { type Format, wellFormed } from "./common.ts";

/** One JSON document. */
export const json: Format = (result) => `${JSON.stringify(wellFormed(result), null, 2)}\n`;
