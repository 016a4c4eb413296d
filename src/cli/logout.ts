/** `orlop logout`. */
import { OrlopError } from "../base/errors.ts";
import { DockerConfig } from "../client/docker-config.ts";
import { command } from "./context.ts";
import { hostOfServer } from "./server-argument.ts";

export const logout = command({
  name: "logout",
  summary: "Forget the login for a registry",
  args: "[SERVER]",
  flags: {},
  examples: ["orlop logout registry.example.com"],
  async run({ args, env, print }) {
    const host = hostOfServer(args[0]);
    if (!(await new DockerConfig(env).remove(host))) throw OrlopError.of("not_logged_in", { host });
    await print(`Removing login credentials for ${host === "docker.io" ? "https://index.docker.io/v1/" : host}`);
    return 0;
  },
});
