/** Which route a request goes to. */

import { expect, test } from "bun:test";
import { noContent } from "./reply.ts";
import { route } from "./route.ts";
import { Router } from "./router.ts";
import { routes } from "./routes.ts";

const list = route({ method: "GET", path: "/things/json", operation: "ThingList", handle: noContent });
const show = route({ method: "GET", path: "/things/:id/json", operation: "ThingInspect", handle: noContent });
const make = route({ method: "POST", path: "/things/create", operation: "ThingCreate", handle: noContent });
const named = route({ method: "GET", path: "/names/*name/json", operation: "NameInspect", handle: noContent });
const removed = route({ method: "DELETE", path: "/names/*name", operation: "NameDelete", handle: noContent });
const router = new Router([list, show, make, named, removed]);

test.each([
  ["GET", "/things/json", "ThingList", {}, 51],
  ["GET", "/v1.40/things/json?all=1", "ThingList", {}, 40],
  ["GET", "/v1.24/things/a.b/json", "ThingInspect", { id: "a.b" }, 24],
  ["GET", "/things/a%2Fb/json", "ThingInspect", { id: "a/b" }, 51],
  ["POST", "/things/create?name=x", "ThingCreate", {}, 51],
  ["GET", "/v1.41/names/localhost:5000/a/b:1/json", "NameInspect", { name: "localhost:5000/a/b:1" }, 41],
  ["GET", "/names/a%2Fb@sha256:1/json", "NameInspect", { name: "a/b@sha256:1" }, 51],
  ["DELETE", "/names/a/b", "NameDelete", { name: "a/b" }, 51],
])("%s %s is %s", (method, target, operation, params, apiMinor) => {
  const match = router.match(method, target);
  expect(match.route.operation).toBe(operation);
  expect(match.params).toEqual(params);
  expect(match.apiMinor).toBe(apiMinor);
});

test("behind /orlop/explained/ an operation tells what it would do, or is refused: it is never carried out", async () => {
  const handle = (): never => {
    throw new Error("it was carried out");
  };
  const explain = async () => ({ steps: [], warnings: ["said"] });
  const known = route({ method: "POST", path: "/known/:id", operation: "Known", handle, explain });
  const unknown = route({ method: "POST", path: "/unknown", operation: "Unknown", handle });
  const both = new Router([known, unknown]);
  const ask = async (target: string) => both.match("POST", target).route.handle({} as never);
  expect(await ask("/orlop/explained/known/x?y=1")).toMatchObject({ kind: "json", value: { warnings: ["said"] } });
  expect(await ask("/v1.41/orlop/explained/known/x")).toMatchObject({ kind: "json" });
  expect(both.match("POST", "/orlop/explained/known/x?y=1").params).toEqual({ id: "x" });
  expect(ask("/orlop/explained/unknown")).rejects.toThrow("POST /unknown cannot be explained");
  expect(() => both.match("POST", "/orlop/explained/orlop/explained/nothing")).toThrow("page not found");
});

test("the query keeps its values", () => {
  expect(router.match("POST", "/things/create?name=a%20b&x=1").query.get("name")).toBe("a b");
});

test.each([
  ["GET", "/"],
  ["GET", "/things"],
  ["DELETE", "/things/json"],
  ["GET", "/things/a/b/json"],
  ["GET", "/things/%zz/json"],
  ["GET", "things/json"],
])("%s %s is no page", (method, target) => {
  expect(() => router.match(method, target)).toThrow("page not found");
});

test.each([
  ["/v1.23/things/json", "client version 1.23 is too old. Minimum supported API version is 1.24"],
  ["/v0.9/things/json", "client version 0.9 is too old"],
  ["/v1.52/things/json", "client version 1.52 is too new. Maximum supported API version is 1.51"],
  ["/v2.1/things/json", "client version 2.1 is too new"],
])("%s is of another version", (target, message) => {
  expect(() => router.match("GET", target)).toThrow(message);
});

test("no two routes are the same, and each has its operation once", () => {
  const keys = routes.map(({ method, path }) => `${method} ${path.replace(/[:*]\w+/g, ":")}`);
  expect(new Set(keys).size).toBe(keys.length);
  const operations = routes.map(({ operation }) => operation);
  expect(new Set(operations).size).toBe(operations.length);
});
