/** `orlop top`. */
import { command } from "./context.ts";
import { formatTable } from "./format-table.ts";

export const top = command({
  name: "top",
  summary: "List a container's processes",
  description: "Takes the options of ps: -ef (the default), aux, or -o with a list of columns.",
  args: "CONTAINER [PS-OPTION...]",
  flagPlaces: "before-arguments",
  flags: {},
  inEngine: true,
  examples: ["orlop top web", "orlop top web aux", "orlop top web -o pid,rss,args"],
  async run({ args: [container = "", ...options], engine, stdout }) {
    const { Titles, Processes } = await engine.containers.top(container, options.join(" "));
    await stdout.write(formatTable(Titles, Processes));
  },
});
