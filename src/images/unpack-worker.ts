/** The thread that unpacks layers: hashing and reading a gigabyte of tar would hold up the engine's streams. */
import type { UnpackOrder } from "./unpack-message.ts";
import { Unpacker } from "./unpacker.ts";

declare const self: Worker;

const unpacker = new Unpacker((message) => self.postMessage(message));

self.onmessage = ({ data }: MessageEvent<UnpackOrder>) => unpacker.take(data);
