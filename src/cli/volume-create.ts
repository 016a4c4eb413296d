/** `orlop volume create`. */

import { command } from "./context.ts";
import { parseKeyValues, parseOptions } from "./key-values.ts";

export const volumeCreate = command({
  name: "create",
  summary: "Make a volume",
  args: "[NAME]",
  flags: {
    driver: { type: "text", short: "d", value: "DRIVER", help: "local, which is the only one" },
    opt: {
      type: "list",
      short: "o",
      value: "KEY=VALUE",
      help: "Option of the local driver: type, device and o, as mount(8) has them",
    },
    label: { type: "list", value: "KEY=VALUE", help: "Set a label" },
    name: { type: "text", value: "NAME", hidden: true, help: "The same as NAME" },
    availability: { type: "later", takesValue: true, help: "" },
    group: { type: "later", takesValue: true, help: "" },
    limitBytes: { type: "later", takesValue: true, help: "" },
    requiredBytes: { type: "later", takesValue: true, help: "" },
    scope: { type: "later", takesValue: true, help: "" },
    secret: { type: "later", takesValue: true, help: "" },
    sharing: { type: "later", takesValue: true, help: "" },
    topologyPreferred: { type: "later", takesValue: true, help: "" },
    topologyRequired: { type: "later", takesValue: true, help: "" },
    type: { type: "later", takesValue: true, help: "" },
  },
  inEngine: true,
  examples: ["orlop volume create data", "orlop volume create -o type=tmpfs -o device=tmpfs -o o=size=100m scratch"],
  async run({ args, flags, engine, print }) {
    const { Name } = await engine.volumes.create({
      Name: args[0] ?? flags.name ?? "",
      Driver: flags.driver ?? "",
      DriverOpts: parseOptions(flags.opt, "--opt"),
      Labels: parseKeyValues(flags.label, "--label"),
    });
    await print(Name);
    return 0;
  },
});
