/** Run inside and outside of containers by host-image.test.ts: says what connecting to a unix socket comes to. */

import { connect } from "node:net";

const socket = connect(process.argv[2] ?? "");
socket.on("connect", () => {
  console.log("let in");
  socket.destroy();
});
socket.on("error", (error: NodeJS.ErrnoException) => console.log(error.code));
