/** Routes that query registries: search, login, distribution. */

import { checkLogin, distributionOf } from "../engine/images/registry-questions.ts";
import { parseReference } from "../spec/reference.ts";
import { parseAuthBody, parseRegistryAuth } from "../spec/registry-credentials.ts";
import { json } from "./reply.ts";
import { route } from "./route.ts";

export const registryRoutes = [
  route({
    method: "POST",
    path: "/auth",
    operation: "SystemAuth",
    body: true,
    async handle({ body, engine, signal }) {
      const { address, credentials } = parseAuthBody(body ?? {});
      await checkLogin(engine.images, address, { signal, ...(credentials && { credentials }) });
      return json({ Status: "Login Succeeded", IdentityToken: "" });
    },
  }),
  route({
    method: "GET",
    path: "/distribution/*name/json",
    operation: "DistributionInspect",
    async handle({ params, engine, registryAuth, signal }) {
      const credentials = parseRegistryAuth(registryAuth);
      const ask = { signal, ...(credentials && { credentials }) };
      const { descriptor, platforms } = await distributionOf(engine.images, parseReference(params.name), ask);
      return json({ Descriptor: descriptor, Platforms: platforms });
    },
  }),
];
