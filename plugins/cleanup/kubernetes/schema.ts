import * as z from "../../../lib/zod.ts";

// An empty text counts as left out, as for kubectl; a number or a date where a text belongs does not count as one.
const text = z.string().nullish().transform((value) => value || undefined);
const texts = z.array(z.string()).nullish().transform((list) => list ?? []);
const flag = z.boolean().nullish().transform((value) => value ?? false);
const name = z.string().min(1, "a name is empty");

/** How a server is reached. */
const cluster = z.object({
  server: text,
  "certificate-authority": text,
  "certificate-authority-data": text,
  "insecure-skip-tls-verify": flag,
  "tls-server-name": text,
  "proxy-url": text,
  "disable-compression": flag,
  extensions: z.array(z.object({ name: z.string(), extension: z.unknown() })).nullish(),
});

/** A program that gives credentials (client.authentication.k8s.io). */
const exec = z.object({
  apiVersion: z.enum(["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"]),
  command: z.string().min(1),
  args: texts,
  env: z.array(z.object({ name, value: z.string().nullish().transform((value) => value ?? "") })).nullish(),
  interactiveMode: z.enum(["Never", "IfAvailable", "Always"]).nullish(),
  provideClusterInfo: flag,
  installHint: text,
});

/** Who asks. */
const user = z.object({
  token: text,
  tokenFile: text,
  "client-certificate": text,
  "client-certificate-data": text,
  "client-key": text,
  "client-key-data": text,
  username: text,
  password: text,
  as: text,
  "as-uid": text,
  "as-groups": texts,
  "as-user-extra": z.record(z.string(), z.array(z.string())).nullish(),
  "auth-provider": z.object({ name, config: z.record(z.string(), z.string()).nullish() }).nullish(),
  exec: exec.nullish(),
});

const context = z.object({ cluster: text, user: text });

/** `[{ name, KIND: ... }]` as a map; a name that is there twice says two things. */
function byName<T>(list: readonly { readonly name: string; readonly value: T }[], ctx: z.RefinementCtx) {
  const map = new Map<string, T>();
  for (const { name, value } of list) {
    if (map.has(name)) ctx.addIssue({ code: "custom", message: `the name "${name}" is there twice` });
    map.set(name, value);
  }
  return map as ReadonlyMap<string, T>;
}

const orNothing = (value: unknown) => value ?? {};
const orNone = (value: unknown) => value ?? [];

/** A kubeconfig file, as far as reading lists needs it. What this does not know is passed over, as kubectl does it. */
export const kubeconfigSchema = z.object({
  apiVersion: text.refine((version) => version === undefined || version === "v1", 'wanted is "v1"'),
  kind: text.refine((kind) => kind === undefined || kind === "Config", 'wanted is "Config"'),
  "current-context": text,
  clusters: z.preprocess(
    orNone,
    z.array(
      z.object({ name, cluster: z.preprocess(orNothing, cluster) })
        .transform(({ name, cluster }) => ({ name, value: cluster })),
    ).transform(byName),
  ),
  users: z.preprocess(
    orNone,
    z.array(
      z.object({ name, user: z.preprocess(orNothing, user) })
        .transform(({ name, user }) => ({ name, value: user })),
    ).transform(byName),
  ),
  contexts: z.preprocess(
    orNone,
    z.array(
      z.object({ name, context: z.preprocess(orNothing, context) })
        .transform(({ name, context }) => ({ name, value: context })),
    ).transform(byName),
  ),
});

export type KubeCluster = z.output<typeof cluster>;
export type KubeUser = z.output<typeof user>;
export type KubeExec = z.output<typeof exec>;
export type KubeContext = z.output<typeof context>;
