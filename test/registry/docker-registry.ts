/** Debian's docker-registry on loopback, with a storage of its own. */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface DockerRegistryOptions {
  readonly tls?: boolean;
  /** Its only user, with this password. */
  readonly login?: { readonly username: string; readonly password: string };
}

export class DockerRegistry implements AsyncDisposable {
  readonly host: string;
  readonly folder: string;
  readonly #exited: Promise<unknown>;
  readonly #stop: () => void;

  private constructor(host: string, folder: string, exited: Promise<unknown>, stop: () => void) {
    this.host = host;
    this.folder = folder;
    this.#exited = exited;
    this.#stop = stop;
  }

  /** The authority that signed the registry's certificate. */
  get ca(): string {
    return join(this.folder, "cert.pem");
  }

  static async open(options: DockerRegistryOptions = {}): Promise<DockerRegistry> {
    const folder = mkdtempSync(join(tmpdir(), "orlop-registry-"));
    const port = await freePort();
    const host = `127.0.0.1:${port}`;
    if (options.tls === true) makeCertificate(folder);
    if (options.login !== undefined) makePasswords(folder, options.login);
    const lines = [
      "version: 0.1",
      "log: {level: error, accesslog: {disabled: true}}",
      `storage: {filesystem: {rootdirectory: ${folder}/data}, delete: {enabled: true}}`,
      `http: {addr: ${host}${options.tls === true ? `, tls: {certificate: ${folder}/cert.pem, key: ${folder}/key.pem}` : ""}}`,
      ...(options.login === undefined ? [] : [`auth: {htpasswd: {realm: test, path: ${folder}/htpasswd}}`]),
    ];
    writeFileSync(join(folder, "config.yml"), lines.join("\n"));
    const child = spawn("docker-registry", ["serve", join(folder, "config.yml")], { stdio: "ignore" });
    const exited = new Promise((resolve) => child.on("exit", resolve));
    const registry = new DockerRegistry(host, folder, exited, () => void child.kill("SIGKILL"));
    const scheme = options.tls === true ? "https" : "http";
    while ((await answers(`${scheme}://${host}/v2/`)) === false) {
      if (child.exitCode !== null) throw new Error(`docker-registry ended with ${child.exitCode}`);
      await Bun.sleep(10);
    }
    return registry;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop();
    await this.#exited;
    rmSync(this.folder, { recursive: true });
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    await (await fetch(url, { tls: { rejectUnauthorized: false } })).arrayBuffer();
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === "ECONNREFUSED") return false;
    throw error;
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

function makeCertificate(folder: string): void {
  const files = ["-keyout", join(folder, "key.pem"), "-out", join(folder, "cert.pem")];
  const name = ["-subj", "/CN=orlop-test", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"];
  execFileSync(
    "openssl",
    ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", ...files, ...name],
    {
      stdio: "ignore",
    },
  );
}

function makePasswords(folder: string, { username, password }: { username: string; password: string }): void {
  writeFileSync(
    join(folder, "htpasswd"),
    `${username}:${Bun.password.hashSync(password, { algorithm: "bcrypt", cost: 4 })}\n`,
  );
}
