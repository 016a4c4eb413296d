/** A scripted registry with one image, and a puller for it. */
import { Puller, randomBytes } from "./pulling.ts";
import { ScriptedRegistry } from "./scripted-registry.ts";

export const layer = randomBytes(3_000_000, 1);
export const small = randomBytes(1000, 2);

/** A registry with one image (`host/a:1`, a big and a small layer), and a puller that knows it speaks http. */
export async function setUp(stallMs?: number) {
  const registry = await ScriptedRegistry.open();
  const image = registry.addImage("1", [layer, small]);
  const config = { [registry.host]: { "plain-http": true } };
  const puller = await Puller.open({ config, ...(stallMs === undefined ? {} : { stallMs }) });
  return {
    registry,
    puller,
    image,
    reference: `${registry.host}/a:1`,
    blob: new RegExp(`GET .*/blobs/${image.layers[0]}`),
  };
}

export async function usableBlobs(puller: Puller): Promise<number> {
  return (await puller.store.list()).length;
}
