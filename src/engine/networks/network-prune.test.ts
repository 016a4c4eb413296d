/** A prune goes on where one network turns out to be used, and says that it was. */

import { expect, test } from "bun:test";
import { OrlopError } from "../../base/errors.ts";
import { Events } from "../events/events.ts";
import type { Network } from "./network.ts";
import { pruneNetworks } from "./network-prune.ts";

const network = (name: string, members: readonly string[] = []) => ({ name, members: new Set(members) }) as Network;

test("what a container came into meanwhile stays, and the others go", async () => {
  const all = [network("bridge"), network("taken"), network("used", ["one"]), network("kept"), network("free")];
  const gone: string[] = [];
  const networks = {
    all: async () => all,
    remove: async ({ name }: Network) => {
      if (name === "taken") throw OrlopError.of("network_in_use", { name, members: "one" });
      gone.push(name);
    },
  };
  const events = new Events();
  const heard: unknown[] = [];
  events.publish = (event) => void heard.push(event);
  expect(await pruneNetworks({ networks, events }, ({ name }) => name !== "kept")).toEqual(["free"]);
  expect(gone).toEqual(["free"]);
  expect(heard).toEqual([{ type: "network", action: "prune", id: "", attributes: { reclaimed: "0" } }]);
});

test("what a removal fails for otherwise is told", async () => {
  const networks = {
    all: async () => [network("broken")],
    remove: () => Promise.reject(OrlopError.of("nft_failed", { reason: "no" })),
  };
  await expect(pruneNetworks({ networks, events: new Events() }, () => true)).rejects.toThrow("nft refused");
});
