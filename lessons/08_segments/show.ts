/**
 * Prints the segments of a capture file, as your `readCapture()` reads it.
 *
 * ```sh
 * deno run --allow-read lessons/08_segments/show.ts my.pcap
 * ```
 *
 * A line for each segment: when it came, in milliseconds after the first one, then its protocol, its two
 * ends, the state of its checksum, and the payload. With `--solution` the model reads it.
 *
 * @module
 */

interface Segment {
  timeMs: number;
  protocol: string;
  source: string;
  sourcePort: number;
  destination: string;
  destinationPort: number;
  payload: Uint8Array;
  checksum: string;
}

/** Bytes of a payload that are shown. */
const SHOWN_BYTES = 40;

const files = Deno.args.filter((arg) => arg !== "--solution");
const folder = files.length < Deno.args.length ? "../../solutions/08_segments" : ".";
if (files.length !== 1) {
  console.error("Usage: deno run --allow-read lessons/08_segments/show.ts [--solution] FILE");
  Deno.exit(2);
}
const { readCapture } = await import(import.meta.resolve(`${folder}/exercise.ts`)) as {
  readCapture(file: Uint8Array): Segment[];
};

function end(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** The payload as text, as far as it is ASCII; every other byte is a dot, as tcpdump(8) has it. */
function shown(payload: Uint8Array): string {
  const text = [...payload.subarray(0, SHOWN_BYTES)]
    .map((byte) => byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")
    .join("");
  return payload.length > SHOWN_BYTES ? `"${text}" …` : `"${text}"`;
}

const segments = readCapture(Deno.readFileSync(files[0]!));
for (const segment of segments) {
  const { protocol, checksum, payload } = segment;
  const after = (segment.timeMs - segments[0]!.timeMs).toFixed(3).padStart(9);
  const source = end(segment.source, segment.sourcePort);
  const destination = end(segment.destination, segment.destinationPort);
  const bytes = payload.length === 1 ? "1 byte" : `${payload.length} bytes`;
  console.log(
    `${after} ms  ${protocol}  ${source} → ${destination}  ${checksum.padEnd(4)}  ` +
      (payload.length === 0 ? "no payload" : `${bytes} ${shown(payload)}`),
  );
}
