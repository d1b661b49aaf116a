/**
 * `readable` and `writable` of a connection, made of its `read()` and `write()`.
 *
 * Deno's own streams go past those two, and so past the limits and faults of a suite. These behave like
 * Deno's: chunks of up to 64 KiB, read only when asked for; the end of `readable`, cancelling it, and closing
 * or aborting `writable` close the whole connection, and so does an error, which whoever wrote is told of.
 *
 * @module
 */

const CHUNK_BYTES = 64 * 1024;

const streamClasses = { ReadableStream, WritableStream };

/** What a stream needs of its connection. */
export interface StreamEnds {
  read(buffer: Uint8Array): Promise<number | null>;
  write(data: Uint8Array): Promise<number>;
  /** Closes the connection; a second time is no error. */
  close(): void;
}

/** A stream of what the connection receives. */
export function makeReadable({ read, close }: StreamEnds): ReadableStream<Uint8Array> {
  return new streamClasses.ReadableStream({
    type: "bytes",
    autoAllocateChunkSize: CHUNK_BYTES,
    async pull(controller) {
      const request = controller.byobRequest!;
      try {
        const size = await read(request.view as Uint8Array);
        if (size) return request.respond(size);
        close();
        controller.close();
        request.respond(0);
      } catch (error) {
        controller.error(error);
        close();
      }
    },
    cancel: close,
  });
}

/** A stream that sends every byte of what is written to it. */
export function makeWritable({ write, close }: StreamEnds): WritableStream<Uint8Array> {
  return new streamClasses.WritableStream({
    async write(chunk) {
      try {
        for (let done = 0; done < chunk.length;) {
          done += await write(done === 0 ? chunk : chunk.subarray(done));
        }
      } catch (error) {
        close();
        throw error;
      }
    },
    close,
    abort: close,
  });
}
