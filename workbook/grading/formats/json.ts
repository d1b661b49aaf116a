/**
 * The result model itself.
 *
 * @module
 */

import { type Format, wellFormed } from "./common.ts";

/** What JSON lets stand as it is, and terminals and older parsers do not. */
const ESCAPED = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffe\uffff]/g;

/** One JSON document. */
export const json: Format = (result) =>
  `${JSON.stringify(wellFormed(result), null, 2).replace(ESCAPED, escaped)}\n`;

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
