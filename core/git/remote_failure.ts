import { EngineError } from "../contract/errors.ts";
import { gitFailure, placeFailure, reasonOf, redact } from "./failure.ts";
import type { GitOutput } from "./process.ts";

interface Kind {
  readonly says: RegExp;
  readonly summary: string;
  readonly fix: string;
}

/** How git, ssh and curl put it, first match wins. */
const KINDS: readonly Kind[] = [
  {
    says: /transport '.*' not allowed/i,
    summary: "git does not allow this protocol here",
    fix:
      "Use an https or ssh URL; for repositories of this machine: git config --global protocol.file.allow always",
  },
  {
    says: /host key verification failed/i,
    summary: "the host's key is not known",
    fix: "Add it after checking: ssh-keyscan HOST >> ~/.ssh/known_hosts",
  },
  {
    says:
      /could not read (username|password)|authentication failed|permission denied|terminal prompts disabled|access denied|invalid credentials|returned error: (401|403)/i,
    summary: "access denied",
    fix:
      "Check that `git ls-remote URL` works for this user: a credential helper for https, a loaded key for ssh",
  },
  {
    says: /certificate (problem|verif)|(ssl|tls)[ _]certificate/i,
    summary: "its certificate is not trusted",
    fix:
      "Have git trust its authority: git config --global http.sslCAInfo FILE, or FILE in the variable GIT_SSL_CAINFO",
  },
  {
    says:
      /could not resolve|unable to look up|connection (refused|reset|timed out|closed)|network is unreachable|failed to connect|couldn't connect|operation timed out|no route to host|(ssl|tls)[ _](connect|error|handshake|routines)|early eof|hung up|returned error: 5\d\d/i,
    summary: "the server cannot be reached",
    fix: "Check the network and try again; a `commit:` that was fetched before needs no network",
  },
  {
    says:
      /repository .*not found|repository not found|does not appear to be a git repository|does not exist|not found|could not be found|returned error: 404/i,
    summary: "no such repository",
    fix: "Check `url:` in the dappfile",
  },
];

/** The error for git having failed to talk to another repository, or to keep what came from it in `place`. */
export async function remoteFailure(what: string, output: GitOutput, place: string): Promise<EngineError> {
  const unkept = await placeFailure(what, output, place);
  if (unkept) return unkept;
  const lines = output.stderr.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  for (const { says, summary, fix } of KINDS) {
    const line = lines.find((each) => says.test(each));
    if (line === undefined) continue;
    const said = redact(line.replace(/^(fatal|error|ERROR|remote):\s*/, "")).replace(/\.$/, "");
    return new EngineError("GIT_FAILED", `${what}: ${summary} (${said})`, { fix });
  }
  return await gitFailure(what, output);
}

/** Whether the server refuses to hand out a commit by its id, or does not have it. */
export function isCommitRefused(output: GitOutput): boolean {
  return /unadvertised object|not our ref|couldn't find remote ref|no such remote ref|object format/i.test(
    output.stderr,
  );
}

/** Whether the server cannot give the newest state without all history. */
export function isDepthRefused(output: GitOutput): boolean {
  return /shallow|does not support.*depth/i.test(reasonOf(output));
}
