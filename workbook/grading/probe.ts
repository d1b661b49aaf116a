/**
 * Run in namespaces to see whether they hold: prints `closed` if so.
 *
 * @module
 */

/** Whether a connection on the loopback interface works, and the network has nothing else. */
async function networkIsOwn(): Promise<boolean> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const [mine, theirs] = await Promise.all([
    Deno.connect({ hostname: "127.0.0.1", port }),
    listener.accept(),
  ]);
  mine.close();
  theirs.close();
  return Deno.networkInterfaces().every(({ name }) => name === "lo");
}

/** Whether the root holds nothing that was not put there. */
function filesAreOwn(): boolean {
  const names = Array.from(Deno.readDirSync("/proc"), ({ name }) => name);
  const processes = names.filter((name) => /^\d+$/.test(name));
  try {
    Deno.writeTextFileSync("/written", "");
    return false;
  } catch {
    return processes.join() === "1";
  }
}

if (await networkIsOwn() && filesAreOwn()) console.log("closed");
