/**
 * A pseudo-terminal for measurements and tests, which Deno cannot open: Python's is taken where there is one.
 *
 * @module
 */

/** Runs a command on a terminal of its own; what is typed comes in, what is shown goes out. */
const RELAY = `
import fcntl, os, pty, select, struct, sys, termios
pid, master = pty.fork()
if pid == 0:
    os.execvp(sys.argv[3], sys.argv[3:])
fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", int(sys.argv[2]), int(sys.argv[1]), 0, 0))
typed = True
while True:
    ready, _, _ = select.select([master, 0] if typed else [master], [], [])
    try:
        if master in ready:
            data = os.read(master, 65536)
            if not data:
                break
            os.write(1, data)
        if typed and 0 in ready:
            data = os.read(0, 65536)
            if not data:
                break
            os.write(master, data)
    except OSError:
        break
os.close(master)
os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 255)
`;

/** Whether a program can be started. */
export async function hasProgram(name: string, ...args: string[]): Promise<boolean> {
  try {
    const command = new Deno.Command(name, { args, stdin: "null", stdout: "null", stderr: "null" });
    return (await command.output()).success;
  } catch {
    return false;
  }
}

/** Whether there is a pseudo-terminal to be had. */
export function hasPty(): Promise<boolean> {
  return hasProgram("python3", "-c", "import fcntl, pty, termios");
}

/** The command and arguments that run `command` on a terminal of that size. */
export function onPty(command: string[], { columns = 80, rows = 24 } = {}): [string, string[]] {
  return ["python3", ["-c", RELAY, `${columns}`, `${rows}`, ...command]];
}
