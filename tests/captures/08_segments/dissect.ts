/**
 * What tshark finds in a capture, reduced to what `readCapture()` tells.
 *
 * As a program, writes `NAME.tshark.json` beside every `NAME.pcap` of this folder:
 *
 *     deno run --no-check --allow-read --allow-write --allow-run=tshark tests/captures/08_segments/dissect.ts
 *
 * @module
 */

/** A UDP or TCP segment as tshark sees it; `record` is the number of its record, from 1. */
export interface Dissected {
  record: number;
  /** Seconds since the epoch, as text: no fraction is lost. */
  time: string;
  protocol: "udp" | "tcp";
  source: string;
  sourcePort: number;
  destination: string;
  destinationPort: number;
  payload: string;
  checksum: "good" | "bad" | "none";
}

const FIELDS = [
  "frame.number",
  "frame.time_epoch",
  "frame.cap_len",
  "frame.len",
  "ip.src",
  "ip.dst",
  "ipv6.src",
  "ipv6.dst",
  "ip.flags.mf",
  "ip.frag_offset",
  "icmp.type",
  "icmpv6.type",
  "udp.srcport",
  "udp.dstport",
  "udp.payload",
  "udp.checksum.status",
  "tcp.srcport",
  "tcp.dstport",
  "tcp.payload",
  "tcp.checksum.status",
] as const;
type Field = typeof FIELDS[number];

/** tshark's numbers for a checksum: 0 is wrong, 1 is right, 2 was not verified, 3 is not there. */
const STATUS: Record<string, Dissected["checksum"]> = { 0: "bad", 1: "good", 2: "none", 3: "none" };

/** Whether tshark can be started here. */
export function hasTshark(): boolean {
  try {
    return new Deno.Command("tshark", { args: ["--version"], stdout: "null", stderr: "null" })
      .outputSync().success;
  } catch {
    return false;
  }
}

/** The segments that tshark finds in the file at `path`. */
export async function dissect(path: string): Promise<Dissected[]> {
  const { success, stdout, stderr } = await new Deno.Command("tshark", {
    args: [
      ...["-r", path, "-T", "fields", "-E", "separator=|", "-E", "occurrence=f"],
      ...["udp.check_checksum:TRUE", "tcp.check_checksum:TRUE", "ip.defragment:FALSE"]
        .flatMap((option) => ["-o", option]),
      // Only what is carried counts, not what a port number may mean.
      ...["--disable-heuristic", "http_tcp"],
      ...FIELDS.flatMap((field) => ["-e", field]),
    ],
    stdin: "null",
  }).output();
  if (!success) throw new Error(`tshark failed: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "").flatMap(
    (line) => {
      const values = line.split("|");
      return reduced(Object.fromEntries(FIELDS.map((field, i) => [field, values[i] ?? ""])) as Row);
    },
  );
}

type Row = Record<Field, string>;

function reduced(row: Row): Dissected[] {
  const protocol = row["udp.srcport"] ? "udp" as const : "tcp" as const;
  const isFragment = row["ip.flags.mf"] === "1" || Number(row["ip.frag_offset"]) > 0;
  // An ICMP error quotes the headers of the packet that it answers.
  const isIcmp = row["icmp.type"] !== "" || row["icmpv6.type"] !== "";
  if (!row[`${protocol}.srcport`] || isFragment || isIcmp) return [];
  const isCut = row["frame.cap_len"] !== row["frame.len"];
  return [{
    record: Number(row["frame.number"]),
    time: row["frame.time_epoch"],
    protocol,
    source: row["ip.src"] || row["ipv6.src"],
    sourcePort: Number(row[`${protocol}.srcport`]),
    destination: row["ip.dst"] || row["ipv6.dst"],
    destinationPort: Number(row[`${protocol}.dstport`]),
    payload: row[`${protocol}.payload`],
    checksum: isCut ? "none" : STATUS[row[`${protocol}.checksum.status`]] ?? "none",
  }];
}

if (import.meta.main) {
  const folder = new URL(".", import.meta.url);
  for (const { name } of Deno.readDirSync(folder)) {
    if (!name.endsWith(".pcap")) continue;
    const { pathname } = new URL(name, folder);
    const segments = await dissect(decodeURIComponent(pathname));
    const file = new URL(name.replace(/pcap$/, "tshark.json"), folder);
    await Deno.writeTextFile(file, `${JSON.stringify(segments, null, 2)}\n`);
  }
}
