import { NameError, parseReference } from "../../lib/oci/reference.ts";
import { repositoryProblem } from "../../lib/oci/repository.ts";
import type { PluginUse } from "../contract/config.ts";
import type { Draft } from "./image_rules.ts";
import { MINIKUBE } from "./own_registry.ts";
import type { DocumentScope } from "./report.ts";

/** Whether a plugin is not one of dapp's own, which alone have plain names: it may open names of any form. */
export function isFromElsewhere({ use }: PluginUse): boolean {
  return /[:./]/.test(use);
}

/** Says which names of base images, and which REPO, nothing of dapp's own could ever open. */
export function checkNames(
  drafts: readonly Draft[],
  repo: { readonly name: string; readonly scope: DocumentScope } | undefined,
): void {
  for (const { rule: { base }, scope } of drafts) {
    if (base.kind !== "image" || scope.isBroken(["from"])) continue;
    const wrong = imageProblem(base.name);
    if (wrong) scope.problem(["from"], `"${base.name}" names no image: ${wrong.why}`, wrong.fix);
  }
  const wrong = repo && repo.name !== MINIKUBE ? repositoryProblem(repo.name) : undefined;
  if (wrong) repo!.scope.problem(["repo"], `"${repo!.name}" names no repository: ${wrong.why}`, wrong.fix);
}

/** The kinds of places that hold images as files. */
const FILES: Readonly<Record<string, string>> = { oci: "DIR:TAG", archive: "FILE" };

function imageProblem(name: string): { readonly why: string; readonly fix?: string } | undefined {
  const [, kind, place] = /^(oci|archive):(.*)$/s.exec(name) ?? [];
  if (kind !== undefined) {
    const empty = /^(?::|@|$)/.test(place!);
    return empty ? { why: `no path follows it, wanted is ${kind}:${FILES[kind]}` } : undefined;
  }
  try {
    parseReference(name);
    return undefined;
  } catch (error) {
    if (!(error instanceof NameError)) throw error;
    return { why: error.why, ...(error.fix !== undefined && { fix: error.fix }) };
  }
}
