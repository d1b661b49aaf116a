// Tries to read the solution and the suite by deferred imports, source imports and the imports of a WebAssembly module; must get 2 of 2 points.

// deno-lint-ignore-file
const files = ["solutions/01_create_bind/exercise.ts", "tests/01_create_bind_test.ts"].map((name) => `ROOT_URL/${name}`);
const bytes = (text: string) => [...new TextEncoder().encode(text)];
const counted = (list: number[]) => [list.length % 128 + (list.length > 127 ? 128 : 0), ...(list.length > 127 ? [list.length >> 7] : []), ...list];

/** A module that passes on a function which it imports from `file` (WebAssembly core specification, section 5.5). */
function wasm(file: string): string {
  const imports = [1, ...counted(bytes(file)), ...counted(bytes("openTcpSocket")), 0, 0];
  const exports = [1, ...counted(bytes("f")), 0, 0];
  const section = (id: number, list: number[]) => [id, ...counted(list)];
  const module = [0, 97, 115, 109, 1, 0, 0, 0, ...section(1, [1, 0x60, 0, 0]), ...section(2, imports), ...section(7, exports)];
  return new Uint8Array(module).toBase64();
}

for (const file of files) {
  const quoted = JSON.stringify(file);
  const codes = [
    `import defer * as s from ${quoted}; export default s;`,
    `import source s from ${quoted}; export default s;`,
    `export * from ${quoted};`,
  ];
  const attempts = [
    ...codes.map((code) => () => import(`data:application/javascript,${encodeURIComponent(code)}`)),
    () => new Function(`return import.defer(${quoted})`)(),
    () => new Function(`return import.source(${quoted})`)(),
    () => import(`data:application/wasm;base64,${wasm(file)}`),
    () => import(URL.createObjectURL(new Blob([Uint8Array.fromBase64(wasm(file))], { type: "application/wasm" }))),
  ];
  for (const attempt of attempts) {
    try {
      console.log(`ESCAPED: ${Object.keys(await attempt())}`);
    } catch {
      // Refused, as it has to be.
    }
  }
}

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
