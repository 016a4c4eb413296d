/** Where registries are reached, through which proxy, and who may see their passwords. */
import { describe, expect, test } from "bun:test";
import { parseRegistryConfig } from "../spec/registry-config.ts";
import { backoffMs } from "./backoff.ts";
import { proxyFor, takeProxyEnvironment } from "./proxy.ts";
import { planEndpoints, realmMaySeeCredentials } from "./registry-endpoint.ts";

const config = parseRegistryConfig(
  {
    "docker.io": { mirrors: ["http://127.0.0.1:5000/", "https://m.example.com/hub"] },
    "m.example.com": { ca: "/etc/ca.pem" },
    "plain.example.com": { "plain-http": true, realms: ["auth.other.com"] },
  },
  "registries.toml",
);

describe("endpoints", () => {
  test("mirrors come first, without credentials and with their own table; docker.io has another name", () => {
    const endpoints = planEndpoints("docker.io", config);
    expect(endpoints.map(({ url, credentialsOf }) => [url, credentialsOf])).toEqual([
      ["http://127.0.0.1:5000", undefined],
      ["https://m.example.com/hub", undefined],
      ["https://registry-1.docker.io", "docker.io"],
    ]);
    expect(endpoints[1]?.host.ca).toBe("/etc/ca.pem");
  });

  test.each([
    ["plain.example.com", "http://plain.example.com", false],
    ["other.example.com:5000", "https://other.example.com:5000", false],
    ["localhost:5000", "https://localhost:5000", true],
    ["127.0.0.1", "https://127.0.0.1", true],
    ["[::1]:80", "https://[::1]:80", true],
    ["127.0.0.1.evil.com", "https://127.0.0.1.evil.com", false],
  ])("%s is at %s, http tried: %p", (host, url, tryPlain) => {
    expect(planEndpoints(host, config).at(-1)).toMatchObject({ url, tryPlain });
  });

  test.each<[string, unknown, string]>([
    ["a list", [], "the file is not an object"],
    ["an unknown field", { "a.io": { mirror: [] } }, '["a.io"] has an unknown field mirror'],
    ["a relative path", { "a.io": { ca: "ca.pem" } }, "ca is not an absolute path"],
    ["a key alone", { "a.io": { key: "/k" } }, "both certificate and key"],
    ["a mirror without a scheme", { "a.io": { mirrors: ["m.io"] } }, "mirror m.io is not http(s)"],
    ["a mirror with a password", { "a.io": { mirrors: ["http://u:p@m.io"] } }, "is not http(s)"],
    ["a text for a truth", { "a.io": { "plain-http": "yes" } }, "plain-http is not true or false"],
  ])("a configuration with %s is refused", (_, document, words) => {
    expect(() => parseRegistryConfig(document, "/etc/orlop/registries.toml")).toThrow(words);
    expect(() => parseRegistryConfig(document, "/etc/orlop/registries.toml")).toThrow("/etc/orlop/registries.toml");
  });
});

describe("token servers", () => {
  test.each([
    ["docker.io", "https://auth.docker.io/token", true],
    ["registry.gitlab.com", "https://gitlab.com/jwt/auth", true],
    ["quay.io", "https://quay.io/v2/auth", true],
    ["ghcr.io", "https://ghcr.io.evil.com/token", false],
    ["docker.io", "https://auth.docker.io.evil.com/token", false],
    ["docker.io", "https://evil.com/token", false],
    ["127.0.0.1:5000", "http://127.0.0.1:5001/token", true],
    ["127.0.0.1:5000", "http://127.0.0.2:5001/token", false],
    ["localhost:5000", "http://evil:5001/token", false],
    ["plain.example.com", "http://auth.other.com/token", true],
  ])("%s's password may go to %s: %p", (host, realm, may) => {
    const endpoint = planEndpoints(host, config).at(-1);
    expect(endpoint && realmMaySeeCredentials(new URL(realm), endpoint)).toBe(may);
  });
});

describe("proxies", () => {
  const environment = {
    HTTP_PROXY: "http://p:1",
    https_proxy: "p:2",
    NO_PROXY: "direct.io, .inner.io,10.0.0.0/8,port.io:444,*.star.io",
  };
  test.each([
    ["http://a.io/", "http://p:1"],
    ["https://a.io/", "http://p:2"],
    ["https://direct.io/", undefined],
    ["https://sub.direct.io/", undefined],
    ["https://notdirect.io/", "http://p:2"],
    ["https://x.inner.io/", undefined],
    ["https://inner.io/", "http://p:2"],
    ["http://10.1.2.3/", undefined],
    ["http://11.1.2.3/", "http://p:1"],
    ["https://port.io/", "http://p:2"],
    ["https://port.io:444/", undefined],
    ["https://a.star.io/", undefined],
    ["http://127.0.0.1:5000/", undefined],
    ["https://localhost/", undefined],
    ["https://[::1]/", undefined],
  ])("%s goes through %p", (url, proxy) => {
    expect(proxyFor(new URL(url), environment)).toBe(proxy);
  });

  test("the variables are taken away from the process, or fetch would apply them itself", () => {
    const own: Record<string, string | undefined> = { HTTP_PROXY: "http://p:1", no_proxy: "*", PATH: "/bin" };
    expect(takeProxyEnvironment(own)).toMatchObject({ HTTP_PROXY: "http://p:1", no_proxy: "*" });
    expect(own).toEqual({ PATH: "/bin" });
  });
});

test("pauses double, with jitter, unless the registry says how long", () => {
  expect([1, 2, 3, 4].map((failed) => backoffMs(failed, undefined, 0.5))).toEqual([200, 400, 800, 1600]);
  expect(backoffMs(1, undefined, 0)).toBe(100);
  expect(backoffMs(3, 5000, 0.5)).toBe(5000);
  expect(backoffMs(3, 1e9, 0.5)).toBe(60_000);
});
