import { SHELL_FORM } from "./docker_schema.ts";
import type { DockerInstructions, HealthcheckRule } from "../contract/config.ts";
import { defined, given, requireKey, texts } from "./parts.ts";
import type { DocumentScope, Path } from "./report.ts";
import type { DimgDocument } from "./schema.ts";

type Docker = DimgDocument["docker"];

/** Turns docker instructions into what the image config takes; undefined when there are none. */
export function readDocker(docker: Docker, scope: DocumentScope): DockerInstructions | undefined {
  if (!docker) return undefined;
  checkHealth(docker, scope);
  const unique = (list: readonly (string | undefined)[] | undefined) => list && [...new Set(texts(list))];
  const check = docker.HEALTHCHECK;
  const test = check?.test ?? check?.cmd;
  const out = defined({
    CMD: docker.CMD && commandOf(texts(docker.CMD)),
    ENTRYPOINT: docker.ENTRYPOINT && commandOf(texts(docker.ENTRYPOINT)),
    ENV: docker.ENV,
    LABEL: docker.LABEL,
    EXPOSE: unique(docker.EXPOSE),
    VOLUME: unique(docker.VOLUME),
    ONBUILD: docker.ONBUILD && texts(docker.ONBUILD),
    WORKDIR: docker.WORKDIR,
    USER: docker.USER,
    STOPSIGNAL: docker.STOPSIGNAL,
    HEALTHCHECK: check && test
      ? defined<Record<keyof HealthcheckRule, unknown>>({
        Test: texts(test),
        Interval: check.interval,
        Timeout: check.timeout,
        StartPeriod: check.startPeriod,
        StartInterval: check.startInterval,
        Retries: check.retries,
      }) as unknown as HealthcheckRule
      : undefined,
  });
  return Object.keys(out).length > 0 ? out : undefined;
}

function commandOf(list: readonly string[]): string | readonly string[] {
  return list[0] === SHELL_FORM ? list[1] ?? "" : list;
}

/** Reports a `HEALTHCHECK` map that says when to test but not what. */
function checkHealth(docker: Docker, scope: DocumentScope): void {
  const at: Path = ["docker", "HEALTHCHECK"];
  const check = docker?.HEALTHCHECK;
  if (!check) return;
  if (given(scope, at, check, "test") && given(scope, at, check, "cmd")) {
    scope.problem([...at, "cmd"], "`test` and `cmd` mean the same", "Keep one of them", "key");
  } else if (!given(scope, at, check, "cmd")) {
    requireKey(scope, at, check, "test", "Add the command that tells whether the container is healthy");
  }
}
