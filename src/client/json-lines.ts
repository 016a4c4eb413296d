/** A stream of JSON values, one a line: events, stats. */

/** A line that never ends would fill memory. */
const LINE_MAX_BYTES = 16 * 1024 * 1024;

/** Each line as it is: a program that prints JSON need not read it. */
export async function* readLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > LINE_MAX_BYTES) throw new Error("the engine sent a line of over 16 MiB");
    for (const line of lines) if (line.trim() !== "") yield line;
  }
  if (rest.trim() !== "") yield rest;
}
