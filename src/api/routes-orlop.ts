/** What Docker's API does not have. */

import { explainStart } from "../engine/explain.ts";
import { withHostDefaults } from "../engine/host-image.ts";
import { parseContainerCreate } from "../spec/engine-api-container.ts";
import { json } from "./reply.ts";
import { route } from "./route.ts";

export const orlopRoutes = [
  route({
    method: "POST",
    path: "/orlop/explain",
    operation: "OrlopExplain",
    body: true,
    handle({ body, engine }) {
      const { steps, warnings } = engine.containers.plan(withHostDefaults(parseContainerCreate(body ?? {})));
      return json({ steps: explainStart(steps), warnings });
    },
  }),
];
