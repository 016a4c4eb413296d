/** A container as its networks see it. */

import type { ContainerCreateBody } from "../../spec/engine-api-container.ts";
import type { AskedEndpoint } from "./network-mode.ts";

export interface NetworkedContainer {
  readonly id: string;
  readonly name: string;
  readonly body: ContainerCreateBody;
  readonly places: { readonly runDir: string; readonly files: string };
  readonly isRunning: boolean;
  readonly run: { readonly status: string; readonly pid: number };
  readonly endpoints: readonly AskedEndpoint[];
  /** "80/tcp" … */
  readonly exposedPorts: readonly string[];
}
