/**
 * The model solution of lesson 8 and programs that nobody here wrote: tshark, and the
 * kernel that made the captured frames.
 *
 * What tshark found is kept beside each capture (tests/captures/08_segments), and compared with the tshark of this
 * machine where there is one. A test whose program is not here is ignored, and its name says why.
 */

import { assert, assertEquals } from "@std/assert";
import {
  addressBytes,
  addressText,
  type CapturedSegment,
  decapsulate,
  encapsulate,
  type Packet,
  readCapture,
} from "../../solutions/08_segments/exercise.ts";
import { dissect, type Dissected, hasTshark } from "../captures/08_segments/dissect.ts";
import { ipBytes, pcapFile, pcapRecords, type PcapStyle } from "../support/segments.ts";

const folder = new URL("../captures/08_segments/", import.meta.url);
const names = [...Deno.readDirSync(folder)].map(({ name }) => name)
  .filter((name) => name.endsWith(".pcap")).sort();
const pathOf = (name: string) => decodeURIComponent(new URL(name, folder).pathname);
const without = hasTshark() ? "" : " (ignored: there is no tshark here)";

/** What both tell of a segment. */
function told(segment: CapturedSegment) {
  const { protocol, source, sourcePort, destination, destinationPort, payload, checksum } = segment;
  const hex = payload.toHex();
  return { protocol, source, sourcePort, destination, destinationPort, payload: hex, checksum };
}

function expectAgreement(segments: CapturedSegment[], dissected: Dissected[]): void {
  assertEquals(segments.map(told), dissected.map(({ record: _, time: __, ...rest }) => rest));
  segments.forEach(({ timeMs }, i) => {
    assert(Math.abs(timeMs - Number(dissected[i]!.time) * 1000) < 0.001, `${timeMs}`);
  });
}

for (const name of names) {
  Deno.test(`lesson 8: readCapture() finds in ${name} what tshark found`, async () => {
    const file = await Deno.readFile(pathOf(name));
    const kept = await Deno.readTextFile(pathOf(name.replace(/pcap$/, "tshark.json")));
    expectAgreement(readCapture(file), JSON.parse(kept));
  });
}

Deno.test({
  name: `lesson 8: the tshark of this machine finds what was kept${without}`,
  ignore: without !== "",
  fn: async () => {
    for (const name of names) {
      const kept = await Deno.readTextFile(pathOf(name.replace(/pcap$/, "tshark.json")));
      const withoutZeros = (all: Dissected[]) =>
        all.map((one) => ({ ...one, time: one.time.replace(/\.?0+$/, "") }));
      assertEquals(withoutZeros(await dissect(pathOf(name))), withoutZeros(JSON.parse(kept)), name);
    }
  },
});

/** The files that the suite makes of the captures: the other byte order, loopback link types. */
const rewritten: [name: string, style: Partial<PcapStyle>][] = [
  ["udp4", { littleEndian: false }],
  ["tcp6", { littleEndian: false }],
  ["nanoseconds", { littleEndian: false, nano: true }],
  ["udp4", { linkType: 0 }],
  ["tcp6", { linkType: 108 }],
];

Deno.test({
  name: `lesson 8: readCapture() and tshark agree on rewritten captures${without}`,
  ignore: without !== "",
  fn: async () => {
    for (const [name, style] of rewritten) {
      const { linkType } = style;
      const records = pcapRecords(await Deno.readFile(pathOf(`${name}.pcap`))).map((record) => {
        if (linkType === undefined) return record;
        const packet = record.bytes.slice(14);
        const family = packet[0]! >> 4 === 6 ? 30 : 2;
        const header = linkType === 0 ? [family, 0, 0, 0] : [0, 0, 0, family];
        return {
          ...record,
          bytes: Uint8Array.of(...header, ...packet),
          original: packet.length + 4,
        };
      });
      const file = pcapFile(records, style);
      const path = await Deno.makeTempFile({ suffix: ".pcap" });
      try {
        await Deno.writeFile(path, file);
        expectAgreement(readCapture(file), await dissect(path));
      } finally {
        await Deno.remove(path);
      }
    }
  },
});

Deno.test({
  name: `lesson 8: tshark finds nothing to object to in the frames of encapsulate()${without}`,
  ignore: without !== "",
  fn: async () => {
    const frame = { sourceMac: "02:00:00:00:00:01", destinationMac: "02:00:00:00:00:02" };
    const ends = [["192.0.2.1", "192.0.2.99"], ["2001:db8::1", "fd00:0:0:1::7"]] as const;
    const packets = ends.flatMap(([source, destination]) =>
      [0, 1, 5, 18, 19, 500, 501].map((length): Packet => ({
        source,
        destination,
        sourcePort: 40_000 + length,
        destinationPort: 50_000 + length,
        payload: Uint8Array.from({ length }, (_, i) => i * 31),
      }))
    );
    const records = packets.map((packet, i) => ({
      seconds: 1_700_000_000 + i,
      nanoseconds: 0,
      bytes: encapsulate(packet, frame),
    }));
    const path = await Deno.makeTempFile({ suffix: ".pcap" });
    try {
      await Deno.writeFile(path, pcapFile(records));
      const found = await dissect(path);
      const right = packets.map((packet) => ({
        ...packet,
        payload: packet.payload.toHex(),
        checksum: "good",
        protocol: "udp",
      }));
      assertEquals(found.map(({ record: _, time: __, ...rest }) => rest) as unknown, right);
      // The checks that dissect() does not ask for: IP's own checksum, lengths, malformed packets.
      const { stdout } = await new Deno.Command("tshark", {
        args: ["-r", path, "-o", "ip.check_checksum:TRUE", "-Y", "_ws.expert.severity >= 6291456"],
        stderr: "null",
        stdin: "null",
      }).output();
      assertEquals(new TextDecoder().decode(stdout), "");
    } finally {
      await Deno.remove(path);
    }
  },
});

Deno.test("lesson 8: encapsulate() makes the frames of the kernel again", async () => {
  for (const name of ["udp4", "udp6", "padded"]) {
    const records = pcapRecords(await Deno.readFile(pathOf(`${name}.pcap`)));
    for (const { bytes } of records) {
      const packet = decapsulate(bytes);
      const again = encapsulate(packet, packet);
      assertEquals(decapsulate(again), packet);
      const isV4 = addressBytes(packet.source).length === 4;
      // Identification and flow label are the kernel's to choose, and IPv4's checksum covers the one.
      const from = isV4 ? 26 : 18;
      assertEquals(again.subarray(from, bytes.length), bytes.subarray(from, again.length));
    }
  }
});

Deno.test("lesson 8: the given address functions and URL parsers agree", () => {
  const texts = ["::", "::1", "1::", "fe80::1:2", "2001:DB8:0:0:1:0:0:1", "::ffff:192.0.2.33"];
  for (const text of [...texts, "0.0.0.0", "255.255.255.255", "192.0.2.1"]) {
    assertEquals(addressBytes(text), ipBytes(text)!, text);
    assertEquals(addressBytes(addressText(addressBytes(text))), addressBytes(text), text);
  }
  for (const text of ["", ":", "1.2.3", "1.2.3.256", "1::2::3", "1:2:3:4:5:6:7", "::12345", "x"]) {
    let error: unknown;
    try {
      addressBytes(text);
    } catch (caught) {
      error = caught;
    }
    assert(error instanceof TypeError, text);
  }
});
