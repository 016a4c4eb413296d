/** Answers every connection and datagram with the address that it comes from. Arguments: address, port. */

const [address = "", port = "0"] = process.argv.slice(2);

Bun.listen({
  hostname: address,
  port: Number(port),
  socket: {
    open(socket) {
      socket.end(`${socket.remoteAddress}\n`);
    },
    data: () => undefined,
  },
});
await Bun.udpSocket({
  hostname: address,
  port: Number(port),
  socket: {
    data(socket, _data, fromPort, fromAddress) {
      socket.send(`${fromAddress}\n`, fromPort, fromAddress);
    },
  },
});
console.log("ready");

export {};
