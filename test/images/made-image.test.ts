/** An image that is made here, of a configuration and layers in the store: what commit, load and import do. */

import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Events } from "../../src/engine/events/events.ts";
import { addMadeImage } from "../../src/engine/images/add-image.ts";
import { layerDirectory } from "../../src/engine/images/image-stores.ts";
import { Images } from "../../src/engine/images/images.ts";
import { openExecutor } from "../../src/kernel/executor-socket.ts";
import { parseReference } from "../../src/spec/reference.ts";
import { RunStore } from "../../src/store/run-store.ts";
import { kernelTest } from "../kernel/harness.ts";
import { startSupervisor } from "../kernel/supervisor-fixture.ts";
import { digestOf } from "../registry/scripted-registry.ts";
import { tarOfFiles } from "./layer-tar.ts";

kernelTest("a made image is unpacked, named, and there for the next engine", ["root", "executor"], async (scratch) => {
  const { runDirectory, stateDirectory } = await startSupervisor(scratch);
  const places = { runDir: runDirectory, stateDir: stateDirectory };
  const store = new RunStore(join(scratch.directory, "db"));
  scratch.defer(() => store.close());
  const users = { usersOf: () => [], images: () => [] };
  const open = () =>
    new Images({ places, executor: openExecutor(runDirectory), store, events: new Events(), users, environment: {} });
  const images = open();
  const { content, leases } = await images.stores();
  using lease = leases.open();
  const layer = tarOfFiles({ "etc/made": "here" });
  const diffId = digestOf(layer);
  lease.hold([diffId]);
  await content.put(layer);
  const config = { os: "linux", architecture: "amd64", config: {}, rootfs: { type: "layers", diff_ids: [diffId] } };
  const image = await addMadeImage(images, {
    config: Buffer.from(JSON.stringify(config)),
    layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar", digest: diffId, size: layer.length }],
    names: [parseReference("made:1")],
    lease,
  });
  expect(readFileSync(join(layerDirectory(places, diffId), "etc/made"), "utf8")).toBe("here");
  expect(open().table.get("made:1")).toEqual(image);
  expect(image.layers[0]?.contentBytes).toBe(4);
});
