/** The supervisor is killed, and the engine notices: another supervisor starts another engine, and the first one says nothing more. */

import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { waitUntil } from "../wait-until.ts";
import { request, useProduct } from "./engine-fixture.ts";

const product = useProduct();
const body = { Image: "host", Cmd: ["sleep", "1000"], HostConfig: { NetworkMode: "none" } };
const ask = (method: string, path: string, value?: unknown) => request(product(), method, path, value);

test("an engine that has lost its supervisor acknowledges nothing: the next one may have read its records before", async () => {
  await ask("POST", "/containers/create?name=runs", body);
  expect((await ask("POST", "/containers/runs/start")).status).toBe(204);
  const engine = product().enginePid() ?? expect.unreachable("no engine");
  const supervisor = product().supervisorPid() ?? expect.unreachable("no supervisor");
  process.kill(engine, "SIGSTOP");
  process.kill(supervisor, "SIGKILL");
  await waitUntil(() => !existsSync(`/proc/${supervisor}`), 5000, "the supervisor is gone");
  const answered = ask("POST", "/containers/create?name=late", body).then(
    ({ status }) => status,
    () => "none",
  );
  process.kill(engine, "SIGCONT");
  expect(await answered).not.toBe(201);
  await waitUntil(() => !existsSync(`/proc/${engine}`), 10_000, "the engine is gone");
  expect((await product().ok("ps", "-a", "--format", "{{.Names}}")).split("\n")).toEqual(["runs"]);
  expect((await ask("POST", "/containers/create?name=late", body)).status).toBe(201);
  for (const name of ["runs", "late"]) await ask("DELETE", `/containers/${name}?force=1`);
});
