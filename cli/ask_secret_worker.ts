/** The thread that waits for a secret; see ask_secret.ts. */
import { promptSecret } from "@std/cli/prompt-secret";

/** What it is sent; it answers with what was typed. */
export interface SecretQuestion {
  readonly question: string;
}

/** Of a worker, which the types of a main thread do not know. */
declare const self: {
  onmessage: (event: MessageEvent<SecretQuestion>) => void;
  postMessage(answer: string | null): void;
};

self.onmessage = ({ data }) => self.postMessage(promptSecret(data.question, { mask: "" }));
