/** A real browser, driven by the Chrome DevTools protocol. */
import { withTempDir } from "./tmp.ts";

/** A page in it. */
export interface BrowserPage {
  /** Opens an address and waits until it is loaded. */
  open(url: string): Promise<void>;
  /** The value of an expression in the page; promises are waited for. */
  evaluate(expression: string): Promise<unknown>;
  /** Presses a key as a person does: one sign, or the name of a key such as "Tab". */
  press(key: string): Promise<void>;
  /** Does what leads to another page, and waits until that is loaded. */
  follow(action: () => Promise<void>): Promise<void>;
  /** What the system of the person prefers. */
  prefer(scheme: "light" | "dark"): Promise<void>;
}

/** Keys that are not the sign they write. */
const KEYS: Readonly<Record<string, { readonly code: number; readonly text?: string }>> = {
  Tab: { code: 9 },
  Enter: { code: 13, text: "\r" },
  Escape: { code: 27 },
  ArrowUp: { code: 38 },
  ArrowDown: { code: 40 },
};

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly sessionId?: string;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

/** Starts the browser without a window, calls `body` with a page, ends it. */
export async function withBrowser(
  program: string,
  body: (page: BrowserPage) => Promise<void>,
): Promise<void> {
  await withTempDir(async (profile) => {
    const child = new Deno.Command(program, {
      args: [
        ...[
          "--headless",
          "--no-sandbox",
          "--disable-gpu",
          "--disable-background-networking",
          "--no-first-run",
          "--window-size=1280,900",
        ],
        ...[
          "--disable-sync",
          "--disable-dev-shm-usage",
          "--remote-debugging-port=0",
          `--user-data-dir=${profile}`,
        ],
        "about:blank",
      ],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const stderr = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
    let drained = Promise.resolve();
    try {
      const socket = new WebSocket(await addressIn(stderr));
      drained = drain(stderr);
      await new Promise((resolve, reject) => {
        socket.onopen = resolve;
        socket.onerror = reject;
      });
      await body(await openPage(socket));
      const closed = new Promise((resolve) => socket.onclose = resolve);
      socket.send(JSON.stringify({ id: 0, method: "Browser.close" }));
      await closed;
    } finally {
      try {
        child.kill("SIGKILL");
      } catch {
        // it has ended
      }
      await child.status;
      await drained;
    }
  });
}

type Reader = ReadableStreamDefaultReader<string>;

async function addressIn(stderr: Reader): Promise<string> {
  let text = "";
  for (let read = await stderr.read(); !read.done; read = await stderr.read()) {
    text += read.value;
    const found = /DevTools listening on (ws:\S+)/.exec(text);
    if (found) return found[1]!;
  }
  throw new Error(`The browser did not start:\n${text}`);
}

/** Reads to the end, so that the browser is never kept from writing. */
async function drain(stderr: Reader): Promise<void> {
  while (!(await stderr.read()).done);
}

async function openPage(socket: WebSocket): Promise<BrowserPage> {
  const waiting = new Map<number, (answer: Answer) => void>();
  const loads: (() => void)[] = [];
  let last = 0;
  socket.onmessage = ({ data }) => {
    const answer: Answer = JSON.parse(data);
    if (answer.id !== undefined) waiting.get(answer.id)?.(answer);
    else if (answer.method === "Page.loadEventFired") loads.splice(0).forEach((resolve) => resolve());
  };
  const call = (method: string, params: object, sessionId?: unknown): Promise<Record<string, unknown>> => {
    const id = ++last;
    const answered = Promise.withResolvers<Record<string, unknown>>();
    waiting.set(id, ({ result, error }) => {
      waiting.delete(id);
      if (error) answered.reject(new Error(`${method}: ${error.message}`));
      else answered.resolve(result ?? {});
    });
    socket.send(JSON.stringify({ id, method, params, ...(sessionId !== undefined && { sessionId }) }));
    return answered.promise;
  };
  const { targetId } = await call("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await call("Target.attachToTarget", { targetId, flatten: true });
  await call("Page.enable", {}, sessionId);
  const follow = async (action: () => Promise<unknown>) => {
    const loaded = new Promise<void>((resolve) => loads.push(resolve));
    await action();
    await loaded;
  };
  return {
    follow,
    async open(url) {
      const loaded = new Promise<void>((resolve) => loads.push(resolve));
      const { loaderId } = await call("Page.navigate", { url }, sessionId);
      // A place on the page that is open loads nothing.
      if (loaderId !== undefined) await loaded;
    },
    async evaluate(expression) {
      const params = { expression, awaitPromise: true, returnByValue: true, userGesture: true };
      const { result, exceptionDetails } = await call("Runtime.evaluate", params, sessionId);
      if (exceptionDetails) throw new Error(`In the page: ${JSON.stringify(exceptionDetails)}`);
      return (result as { value?: unknown }).value;
    },
    async press(key) {
      const { code, text = undefined } = KEYS[key] ?? { code: key.toUpperCase().charCodeAt(0), text: key };
      const event = { key, windowsVirtualKeyCode: code, ...(text !== undefined && { text }) };
      await call("Input.dispatchKeyEvent", { type: "keyDown", ...event }, sessionId);
      await call("Input.dispatchKeyEvent", { type: "keyUp", ...event }, sessionId);
    },
    async prefer(scheme) {
      const features = [{ name: "prefers-color-scheme", value: scheme }];
      await call("Emulation.setEmulatedMedia", { features }, sessionId);
    },
  };
}
