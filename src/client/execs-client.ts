/** Execs over the Engine API: further processes in running containers. */
import { AttachedContainer } from "./attach.ts";
import type { EngineClient } from "./engine-client.ts";
import { encodeRequest } from "./http-message.ts";

export interface ExecCreate {
  readonly AttachStdin: boolean;
  readonly AttachStdout: boolean;
  readonly AttachStderr: boolean;
  readonly Tty: boolean;
  readonly Cmd: readonly string[];
  readonly Env?: readonly string[];
  readonly User?: string;
  readonly WorkingDir?: string;
  readonly Privileged?: boolean;
  readonly DetachKeys?: string;
  readonly ConsoleSize?: readonly [rows: number, columns: number];
}

export interface ExecInspection {
  readonly ID: string;
  readonly Running: boolean;
  /** null until it has ended. */
  readonly ExitCode: number | null;
  readonly ContainerID: string;
  /** 0 when it does not run. */
  readonly Pid: number;
}

export class ExecsClient {
  readonly #engine: EngineClient;

  constructor(engine: EngineClient) {
    this.#engine = engine;
  }

  create(container: string, config: ExecCreate): Promise<{ readonly Id: string }> {
    const path = `/containers/${encodeURIComponent(container)}/exec`;
    return this.#engine.json({ method: "POST", path, json: config });
  }

  /** Starts it, and takes part in its streams. */
  async attach(id: string, tty: boolean): Promise<AttachedContainer> {
    const response = await this.#engine.call({
      method: "POST",
      path: `/exec/${id}/start`,
      json: { Detach: false, Tty: tty },
      headers: { Connection: "Upgrade", Upgrade: "tcp" },
    });
    return new AttachedContainer(response);
  }

  /** The request of `attach`, for who makes it elsewhere. */
  attachRequest(id: string, tty: boolean): Uint8Array {
    const headers = { "Content-Type": "application/json", Connection: "Upgrade", Upgrade: "tcp" };
    const body = new TextEncoder().encode(JSON.stringify({ Detach: false, Tty: tty }));
    return encodeRequest({ method: "POST", target: `/exec/${id}/start`, headers, body }, "orlop");
  }

  /** Starts it, and leaves it to itself. */
  start(id: string): Promise<void> {
    return this.#engine.done({ method: "POST", path: `/exec/${id}/start`, json: { Detach: true } });
  }

  resize(id: string, rows: number, columns: number): Promise<void> {
    return this.#engine.done({ method: "POST", path: `/exec/${id}/resize`, query: { h: rows, w: columns } });
  }

  inspect(id: string): Promise<ExecInspection> {
    return this.#engine.json({ method: "GET", path: `/exec/${id}/json` });
  }
}
