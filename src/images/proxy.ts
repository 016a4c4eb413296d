/** Chooses a request's proxy: HTTP_PROXY, HTTPS_PROXY and NO_PROXY as Go's net/http reads them. Pure. */

type Environment = Readonly<Record<string, string | undefined>>;

/** The proxy's address, or undefined for a direct connection. Loopback is always direct. */
export function proxyFor(url: URL, environment: Environment): string | undefined {
  const name = url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY";
  const proxy = environment[name] ?? environment[name.toLowerCase()];
  if (proxy === undefined || proxy === "" || isDirect(url, environment)) return undefined;
  return proxy.includes("://") ? proxy : `http://${proxy}`;
}

function isDirect(url: URL, environment: Environment): boolean {
  const host = url.hostname;
  if (host === "localhost" || host === "[::1]" || /^127\./.test(host)) return true;
  const list = environment["NO_PROXY"] ?? environment["no_proxy"] ?? "";
  return list.split(",").some((entry) => excludes(entry.trim().toLowerCase(), url));
}

/** "*", "example.com" (and below), ".example.com" (only below), "host:port", an address, or an IPv4 range. */
function excludes(entry: string, url: URL): boolean {
  if (entry === "") return false;
  if (entry === "*") return true;
  const port = /:(\d+)$/.exec(entry)?.[1];
  if (port !== undefined && port !== (url.port || (url.protocol === "https:" ? "443" : "80"))) return false;
  const pattern = port === undefined ? entry : entry.slice(0, -port.length - 1);
  const host = url.hostname;
  if (pattern.includes("/")) return inRange(host, pattern);
  const suffix = pattern.replace(/^\*/, "");
  return suffix.startsWith(".") ? host.endsWith(suffix) : host === suffix || host.endsWith(`.${suffix}`);
}

function inRange(host: string, range: string): boolean {
  const [base = "", bits = ""] = range.split("/");
  const address = ipv4(host);
  const network = ipv4(base);
  if (address === undefined || network === undefined || !/^\d+$/.test(bits) || Number(bits) > 32) return false;
  const size = 2 ** (32 - Number(bits));
  return Math.floor(address / size) === Math.floor(network / size);
}

function ipv4(text: string): number | undefined {
  const parts = text.split(".").map(Number);
  const valid = /^\d+\.\d+\.\d+\.\d+$/.test(text) && parts.every((part) => part <= 255);
  return valid ? parts.reduce((value, part) => value * 256 + part, 0) : undefined;
}

const proxyVariables = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"];

/** Removes the proxy variables from an environment: Bun's fetch would apply them by itself, even to loopback. */
export function takeProxyEnvironment(environment: Record<string, string | undefined>): Environment {
  const taken: Record<string, string | undefined> = {};
  for (const name of proxyVariables.flatMap((upper) => [upper, upper.toLowerCase()])) {
    taken[name] = environment[name];
    delete environment[name];
  }
  return taken;
}
