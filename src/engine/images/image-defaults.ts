/** An image's defaults for a container, by the rules of moby's runconfig.Merge. Pure. */

import type { ContainerCreateBody } from "../../spec/engine-api-container.ts";
import type { ContainerDefaults } from "../../spec/oci-image.ts";
import { mergedEnvironment } from "./merged-config.ts";

/** The request with the image's defaults. Volumes and ports stay with the image (`ContainerImage.config`). */
export function withImageDefaults(body: ContainerCreateBody, image: ContainerDefaults): ContainerCreateBody {
  return {
    ...body,
    User: body.User || (image.User ?? ""),
    Env: mergedEnvironment(body.Env, image.Env ?? []),
    WorkingDir: body.WorkingDir || (image.WorkingDir ?? ""),
    Labels: { ...image.Labels, ...body.Labels },
    StopSignal: body.StopSignal || (image.StopSignal ?? ""),
    Shell: body.Shell ?? image.Shell,
    Healthcheck: mergedHealthcheck(body.Healthcheck, image.Healthcheck),
    ...commandOf(body, image),
  };
}

/** The defaults of a health check, field by field. */
function mergedHealthcheck(
  asked: ContainerCreateBody["Healthcheck"],
  image: ContainerDefaults["Healthcheck"],
): ContainerCreateBody["Healthcheck"] {
  if (asked === undefined && image === undefined) return undefined;
  return {
    Test: asked !== undefined && asked.Test.length > 0 ? asked.Test : (image?.Test ?? []),
    Interval: asked?.Interval || (image?.Interval ?? 0),
    Timeout: asked?.Timeout || (image?.Timeout ?? 0),
    StartPeriod: asked?.StartPeriod || (image?.StartPeriod ?? 0),
    StartInterval: asked?.StartInterval || (image?.StartInterval ?? 0),
    Retries: asked?.Retries || (image?.Retries ?? 0),
  };
}

/** An entrypoint in the request, even an empty one, removes the image's command too. */
function commandOf(
  body: Pick<ContainerCreateBody, "Entrypoint" | "Cmd">,
  image: ContainerDefaults,
): Pick<ContainerCreateBody, "Entrypoint" | "Cmd"> {
  const { Entrypoint, Cmd } = body;
  if ((Entrypoint?.length ?? 0) > 0) return { Entrypoint: Entrypoint?.join("") === "" ? [] : Entrypoint, Cmd };
  const hasCommand = (Cmd?.length ?? 0) > 0;
  return {
    Entrypoint: Entrypoint ?? image.Entrypoint ?? null,
    Cmd: hasCommand ? Cmd : (image.Cmd ?? null),
  };
}
