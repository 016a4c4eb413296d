/** `orlop logout`. */
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
    const isRemoved = await new DockerConfig(env).remove(host);
    const shown = host === "docker.io" ? "https://index.docker.io/v1/" : host;
    // No error, as with Docker: scripts log out at their end, whatever they did before.
    await print(isRemoved ? `Removing login credentials for ${shown}` : `Not logged in to ${shown}`);
    return 0;
  },
});
