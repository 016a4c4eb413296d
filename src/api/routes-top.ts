/** The route of `top`. */

import { topOf } from "../engine/containers/top.ts";
import { text } from "./query.ts";
import { json } from "./reply.ts";
import { route } from "./route.ts";

export const topRoutes = [
  route({
    method: "GET",
    path: "/containers/:id/top",
    operation: "ContainerTop",
    query: { ps_args: text },
    async handle({ params, query, engine }) {
      const container = engine.containers.get(params.id);
      const { titles, processes } = await topOf(container, engine, query.ps_args ?? "-ef");
      return json({ Titles: titles, Processes: processes });
    },
  }),
];
