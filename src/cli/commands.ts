/** Every command of `orlop`, each loaded when it is called. The order is the order of help and docs. */
import type { Group } from "../command/table.ts";
import type { CliContext } from "./context.ts";

export const orlop: Group<CliContext> = {
  summary: "Containers, as Docker has them, with no daemon to set up.",
  commands: {
    run: () => import("./run.ts").then((file) => file.run),
    create: () => import("./create.ts").then((file) => file.create),
    start: () => import("./start.ts").then((file) => file.start),
    stop: () => import("./stop.ts").then((file) => file.stop),
    restart: () => import("./restart.ts").then((file) => file.restart),
    kill: () => import("./kill.ts").then((file) => file.kill),
    pause: () => import("./pause.ts").then((file) => file.pause),
    unpause: () => import("./unpause.ts").then((file) => file.unpause),
    rename: () => import("./rename.ts").then((file) => file.rename),
    update: () => import("./update.ts").then((file) => file.update),
    rm: () => import("./rm.ts").then((file) => file.rm),
    pull: () => import("./pull.ts").then((file) => file.pull),
    images: () => import("./images.ts").then((file) => file.images),
    ps: () => import("./ps.ts").then((file) => file.ps),
    logs: () => import("./logs.ts").then((file) => file.logs),
    attach: () => import("./attach.ts").then((file) => file.attach),
    wait: () => import("./wait.ts").then((file) => file.wait),
    inspect: () => import("./inspect.ts").then((file) => file.inspect),
    events: () => import("./events.ts").then((file) => file.events),
    explain: () => import("./explain.ts").then((file) => file.explain),
    doctor: () => import("./doctor.ts").then((file) => file.doctor),
    info: () => import("./info.ts").then((file) => file.info),
    version: () => import("./version.ts").then((file) => file.version),
    container: {
      summary: "Manage containers: the same commands under Docker's longer names",
      commands: {
        run: () => import("./run.ts").then((file) => file.run),
        create: () => import("./create.ts").then((file) => file.create),
        start: () => import("./start.ts").then((file) => file.start),
        stop: () => import("./stop.ts").then((file) => file.stop),
        restart: () => import("./restart.ts").then((file) => file.restart),
        kill: () => import("./kill.ts").then((file) => file.kill),
        pause: () => import("./pause.ts").then((file) => file.pause),
        unpause: () => import("./unpause.ts").then((file) => file.unpause),
        rename: () => import("./rename.ts").then((file) => file.rename),
        update: () => import("./update.ts").then((file) => file.update),
        rm: () => import("./rm.ts").then((file) => file.rm),
        ls: () => import("./ps.ts").then((file) => file.ps),
        logs: () => import("./logs.ts").then((file) => file.logs),
        attach: () => import("./attach.ts").then((file) => file.attach),
        wait: () => import("./wait.ts").then((file) => file.wait),
        inspect: () => import("./inspect.ts").then((file) => file.inspect),
        prune: () => import("./container-prune.ts").then((file) => file.containerPrune),
      },
    },
    image: {
      summary: "Manage images: the same commands under Docker's longer names",
      commands: {
        pull: () => import("./pull.ts").then((file) => file.pull),
        ls: () => import("./images.ts").then((file) => file.images),
      },
    },
    volume: {
      summary: "Manage volumes: data that outlives containers",
      commands: {
        create: () => import("./volume-create.ts").then((file) => file.volumeCreate),
        ls: () => import("./volume-ls.ts").then((file) => file.volumeLs),
        inspect: () => import("./volume-inspect.ts").then((file) => file.volumeInspect),
        rm: () => import("./volume-rm.ts").then((file) => file.volumeRm),
        prune: () => import("./volume-prune.ts").then((file) => file.volumePrune),
      },
    },
    system: {
      summary: "Manage Orlop itself",
      commands: {
        events: () => import("./events.ts").then((file) => file.events),
        info: () => import("./info.ts").then((file) => file.info),
        stop: () => import("./system-stop.ts").then((file) => file.systemStop),
      },
    },
  },
};
