/** What every cleanup policy must do. */
import { deepStrictEqual, ok } from "node:assert/strict";
import { type CleanupGit, EngineError, type Inventory, type Keep, type Plugin } from "../plugin.ts";
import { createTestHost, type TestHostOptions } from "./host.ts";
import { frozen } from "./frozen.ts";
import { gitFacts } from "./git_facts.ts";
import { recordedInventory } from "./inventories.ts";
import { openPlugin } from "./open_plugin.ts";

/** A cleanup policy with options that let it work. */
export interface CleanupSubject<Input> {
  /** The policy. */
  readonly plugin: Plugin<Input>;
  /** As a dappfile writes them. */
  readonly options?: Input;
  /** What it finds on the machine. */
  readonly host?: TestHostOptions;
  /** Inventories of your own, beside the recorded one. */
  readonly inventories?: readonly Inventory[];
}

/**
 * Registers a test with a step for each rule: reasons name tags of the inventory and say why; they depend on the facts
 * alone, not on their order; nothing of the input is changed; outside of git nothing that came from git is given up in
 * silence; an empty REPO is no mistake; a run that is stopped ends.
 */
export function cleanupConformance<Input>(name: string, subject: CleanupSubject<Input>): void {
  const { plugin, options, host: hostOptions } = subject;
  const more = options === undefined ? {} : { options };
  Deno.test(`${name}: conformance of a cleanup policy`, async (t) => {
    const { inventory: recorded, git } = recordedInventory();
    const inventories = [recorded, ...subject.inventories ?? []].map(frozen);
    await using host = await createTestHost({ now: recorded.now, ...hostOptions });
    await using opened = await openPlugin(plugin, host, more);
    const ask = async (inventory: Inventory, repository: CleanupGit | undefined) =>
      sorted(await opened.keep(inventory, repository));

    for (const [at, inventory] of inventories.entries()) {
      const which = at === 0 ? "the recorded inventory" : `inventory ${at}`;
      for (const [where, repository] of Object.entries({ "in git": git, "outside of git": undefined })) {
        await t.step(`${which}, ${where}: reasons say which rule and why`, async () => {
          for (const { rule, why } of await ask(inventory, repository)) {
            ok(/^\S[^\n]*$/.test(rule) && /^\S[^\n]*$/.test(why), `"${rule}": "${why}" is not one line each`);
          }
        });
        await t.step(
          `${which}, ${where}: the same facts give the same reasons, in whatever order they come`,
          async () => {
            const first = await ask(inventory, repository);
            deepStrictEqual(await ask(inventory, repository), first);
            const { images, stages, others, broken } = inventory;
            const turned = frozen({
              ...inventory,
              images: images.toReversed(),
              stages: stages.toReversed(),
              others: others.toReversed(),
              broken: broken.toReversed(),
            });
            deepStrictEqual(await ask(turned, repository), first);
          },
        );
      }
      await t.step(`${which}: without git, no image that a git rule keeps is given up`, async () => {
        const kept = new Set(
          (await ask(inventory, undefined)).filter(({ nearly }) => !nearly).map(referenceOf),
        );
        const lost = (await ask(inventory, git)).filter(({ nearly }) => !nearly).map(referenceOf)
          .filter((reference) => !kept.has(reference));
        deepStrictEqual(lost, [], "these are kept in git, and go when the same command runs outside of it");
      });
    }

    await t.step("an empty REPO gives no reasons", async () => {
      const empty = { ...recorded, images: [], stages: [], others: [], broken: [], manifests: {} };
      deepStrictEqual(await ask(frozen(empty), gitFacts({})), []);
    });

    await t.step("a run that is stopped ends", async () => {
      const stop = new AbortController();
      await using stopped = await openPlugin(plugin, host, { ...more, signal: stop.signal });
      const reason = new EngineError("INTERRUPTED", "Interrupted");
      stop.abort(reason);
      await stopped.keep(recorded, git).then(
        () => ok(false, "it gave reasons although the run was stopped"),
        (error) => ok(error === reason, `it failed with "${error}" and not with the reason of the signal`),
      );
    });
  });
}

function referenceOf({ reference }: Keep): string {
  return reference;
}

function sorted(keeps: readonly Keep[]): readonly Keep[] {
  const key = (keep: Keep) => JSON.stringify([keep.reference, keep.rule, keep.why]);
  return keeps.toSorted((a, b) => key(a) < key(b) ? -1 : 1);
}
