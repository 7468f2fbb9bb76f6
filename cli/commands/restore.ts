import type { RestoredTag } from "../../mod.ts";
import { columns } from "../columns.ts";
import { printable, shortDigest } from "../format.ts";
import type { Style } from "../style.ts";
import { dappfileRepo } from "../target.ts";
import type { CommandRun, Context } from "../command.ts";
import { usage } from "../usage.ts";

/** `dapp dimg restore`: puts deleted tags back and prints what became of each. Exits with 1 when one is lost or failed. */
export const restore: CommandRun = async (context) => {
  const { engine, quiet, style, progress, answer } = context;
  const { repo, tags } = await findTags(context);
  const report = await (await engine()).restore(
    tags.length > 0 ? tags : undefined,
    { ...(repo !== undefined && { repo }) },
  );
  const of = (outcome: RestoredTag["outcome"]) => report.tags.filter((tag) => tag.outcome === outcome);
  if (report.tags.length === 0) {
    progress.note(
      `note: nothing to restore: no cleanup from this machine deleted anything in ${report.repo}`,
    );
  }
  answer(report, () => {
    if (quiet) {
      return [...of("restored"), ...of("would restore")].map(({ reference }) => printable(reference));
    }
    const rows = columns(report.tags.map(({ outcome, reference, digest, why }) => [
      outcome,
      printable(reference),
      why === undefined ? shortDigest(digest) : printable(why),
    ]));
    return rows.map((line, i) => paint(report.tags[i]!.outcome, style)(line));
  });
  return of("lost").length + of("failed").length > 0 ? 1 : 0;
};

/** REPO is the first word, unless --repo or the dappfile names it. */
async function findTags(
  { command, options, loose, engine }: Context,
): Promise<{ readonly repo?: string; readonly tags: readonly string[] }> {
  const [first, ...others] = loose;
  const misplaced = (options.text("repo") === undefined ? others : loose).find(isRepo);
  if (misplaced !== undefined) {
    const words = loose.filter((word) => word !== misplaced);
    const right = options.text("repo") === undefined && !(first !== undefined && isRepo(first))
      ? `REPO comes first: dapp ${command.path} ${[misplaced, ...words].join(" ")}`
      : "there is one REPO already, and what follows it are tags";
    throw usage(`Cannot restore "${misplaced}": ${right}`, command.path);
  }
  if (options.text("repo") !== undefined) return { tags: loose };
  if (first !== undefined && isRepo(first)) return { repo: first, tags: others };
  if (await dappfileRepo(engine) === undefined) {
    const { missingRepo } = await import("../mistakes.ts");
    throw missingRepo(command, "first");
  }
  return { tags: loose };
}

/** `oci:DIR` or host/path; a full name with its tag is none, and a tag has no "/". */
function isRepo(word: string): boolean {
  return word.startsWith("oci:") || /\/[^/:]*$/.test(word);
}

function paint(outcome: RestoredTag["outcome"], style: Style): (text: string) => string {
  switch (outcome) {
    case "restored":
    case "would restore":
      return style.green;
    case "lost":
    case "failed":
      return style.red;
    case "taken":
      return style.yellow;
    case "present":
      return style.dim;
  }
}
