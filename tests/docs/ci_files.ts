/** What files of CI systems may say, as far as the systems' own references list it. */
import assert from "node:assert/strict";
import { hasMembers, isListOf, isObject, isOptional, isText } from "../../lib/guard.ts";

type Map = Readonly<Record<string, unknown>>;

/** GitHub docs, "Workflow syntax". */
const WORKFLOW = ["name", "run-name", "on", "permissions", "env", "defaults", "concurrency", "jobs"];
const JOB = [
  ...[
    "name",
    "permissions",
    "needs",
    "if",
    "runs-on",
    "environment",
    "concurrency",
    "outputs",
    "env",
    "defaults",
  ],
  ...["steps", "timeout-minutes", "strategy", "continue-on-error", "container", "services"],
];
const STEP = [
  ...["id", "if", "name", "uses", "run", "working-directory", "shell", "with", "env"],
  ...["continue-on-error", "timeout-minutes"],
];
/** GitLab docs, "CI/CD YAML syntax reference". */
const GITLAB_TOP = ["default", "include", "stages", "variables", "workflow"];
const GITLAB_JOB = [
  ...["after_script", "allow_failure", "artifacts", "before_script", "cache", "coverage", "dependencies"],
  ...[
    "environment",
    "extends",
    "id_tokens",
    "image",
    "inherit",
    "interruptible",
    "needs",
    "parallel",
    "release",
  ],
  ...["resource_group", "retry", "rules", "script", "secrets", "services", "stage", "tags", "timeout"],
  ...["trigger", "variables", "when"],
];

const isAction = hasMembers<{ readonly uses: string; readonly with?: Map }>({
  uses: isText,
  with: isOptional(isObject),
});
const isScript = hasMembers<{ readonly run: string }>({ run: isText });
const isLines = isListOf(isText);

/** Checks a workflow of GitHub. `inputs` are those of this repository's action. Gives its shell scripts. */
export function checkWorkflow(file: unknown, inputs: readonly string[]): readonly string[] {
  const workflow = mapOf(file, "the workflow", WORKFLOW);
  assert.ok("on" in workflow, "a workflow needs `on`");
  const scripts: string[] = [];
  for (const [name, value] of Object.entries(mapOf(workflow.jobs, "jobs"))) {
    const job = mapOf(value, `job ${name}`, JOB);
    assert.ok(isText(job["runs-on"]), `job ${name} needs runs-on`);
    assert.ok(Array.isArray(job.steps), `job ${name} needs steps`);
    for (const step of job.steps) {
      mapOf(step, `a step of ${name}`, STEP);
      if (isScript(step)) scripts.push(step.run);
      else {
        assert.ok(isAction(step), `a step of ${name} needs uses or run`);
        if (step.uses.startsWith("dapp/dapp@")) mapOf(step.with ?? {}, step.uses, inputs);
      }
    }
  }
  return scripts;
}

/** Checks a file of GitLab. `templates` are files of this repository. Gives its shell scripts. */
export function checkGitlab(file: unknown, templates: readonly string[]): readonly string[] {
  const scripts: string[] = [];
  for (const [name, value] of Object.entries(mapOf(file, "the file"))) {
    if (name === "include") {
      for (const each of [value].flat()) {
        const { file } = mapOf(each, "include", ["project", "file", "ref", "local", "remote", "template"]);
        if (file !== undefined) assert.ok(isText(file) && templates.includes(file), `no template ${file}`);
      }
    } else if (!GITLAB_TOP.includes(name)) {
      const job = mapOf(value, `job ${name}`, GITLAB_JOB);
      const starts = ["script", "extends", "trigger"].some((key) => key in job);
      assert.ok(starts || name.startsWith("."), `job ${name} does nothing`);
      for (const key of ["before_script", "script", "after_script"]) {
        const lines = [job[key] ?? []].flat();
        assert.ok(isLines(lines), `${key} of ${name} is a list of commands`);
        scripts.push(...lines);
      }
    }
  }
  return scripts;
}

function mapOf(value: unknown, what: string, keys?: readonly string[]): Map {
  assert.ok(isObject(value), `${what} is a map`);
  for (const key of Object.keys(value)) assert.ok(keys?.includes(key) ?? true, `${what} has no key "${key}"`);
  return value;
}
