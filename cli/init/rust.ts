import { artifactUpon, type Look, type ProjectFiles, workspaceDirs } from "./look.ts";

/** A project with a Cargo.toml. */
export const lookForRust: Look = async (files) => {
  const top = await files.read("Cargo.toml");
  if (top === undefined) return undefined;
  const programs = [
    ...await programsOf(files, ".", top),
    ...(await Promise.all(
      (await workspaceDirs(files, listIn(top, "members"))).map(async (dir) =>
        await programsOf(files, dir, await files.read(`${dir}/Cargo.toml`) ?? "")
      ),
    )).flat(),
  ];
  const [first] = programs;
  const { dir, name } = first ?? { dir: ".", name: "app" };
  const locked = files.names.has("Cargo.lock");
  const toolchain = `${await files.read("rust-toolchain.toml") ?? await files.read("rust-toolchain") ?? ""}`;
  const version = /\b(1\.\d+(?:\.\d+)?)\b/.exec(toolchain)?.[1] ?? "1";
  return {
    what: "a Rust project",
    documents: [
      [
        ...artifactUpon(`rust:${version}-bookworm`),
        '    stageDependencies: { buildArtifact: ["**/*"] }',
        "mount:",
        "  # What cargo downloads is kept between builds; what it compiles is made anew, and stays out of the image.",
        "  - { to: /usr/local/cargo/registry, from: build_dir }",
        "  - { to: /target, from: tmp_dir }",
        "shell:",
        `  buildArtifact: [cd /src && cargo install${
          locked ? " --locked" : ""
        } --path ${dir} --root /out --target-dir /target]`,
      ].join("\n"),
      [
        "dimg: app",
        "from: debian:bookworm-slim",
        "import:",
        "  - { artifact: build, add: /out/bin, to: /usr/local/bin, after: setup }",
        "docker:",
        `  CMD: [/usr/local/bin/${name}]`,
      ].join("\n"),
    ],
    notes: [
      ...(locked ? [] : ["there is no Cargo.lock: commit the one that cargo writes, so that builds agree"]),
      ...(first ? [] : ["no program was found: write into CMD what the image starts"]),
      ...(programs.length > 1 ? [`of ${programs.length} programs, "${name}" is started`] : []),
    ],
  };
};

/** What `cargo install` makes of a package, by its manifest and the files that cargo takes for programs. */
async function programsOf(files: ProjectFiles, dir: string, manifest: string) {
  const below = (path: string) => dir === "." ? path : `${dir}/${path}`;
  const named = [...manifest.matchAll(/^\[\[bin\]\]\s*\n(?:(?!\[).*\n)*?\s*name\s*=\s*"([^"]+)"/gm)];
  if (named.length > 0) return named.map(([, name]) => ({ dir, name: name! }));
  const name = /^\[package\]\s*\n(?:(?!\[).*\n)*?\s*name\s*=\s*"([^"]+)"/m.exec(manifest)?.[1];
  if (name === undefined) return [];
  if ((await files.list(below("src"))).includes("main.rs")) return [{ dir, name }];
  return (await files.list(below("src/bin"))).filter((file) => file.endsWith(".rs")).toSorted()
    .map((file) => ({ dir, name: file.slice(0, -".rs".length) }));
}

/** The texts of a list in TOML. */
function listIn(toml: string, key: string): readonly string[] {
  const list = new RegExp(`^\\s*${key}\\s*=\\s*\\[([^\\]]*)\\]`, "m").exec(toml)?.[1] ?? "";
  return [...list.matchAll(/["']([^"']+)["']/g)].map(([, text]) => text!);
}
