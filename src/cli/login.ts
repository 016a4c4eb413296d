/** `orlop login`. */
import { OrlopError } from "../base/errors.ts";
import { DockerConfig } from "../client/docker-config.ts";
import { command } from "./context.ts";
import { hostOfServer } from "./server-argument.ts";

export const login = command({
  name: "login",
  summary: "Log in to a registry, and keep the login in ~/.docker/config.json or with its credential helper",
  args: "[SERVER]",
  flags: {
    username: { type: "text", short: "u", value: "NAME", help: "Name of the user" },
    password: {
      type: "text",
      short: "p",
      value: "PASSWORD",
      help: "Password; other users of this machine can see it on the command line",
    },
    passwordStdin: { type: "switch", help: "Read the password from standard input" },
  },
  examples: [
    "orlop login -u me registry.example.com",
    "pass show registry | orlop login -u me --password-stdin localhost:5000",
  ],
  async run({ args, flags, engine, env, print, warn, stderr }) {
    if (flags.password !== undefined && flags.passwordStdin)
      throw OrlopError.of("flags_conflict", { first: "--password", second: "--password-stdin" });
    const host = hostOfServer(args[0]);
    const config = new DockerConfig(env);
    if (flags.password !== undefined)
      await warn("orlop: warning: a password on the command line can be seen by others: use --password-stdin");
    const username = flags.username ?? (flags.passwordStdin ? undefined : await ask(stderr, "Username: "));
    if (username === undefined || username === "")
      throw OrlopError.of("flag_needs_value", { flag: "--username", value: "NAME" });
    const password = flags.password ?? (flags.passwordStdin ? await passwordFromInput() : await askHidden(stderr));
    const serveraddress = host === "docker.io" ? "https://index.docker.io/v1/" : host;
    const { Status, IdentityToken } = await engine.system.auth({ username, password, serveraddress });
    const kept = IdentityToken === "" ? { username, password } : { username, identitytoken: IdentityToken };
    const where = await config.save(host, { ...kept, serveraddress });
    if (where === config.path) await warn(`orlop: warning: the password is kept unencrypted in ${where}`);
    await print(Status);
    return 0;
  },
});

/** Everything on standard input, without the line's end that `echo` adds. */
async function passwordFromInput(): Promise<string> {
  return (await Bun.stdin.text()).replace(/\r?\n$/, "");
}

async function ask(stderr: { write(text: string): Promise<void> }, question: string): Promise<string> {
  await stderr.write(question);
  for await (const line of console) return line.trim();
  await stderr.write("\n"); // standard input has ended
  return "";
}

/** Without echo where standard input is a terminal. */
async function askHidden(stderr: { write(text: string): Promise<void> }): Promise<string> {
  const { hideInput } = await import("./terminal.ts");
  const hidden = hideInput();
  try {
    await stderr.write("Password: ");
    for await (const line of console) return line.replace(/\r$/, "");
    return "";
  } finally {
    hidden.restore();
    await stderr.write("\n");
  }
}
