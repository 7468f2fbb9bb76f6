/** One engine in a process whose environment leads astray: prints what came of building and publishing. */
import { createEngine } from "../../mod.ts";

/** What it is asked to do. */
export interface OwnEnvRequest {
  readonly dir: string;
  readonly home: string;
  readonly env: Readonly<Record<string, string>>;
  readonly repo: string;
}

/** What came of it. */
export interface OwnEnvAnswer {
  readonly published?: readonly string[];
  readonly error?: string;
}

if (import.meta.main) {
  const { dir, home, env, repo }: OwnEnvRequest = JSON.parse(Deno.args[0]!);
  await using engine = createEngine({ dir, home, env });
  let answer: OwnEnvAnswer;
  try {
    const { images } = await engine.push([], { repo, build: true });
    answer = { published: images.flatMap(({ tags }) => tags.map(({ reference }) => reference)) };
  } catch (error) {
    answer = { error: String(error) };
  }
  Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(answer)));
}
