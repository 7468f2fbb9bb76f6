import { artifactUpon, type FirstDappfile, firstOf, type Look } from "./look.ts";

/** Versions of Java that images are made of for years. */
const LONG_LIVED = [8, 11, 17, 21, 25];

/** A project of Maven or Gradle. */
export const lookForJava: Look = async (files) => {
  const pom = await files.read("pom.xml");
  if (pom !== undefined) {
    const java = versionIn(
      pom,
      /<(?:java\.version|maven\.compiler\.(?:release|source)|release)>\s*(?:1\.)?(\d+)/,
    );
    return javaProject({
      from: `maven:3-eclipse-temurin-${java}`,
      java,
      build: "mvn --batch-mode --define maven.repo.local=/cache --define skipTests package",
      jars: /<modules>/.test(pom) ? "*/target/*.jar" : "target/*.jar",
    });
  }
  const script = firstOf(files, [
    "build.gradle.kts",
    "build.gradle",
    "settings.gradle.kts",
    "settings.gradle",
  ]);
  if (script === undefined) return undefined;
  const java = versionIn(
    await files.read(script) ?? "",
    /(?:jvmToolchain\(|JavaLanguageVersion\.of\(|JavaVersion\.VERSION_(?:1_)?|sourceCompatibility\s*=\s*['"]?(?:1\.)?)(\d+)/,
  );
  const own = files.names.has("gradlew");
  const several = files.names.has("settings.gradle.kts") || files.names.has("settings.gradle")
    ? ["*/build/libs/*.jar"]
    : [];
  return javaProject({
    from: own ? `eclipse-temurin:${java}-jdk` : `gradle:jdk${java}`,
    java,
    build: `${own ? "sh gradlew" : "gradle"} --no-daemon --gradle-user-home /cache assemble`,
    jars: ["build/libs/*.jar", ...several].join(" "),
  });
};

interface JavaBuild {
  /** The image with the tools. */
  readonly from: string;
  /** Version of Java. */
  readonly java: number;
  /** What makes the jars. */
  readonly build: string;
  /** Where they are then. */
  readonly jars: string;
}

function javaProject({ from, java, build, jars }: JavaBuild): FirstDappfile {
  return {
    what: "a Java project",
    documents: [
      [
        ...artifactUpon(from),
        '    stageDependencies: { buildArtifact: ["**/*"] }',
        "mount:",
        "  # What the build downloads is kept for the next one, and stays out of the image.",
        "  - { to: /cache, from: build_dir }",
        "shell:",
        "  buildArtifact:",
        `    - cd /src && ${build}`,
        "    # Of several jars the largest has everything in it.",
        `    - mkdir /out && cp "$(ls -S ${jars} 2>/dev/null | head -n 1)" /out/app.jar`,
      ].join("\n"),
      [
        "dimg: app",
        `from: eclipse-temurin:${java}-jre`,
        "import:",
        "  - { artifact: build, add: /out/app.jar, to: /app/app.jar, after: setup }",
        "docker:",
        "  WORKDIR: /app",
        "  CMD: [java, -jar, app.jar]",
      ].join("\n"),
    ],
    notes: ["CMD starts app.jar, whose manifest must name the main class, as jars of Spring Boot do"],
  };
}

/** The first version that images are made of and that is not older. */
function versionIn(text: string, pattern: RegExp): number {
  const wanted = Number(pattern.exec(text)?.[1] ?? 21);
  return LONG_LIVED.find((version) => version >= wanted) ?? wanted;
}
