import { status } from "@grpc/grpc-js";
import { Auth } from "./gen/github.com/moby/buildkit/session/auth/auth_pb.ts";
import { Secrets } from "./gen/github.com/moby/buildkit/session/secrets/secrets_pb.ts";
import { SSH } from "./gen/github.com/moby/buildkit/session/sshforward/ssh_pb.ts";
import { Refusal, type Served, serveDuplex, serveUnary } from "./session.ts";

/** User and password, or nothing. */
export interface Login {
  readonly username: string;
  readonly secret: string;
}

/**
 * Logins to registries. The daemon fetches tokens itself with them: the methods with which a client would do that are left
 * out, and a daemon sees that they are.
 */
export function authService(login: (host: string) => Promise<Login | undefined>): readonly Served[] {
  return [serveUnary(Auth.method.credentials, async ({ Host }) => {
    const found = await login(Host);
    return found ? { Username: found.username, Secret: found.secret } : {};
  })];
}

/** Values of secrets by id. */
export function secretService(value: (id: string) => Uint8Array | undefined): readonly Served[] {
  return [serveUnary(Secrets.method.getSecret, ({ ID }) => {
    const data = value(ID);
    if (!data) throw new Refusal(status.NOT_FOUND, `secret ${ID} not found`);
    return { data };
  })];
}

/** Agents for ssh keys: `socket` gives the path of one's socket on this machine. */
export function sshService(socket: (id: string) => string | undefined): readonly Served[] {
  const pathOf = (id: string) => {
    const path = socket(id);
    if (path) return path;
    throw new Refusal(status.NOT_FOUND, `ssh agent ${id} not found`);
  };
  return [
    serveUnary(SSH.method.checkAgent, ({ ID }) => {
      pathOf(ID);
      return {};
    }),
    serveDuplex(SSH.method.forwardAgent, async (requests, send, headers) => {
      const path = pathOf(String(headers.get("buildkit.ssh.id")[0] ?? ""));
      using agent = await Deno.connect({ transport: "unix", path });
      const answers = (async () => {
        for await (const data of agent.readable) await send({ data });
      })();
      answers.catch(() => {});
      for await (const { data } of requests) {
        for (let at = 0; at < data.length;) at += await agent.write(data.subarray(at));
      }
      await agent.closeWrite();
      await answers;
    }),
  ];
}
