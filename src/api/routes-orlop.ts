/** Orlop's own routes, which Docker's API does not have. */

import { explainStart } from "../engine/explain.ts";
import { parseContainerCreate } from "../spec/engine-api-container.ts";
import { json } from "./reply.ts";
import { route } from "./route.ts";

export const orlopRoutes = [
  route({
    method: "POST",
    path: "/orlop/shutdown",
    operation: "OrlopShutdown",
    async handle({ engine }) {
      return json({ Stopped: await engine.containers.shutDown() });
    },
  }),
  route({
    method: "POST",
    path: "/orlop/explain",
    operation: "OrlopExplain",
    body: true,
    async handle({ body, engine }) {
      const { steps, networks, warnings } = await engine.containers.plan(parseContainerCreate(body ?? {}));
      return json({ steps: explainStart(steps, networks), warnings: [...warnings, ...networks.passages.reports] });
    },
  }),
];
