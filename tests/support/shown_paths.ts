/**
 * Names of temporary folders, which differ per run and say nothing to the learner: they are shown by short names.
 *
 * @module
 */

const shortNames = new Map<string, string>();

/** Shows the folder `path` as `name` from now on. */
export function showAs(path: string, name: string): void {
  shortNames.set(path, name);
}

/** The text with such folders by their short names. */
export function withShortPaths(text: string): string {
  for (const [path, name] of shortNames) text = text.replaceAll(path, name);
  return text;
}
