/** The machine's Debian package sources, so that test images use the same mirrors. */

/** One kind of package at one place: a line of sources.list(5) without its options. */
export interface DebianSource {
  readonly uri: string;
  readonly suite: string;
  readonly components: readonly string[];
}

/** Parses the one-line format of sources.list(5). Source packages and comments are left out. */
export function parseOneLineSources(text: string): DebianSource[] {
  const sources: DebianSource[] = [];
  for (const line of text.split("\n")) {
    const match = /^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)((?:\s+[^\s#]+)*)/.exec(line);
    if (match === null) continue;
    const [, uri = "", suite = "", components = ""] = match;
    sources.push({ uri: trimSlash(uri), suite, components: words(components) });
  }
  return sources;
}

/** Parses the deb822 format of sources.list(5): stanzas, comments, continuation lines, `Enabled: no`. */
export function parseDeb822Sources(text: string): DebianSource[] {
  const sources: DebianSource[] = [];
  const withoutComments = text.split("\n").filter((line) => !line.startsWith("#")).join("\n");
  for (const stanza of withoutComments.split(/\n[ \t]*\n/)) {
    const fields = new Map<string, string>();
    for (const match of stanza.matchAll(/^([^\s:]+):((?:.*)(?:\n[ \t].*)*)/gm)) {
      fields.set((match[1] ?? "").toLowerCase(), match[2] ?? "");
    }
    if (/^\s*(no|false|off|0)\s*$/i.test(fields.get("enabled") ?? "")) continue;
    if (!words(fields.get("types") ?? "").includes("deb")) continue;
    for (const uri of words(fields.get("uris") ?? "")) {
      for (const suite of words(fields.get("suites") ?? "")) {
        sources.push({ uri: trimSlash(uri), suite, components: words(fields.get("components") ?? "") });
      }
    }
  }
  return sources;
}

/** Sources of a release (`bookworm`, `bookworm-updates`, `bookworm-security`) that this machine's apt is set up with. */
export async function machineSources(release: string, etcApt = "/etc/apt"): Promise<DebianSource[]> {
  const files = [`${etcApt}/sources.list`];
  try {
    for await (const entry of Deno.readDir(`${etcApt}/sources.list.d`)) {
      files.push(`${etcApt}/sources.list.d/${entry.name}`);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const found: DebianSource[] = [];
  for (const file of files.sort()) {
    const parse = file.endsWith(".sources")
      ? parseDeb822Sources
      : file.endsWith(".list")
      ? parseOneLineSources
      : undefined;
    if (parse === undefined) continue;
    try {
      found.push(...parse(await Deno.readTextFile(file)));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return found.filter(({ uri, suite, components }) =>
    /^(https?|file):/.test(uri) && suite.split("-")[0] === release && components.includes("main")
  );
}

/** The one-line format again. */
export function formatSources(sources: readonly DebianSource[]): string {
  return sources.map(({ uri, suite, components }) => `deb ${uri} ${suite} ${components.join(" ")}\n`).join(
    "",
  );
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}

function trimSlash(uri: string): string {
  return uri.replace(/\/+$/, "");
}
