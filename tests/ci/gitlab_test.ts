import { testCi } from "./support.ts";

const base = {
  CI: "true",
  GITLAB_CI: "true",
  CI_PROJECT_ID: "42",
  CI_JOB_ID: "9001",
  CI_COMMIT_SHA: "ab".repeat(20),
};
const mergeRequest = {
  ...base,
  CI_PIPELINE_SOURCE: "merge_request_event",
  CI_COMMIT_REF_NAME: "feature/x",
  CI_MERGE_REQUEST_IID: "7",
  CI_MERGE_REQUEST_PROJECT_ID: "42",
  CI_MERGE_REQUEST_SOURCE_PROJECT_ID: "42",
  CI_MERGE_REQUEST_SOURCE_BRANCH_NAME: "feature/x",
  CI_MERGE_REQUEST_TARGET_BRANCH_NAME: "main",
};

testCi("ci-gitlab", "GitLab CI", [
  {
    name: "branch pipeline",
    env: { ...base, CI_COMMIT_BRANCH: "feature/x", CI_COMMIT_REF_NAME: "feature/x" },
    branch: "feature/x",
    buildId: "9001",
  },
  {
    name: "tag pipeline, where the ref name is the tag",
    env: { ...base, CI_COMMIT_TAG: "v1.0", CI_COMMIT_REF_NAME: "v1.0" },
    tag: "v1.0",
    buildId: "9001",
  },
  { name: "merge request pipeline", env: mergeRequest, branch: "feature/x", buildId: "9001" },
  {
    name: "merge request of a fork, run in the fork",
    env: {
      ...mergeRequest,
      CI_PROJECT_ID: "77",
      CI_MERGE_REQUEST_SOURCE_PROJECT_ID: "77",
    },
    branch: "feature/x",
    buildId: "9001",
  },
  {
    name: "merge request of a fork, run in the parent project",
    env: {
      ...mergeRequest,
      CI_MERGE_REQUEST_SOURCE_PROJECT_ID: "77",
      CI_MERGE_REQUEST_SOURCE_BRANCH_NAME: "main",
      CI_COMMIT_REF_NAME: "main",
    },
    branch: "pull/7",
    buildId: "9001",
  },
  {
    name: "GitLab before 9, branch",
    env: { GITLAB_CI: "true", CI_BUILD_REF_NAME: "main", CI_BUILD_ID: "12" },
    branch: "main",
    buildId: "12",
  },
  {
    name: "GitLab before 9, tag",
    env: { GITLAB_CI: "true", CI_BUILD_REF_NAME: "v0.9", CI_BUILD_TAG: "v0.9", CI_BUILD_ID: "12" },
    tag: "v0.9",
    buildId: "12",
  },
  {
    name: "an empty tag is none",
    env: { ...base, CI_COMMIT_TAG: "", CI_COMMIT_BRANCH: "main", CI_COMMIT_REF_NAME: "main" },
    branch: "main",
    buildId: "9001",
  },
  { name: "nothing but the name of the system", env: { GITLAB_CI: "true" } },
]);
