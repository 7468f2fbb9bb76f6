import { artifactUpon, type Look, OWN } from "./look.ts";

/** A project with a composer.json, or an index.php. */
export const lookForPhp: Look = async (files) => {
  const composer = await files.read("composer.json");
  const inPublic = (await files.list("public")).includes("index.php");
  if (composer === undefined && !inPublic && !files.names.has("index.php")) return undefined;
  const locked = files.names.has("composer.lock");
  const lists = ["composer.json", ...(locked ? ["composer.lock"] : [])];
  // Maps of classes and files that are always loaded are made of the sources themselves.
  const reads = /"(?:classmap|files)"\s*:/.test(composer ?? "") ? '"**/*"' : lists.join(", ");
  const version = /"php"\s*:\s*"[^"\d]*(\d+\.\d+)/.exec(composer ?? "")?.[1] ?? "8";
  const vendor = [
    ...artifactUpon("composer:2", { name: "vendor", to: "/app" }),
    "    # Packages are installed again only when one of these changes.",
    `    stageDependencies: { buildArtifact: [${reads}] }`,
    "shell:",
    "  buildArtifact:",
    "    - cd /app && mkdir -p vendor && composer install --no-dev --no-interaction --no-scripts --ignore-platform-reqs",
  ].join("\n");
  return {
    what: "a PHP project",
    documents: [
      ...(composer === undefined ? [] : [vendor]),
      [
        "dimg: web",
        `from: php:${version}-apache`,
        "git:",
        "  - add: /",
        "    to: /var/www/html",
        `    excludePaths: ${OWN}`,
        ...(composer === undefined ? [] : [
          "import:",
          "  - { artifact: vendor, add: /app/vendor, to: /var/www/html/vendor, after: setup }",
        ]),
        ...(inPublic
          ? [
            "shell:",
            "  beforeInstall: [sed -i s!/var/www/html!/var/www/html/public!g /etc/apache2/sites-available/*.conf]",
          ]
          : []),
        "docker:",
        "  EXPOSE: 80",
      ].join("\n"),
    ],
    notes: composer === undefined || locked
      ? []
      : ["there is no composer.lock: commit the one that composer writes, so that builds agree"],
  };
};
