/**
 * Folders as URLs, and back to paths.
 *
 * `node:path` and `node:url` do this too, but loading the first `node:` module costs each command about 5 ms;
 * so they are loaded only where a path of the user's has to be understood.
 *
 * @module
 */

/** The folder `root`, a path or a `file:` URL, as a URL that ends in a slash. */
export async function folderOf(root: URL | string): Promise<URL> {
  if (root instanceof URL || root.startsWith("file:")) return withSlash(new URL(root));
  const { pathToFileURL } = await import("node:url");
  return withSlash(pathToFileURL(root));
}

function withSlash(url: URL): URL {
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url;
}

/** The path of a `file:` URL in the way of this system. */
export function pathOf(url: URL): string {
  const path = decodeURIComponent(url.pathname);
  if (Deno.build.os !== "windows") return path;
  const local = url.host ? `//${url.host}${path}` : path.replace(/^\/(?=[A-Za-z]:)/, "");
  return local.replaceAll("/", "\\");
}
