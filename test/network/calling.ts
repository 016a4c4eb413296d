/** Calls an address and prints what comes back within a second. Arguments: address, port, protocol. */

import { createSocket } from "node:dgram";
import { connect } from "node:net";

const [address = "", port = "0", protocol = "tcp"] = process.argv.slice(2);
setTimeout(() => process.exit(), 1000);

const print = (data: Uint8Array): void => {
  process.stdout.write(data);
  if (protocol === "udp") process.exit();
};

if (protocol === "udp") {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  socket.on("message", print);
  socket.on("error", () => process.exit());
  socket.send("?", Number(port), address);
} else {
  const socket = connect(Number(port), address);
  socket.on("data", print);
  socket.on("error", () => process.exit());
  socket.on("close", () => process.exit());
}
