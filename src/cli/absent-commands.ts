/** Docker's commands that Orlop does not have, each with what to do instead. */

const onThisMachineAlone = "Orlop runs containers on one machine, and joins no others";
const build =
  "make an image of a container (orlop commit) or of a root's archive (orlop import), or build it elsewhere and load it (orlop load)";

export const absentCommands = {
  build,
  buildx: build,
  builder: build,
  compose: "run docker-compose with DOCKER_HOST=unix:///run/orlop/orlop.sock",
  context: "choose an engine with orlop --host, or ORLOP_HOST",
  manifest: "push the image for each platform by itself",
  plugin: "networks and volumes have only the drivers that are built in",
  trust: "name an image by its digest (NAME@sha256:…): that is verified",
  checkpoint: "orlop pause keeps a container's processes as they are, until the machine is shut down",
  swarm: onThisMachineAlone,
  node: onThisMachineAlone,
  stack: onThisMachineAlone,
  secret: onThisMachineAlone,
  config: onThisMachineAlone,
} as const;

export const absentImageCommands = { build } as const;
