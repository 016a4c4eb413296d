/** Debian's docker-registry on loopback, with a storage of its own. */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** By which the registry's certificate is good too. */
export const registryAlias = "registry.test";

export interface DockerRegistryOptions {
  readonly tls?: boolean;
  /** Only clients with its own certificate may ask. */
  readonly knownClients?: boolean;
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

  /** What a client has that it knows, with `knownClients`. */
  get client(): { readonly certificate: string; readonly key: string } {
    return { certificate: join(this.folder, "client.pem"), key: join(this.folder, "client-key.pem") };
  }

  static async open(options: DockerRegistryOptions = {}): Promise<DockerRegistry> {
    const folder = mkdtempSync(join(tmpdir(), "orlop-registry-"));
    if (options.tls === true) makeCertificate(folder, "");
    if (options.knownClients === true) makeCertificate(folder, "client-");
    const clients = options.knownClients === true ? `, clientcas: [${folder}/client.pem]` : "";
    if (options.login !== undefined) makePasswords(folder, options.login);
    const lines = [
      "version: 0.1",
      "log: {level: error, accesslog: {disabled: true}}",
      `storage: {filesystem: {rootdirectory: ${folder}/data}, delete: {enabled: true}}`,
      `http: {addr: "127.0.0.1:0"${options.tls === true ? `, tls: {certificate: ${folder}/cert.pem, key: ${folder}/key.pem${clients}}` : ""}}`,
      ...(options.login === undefined ? [] : [`auth: {htpasswd: {realm: test, path: ${folder}/htpasswd}}`]),
    ];
    writeFileSync(join(folder, "config.yml"), lines.join("\n"));
    const child = spawn("docker-registry", ["serve", join(folder, "config.yml")], { stdio: "ignore" });
    const exited = new Promise((resolve) => child.on("exit", resolve));
    // A port that is looked for first may be somebody else's by then: the kernel gives it one, and says which.
    for (;;) {
      if (child.exitCode !== null || child.pid === undefined)
        throw new Error(`docker-registry ended with ${child.exitCode}`);
      const port = listeningPort(child.pid);
      if (port !== undefined)
        return new DockerRegistry(`127.0.0.1:${port}`, folder, exited, () => void child.kill("SIGKILL"));
      await Bun.sleep(10);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop();
    await this.#exited;
    rmSync(this.folder, { recursive: true });
  }
}

const LISTENS = "0A";

/** Of the socket on which a process listens, by its inode; undefined until there is one. */
function listeningPort(pid: number): number | undefined {
  const inodes = new Set(readdirSync(`/proc/${pid}/fd`).map((fd) => /^socket:\[(\d+)\]$/.exec(linkOf(pid, fd))?.[1]));
  const rows = readFileSync("/proc/net/tcp", "utf8").split("\n");
  const fields = rows.map((row) => row.trim().split(/\s+/));
  const [, address] = fields.find(([, , , state, , , , , , inode]) => state === LISTENS && inodes.has(inode)) ?? [];
  return address === undefined ? undefined : Number.parseInt(address.split(":")[1] ?? "", 16);
}

function linkOf(pid: number, fd: string): string {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`);
  } catch {
    return ""; // closed meanwhile
  }
}

/** Its own authority. */
function makeCertificate(folder: string, prefix: "" | "client-"): void {
  const certificate = prefix === "" ? "cert.pem" : "client.pem";
  const files = ["-keyout", join(folder, `${prefix}key.pem`), "-out", join(folder, certificate)];
  const names = `subjectAltName=IP:127.0.0.1,DNS:${registryAlias}`;
  const name = ["-subj", "/CN=orlop-test", "-addext", names, "-days", "2"];
  const usage = prefix === "" ? [] : ["-addext", "extendedKeyUsage=clientAuth"];
  execFileSync(
    "openssl",
    ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", ...files, ...name, ...usage],
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
