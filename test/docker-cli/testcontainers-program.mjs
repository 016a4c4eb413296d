/**
 * What people's tests do with testcontainers, on the engine of DOCKER_HOST: for node, as they run it. Prints what it saw as JSON.
 * Argument: an image with busybox.
 */

import { GenericContainer, Network, Wait } from "testcontainers";

const [image = ""] = process.argv.slice(2);
const serve = "mkdir -p /www; echo hello > /www/index.html; echo ready; exec httpd -f -p 80 -h /www";
const seen = {};
// The library's streams of logs keep no process alive; test runners do.
const alive = setInterval(() => undefined, 60_000);
const started = [];

/** Started last, stopped first. */
const keep = async (starting) => {
  const made = await starting;
  started.unshift(made);
  return made;
};

const textOf = async (stream) => {
  let text = "";
  for await (const chunk of stream) text += String(chunk);
  return text;
};

/** Logs of what runs go on: what is there now is one piece. */
const firstPieceOf = (stream) => new Promise((resolve) => stream.once("data", (piece) => resolve(String(piece))));

const network = await keep(new Network().start());
const web = await keep(
  new GenericContainer(image)
    .withCommand(["sh", "-c", serve])
    .withNetwork(network)
    .withNetworkAliases("shop")
    .withExposedPorts(80)
    .withEnvironment({ GREETING: "good morning" })
    .withLabels({ of: "a test" })
    .withCopyContentToContainer([{ content: "from outside", target: "/www/copied" }])
    .withWaitStrategy(
      Wait.forAll([Wait.forLogMessage("ready"), Wait.forListeningPorts(), Wait.forHttp("/", 80).forStatusCode(200)]),
    )
    .start(),
);
const get = async (path) => (await fetch(`http://${web.getHost()}:${web.getMappedPort(80)}${path}`)).text();
seen.page = await get("/");
seen.copiedIn = await get("/copied");
seen.label = web.getLabels().of;
seen.executed = await web.exec(["sh", "-c", 'echo "$GREETING"; exit 4']);
await web.copyContentToContainer([{ content: "later", target: "/www/later" }]);
seen.copiedLater = await get("/later");
seen.copiedOut = (await textOf(await web.copyArchiveFromContainer("/www/later"))).includes("later");
seen.logs = await firstPieceOf(await web.logs());

const client = await keep(
  new GenericContainer(image)
    .withCommand(["sh", "-c", "wget -q -O - http://shop/; echo done"])
    .withNetwork(network)
    .withWaitStrategy(Wait.forOneShotStartup())
    .start(),
);
seen.byAlias = await textOf(await client.logs());

const healthy = await keep(
  new GenericContainer(image)
    .withCommand(["sh", "-c", "touch /up; sleep 1000"])
    .withHealthCheck({ test: ["CMD-SHELL", "test -e /up"], interval: 200, retries: 20 })
    .withWaitStrategy(Wait.forHealthCheck())
    .start(),
);
seen.health = (await healthy.exec(["test", "-e", "/up"])).exitCode;

await web.restart();
seen.again = await get("/");
for (const each of started) await each.stop();
clearInterval(alive);
console.log(JSON.stringify(seen));
