/** A way to an engine on which it is asked what a request would do, instead of for doing it. */

import type { Answer, Exchange } from "./answer.ts";
import { EngineError } from "./engine-error.ts";
import type { ExplainedPlan } from "./explained-plan.ts";
import type { HttpRequest } from "./http-message.ts";

/** Thrown in the place of an answer. */
export class Explanation extends Error {
  readonly plan: ExplainedPlan;

  constructor(plan: ExplainedPlan) {
    super("explained");
    this.plan = plan;
  }
}

/** Has plans of its own, though nothing is changed by it. */
const copies = /^\/containers\/[^/]+\/(archive|export)(\?|$)/;

/** Under this path no engine does anything: one that does not know it has no such page. */
export function explainingExchange(exchange: Exchange): Exchange {
  return {
    async send(request: HttpRequest): Promise<Answer> {
      const isCopy = request.method === "GET" && copies.test(request.target);
      if (!isCopy && (request.method === "GET" || request.method === "HEAD")) return exchange.send(request);
      const answer = await exchange.send({ ...request, target: `/orlop/explained${request.target}` });
      if (answer.status >= 400) throw await EngineError.from(answer);
      throw new Explanation(JSON.parse(await answer.text()) as ExplainedPlan);
    },
    openAhead: () => undefined,
    close: () => exchange.close(),
  };
}
