/** The built-in image `host`: this machine itself. Nothing of it is stored; its id is the hash of its name. */

import { createHash } from "node:crypto";
import type { ContainerCreateBody } from "../../spec/engine-api-container.ts";

export const hostImageId = `sha256:${createHash("sha256").update("orlop:host").digest("hex")}`;

/** The default command: a shell that every machine has. */
export const hostCommand: readonly string[] = ["/bin/sh"];

export function isHostImage(reference: string): boolean {
  return reference === "host" || reference === "host:latest" || reference === hostImageId;
}

/** The request, with the image's defaults. */
export function withHostDefaults(body: ContainerCreateBody): ContainerCreateBody {
  const isNamed = isHostImage(body.Image) && body.HostConfig.Rootfs === "";
  const hasCommand = (body.Cmd?.length ?? 0) > 0 || (body.Entrypoint?.length ?? 0) > 0;
  return isNamed && !hasCommand ? { ...body, Cmd: hostCommand } : body;
}
