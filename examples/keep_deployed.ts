/**
 * A cleanup policy in its own file: keeps what a web service says is deployed. The service answers a GET with JSON, a
 * list of image references by tag or digest. When it does not answer, or answers anything else, the policy fails, and
 * then nothing is deleted.
 *
 *     cleanup:
 *       keep:
 *         - use: ./examples/keep_deployed.ts
 *           options: { url: https://deploy.example.com/images }
 */
import { definePlugin } from "@dapp/dapp/plugin";

export default definePlugin({
  name: "keep-deployed",
  api: 1,
  options: (z) =>
    z.strictObject({
      url: z.url(),
      /** Environment variable that holds a bearer token. */
      token: z.string().default("DEPLOY_TOKEN"),
      timeoutSeconds: z.number().positive().default(30),
    }),
  rights: ({ url, token }) => ({ hosts: [new URL(url).host], env: [token] }),
  setup: ({ url, token, timeoutSeconds }, { env }) => ({
    keep: async ({ inventory, signal }) => {
      const answer = await fetch(url, {
        headers: { accept: "application/json", ...(env[token] && { authorization: `Bearer ${env[token]}` }) },
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutSeconds * 1000)]),
      });
      const body: unknown = answer.ok ? await answer.json() : await answer.body?.cancel();
      if (!Array.isArray(body) || !body.every((name) => typeof name === "string")) {
        throw new Error(`${url} answered ${answer.status} with no list of image references`);
      }
      const deployed = new Set(body);
      return inventory.images
        .filter(({ reference, digest }) =>
          deployed.has(reference) || body.some((name) => name.endsWith(digest))
        )
        .map(({ reference }) => ({ reference, rule: "deployed", why: `${url} says so` }));
    },
  }),
});
