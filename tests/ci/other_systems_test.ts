import { testCi } from "./support.ts";

const travis = {
  CI: "true",
  TRAVIS: "true",
  TRAVIS_REPO_SLUG: "shop/app",
  TRAVIS_BUILD_NUMBER: "31",
  TRAVIS_BUILD_ID: "778",
  TRAVIS_PULL_REQUEST: "false",
  TRAVIS_PULL_REQUEST_BRANCH: "",
  TRAVIS_PULL_REQUEST_SLUG: "",
  TRAVIS_TAG: "",
};
const travisPull = {
  ...travis,
  TRAVIS_BRANCH: "main",
  TRAVIS_PULL_REQUEST: "12",
  TRAVIS_PULL_REQUEST_BRANCH: "feature/x",
  TRAVIS_PULL_REQUEST_SLUG: "shop/app",
};
testCi("ci-travis", "Travis CI", [
  { name: "branch", env: { ...travis, TRAVIS_BRANCH: "main" }, branch: "main", buildId: "31" },
  {
    name: "tag, which is repeated as the branch",
    env: { ...travis, TRAVIS_BRANCH: "v1.0", TRAVIS_TAG: "v1.0" },
    tag: "v1.0",
    buildId: "31",
  },
  {
    name: "pull request, where TRAVIS_BRANCH is the target",
    env: travisPull,
    branch: "feature/x",
    buildId: "31",
  },
  {
    name: "pull request of a fork",
    env: { ...travisPull, TRAVIS_PULL_REQUEST_SLUG: "stranger/app", TRAVIS_PULL_REQUEST_BRANCH: "main" },
    branch: "pull/12",
    buildId: "31",
  },
  { name: "nothing but the name of the system", env: { TRAVIS: "true" } },
]);

const jenkins = {
  JENKINS_URL: "http://jenkins/",
  BUILD_NUMBER: "5",
  JOB_NAME: "shop/main",
  BUILD_TAG: "jenkins-shop-main-5",
};
const jenkinsPull = {
  ...jenkins,
  BRANCH_NAME: "PR-12",
  CHANGE_ID: "12",
  CHANGE_BRANCH: "feature/x",
  CHANGE_TARGET: "main",
};
testCi("ci-jenkins", "Jenkins", [
  {
    name: "multibranch",
    env: { ...jenkins, BRANCH_NAME: "feature/x" },
    branch: "feature/x",
    buildId: "jenkins-shop-main-5",
  },
  {
    name: "multibranch, tag",
    env: { ...jenkins, BRANCH_NAME: "v1.0", TAG_NAME: "v1.0" },
    tag: "v1.0",
    buildId: "jenkins-shop-main-5",
  },
  { name: "multibranch, change", env: jenkinsPull, branch: "feature/x", buildId: "jenkins-shop-main-5" },
  {
    name: "multibranch, change of a fork",
    env: { ...jenkinsPull, CHANGE_FORK: "stranger" },
    branch: "pull/12",
    buildId: "jenkins-shop-main-5",
  },
  {
    name: "multibranch, change without a branch, as Gerrit has them",
    env: { ...jenkins, BRANCH_NAME: "12/3", CHANGE_ID: "12" },
    branch: "pull/12",
    buildId: "jenkins-shop-main-5",
  },
  {
    name: "job with the git plugin",
    env: { JENKINS_URL: "http://jenkins/", BUILD_NUMBER: "5", GIT_BRANCH: "origin/feature/x" },
    branch: "feature/x",
    buildId: "5",
  },
  {
    name: "job that builds a commit",
    env: { JENKINS_URL: "http://jenkins/", BUILD_NUMBER: "5", GIT_BRANCH: "detached" },
    buildId: "5",
  },
  { name: "nothing but the address of the server", env: { JENKINS_URL: "http://jenkins/" } },
]);

const circle = { CI: "true", CIRCLECI: "true", CIRCLE_BUILD_NUM: "88" };
testCi("ci-circleci", "CircleCI", [
  { name: "branch", env: { ...circle, CIRCLE_BRANCH: "feature/x" }, branch: "feature/x", buildId: "88" },
  { name: "tag", env: { ...circle, CIRCLE_TAG: "v1.0" }, tag: "v1.0", buildId: "88" },
  {
    name: "pull request",
    env: {
      ...circle,
      CIRCLE_BRANCH: "feature/x",
      CIRCLE_PULL_REQUEST: "https://github.com/shop/app/pull/12",
    },
    branch: "feature/x",
    buildId: "88",
  },
  {
    name: "pull request of a fork",
    env: { ...circle, CIRCLE_BRANCH: "pull/12", CIRCLE_PR_NUMBER: "12", CIRCLE_PR_REPONAME: "app" },
    branch: "pull/12",
    buildId: "88",
  },
  { name: "nothing but the name of the system", env: { CIRCLECI: "true" } },
]);

const bitbucket = { CI: "true", BITBUCKET_BUILD_NUMBER: "44" };
testCi("ci-bitbucket", "Bitbucket Pipelines", [
  {
    name: "branch",
    env: { ...bitbucket, BITBUCKET_BRANCH: "feature/x" },
    branch: "feature/x",
    buildId: "44",
  },
  { name: "tag", env: { ...bitbucket, BITBUCKET_TAG: "v1.0" }, tag: "v1.0", buildId: "44" },
  {
    name: "pull request",
    env: {
      ...bitbucket,
      BITBUCKET_BRANCH: "feature/x",
      BITBUCKET_PR_ID: "12",
      BITBUCKET_PR_DESTINATION_BRANCH: "main",
    },
    branch: "feature/x",
    buildId: "44",
  },
  { name: "custom pipeline on a commit", env: bitbucket, buildId: "44" },
]);

const azure = { TF_BUILD: "True", BUILD_BUILDID: "303", BUILD_BUILDNUMBER: "20261125.3" };
const azurePull = {
  ...azure,
  BUILD_SOURCEBRANCH: "refs/pull/12/merge",
  BUILD_SOURCEBRANCHNAME: "merge",
  SYSTEM_PULLREQUEST_PULLREQUESTID: "9912",
  SYSTEM_PULLREQUEST_PULLREQUESTNUMBER: "12",
  SYSTEM_PULLREQUEST_SOURCEBRANCH: "refs/heads/feature/x",
  SYSTEM_PULLREQUEST_TARGETBRANCH: "refs/heads/main",
  SYSTEM_PULLREQUEST_ISFORK: "False",
};
testCi("ci-azure", "Azure Pipelines", [
  {
    name: "branch with a slash",
    env: { ...azure, BUILD_SOURCEBRANCH: "refs/heads/feature/x", BUILD_SOURCEBRANCHNAME: "x" },
    branch: "feature/x",
    buildId: "303",
  },
  { name: "tag", env: { ...azure, BUILD_SOURCEBRANCH: "refs/tags/v1.0" }, tag: "v1.0", buildId: "303" },
  { name: "pull request", env: azurePull, branch: "feature/x", buildId: "303" },
  {
    name: "pull request of a GitHub repository, with short branch names",
    env: {
      ...azurePull,
      SYSTEM_PULLREQUEST_SOURCEBRANCH: "feature/x",
      SYSTEM_PULLREQUEST_TARGETBRANCH: "main",
    },
    branch: "feature/x",
    buildId: "303",
  },
  {
    name: "pull request of a fork",
    env: { ...azurePull, SYSTEM_PULLREQUEST_ISFORK: "True" },
    branch: "pull/12",
    buildId: "303",
  },
  {
    name: "pull request whose branch is called like the target",
    env: { ...azurePull, SYSTEM_PULLREQUEST_SOURCEBRANCH: "main", SYSTEM_PULLREQUEST_PULLREQUESTNUMBER: "" },
    branch: "pull/9912",
    buildId: "303",
  },
  { name: "nothing but the name of the system", env: { TF_BUILD: "True" } },
]);

const drone = { CI: "true", DRONE: "true", DRONE_BUILD_NUMBER: "61" };
const dronePull = {
  ...drone,
  DRONE_BUILD_EVENT: "pull_request",
  DRONE_PULL_REQUEST: "12",
  DRONE_BRANCH: "main",
  DRONE_COMMIT_BRANCH: "main",
  DRONE_TARGET_BRANCH: "main",
  DRONE_SOURCE_BRANCH: "feature/x",
};
testCi("ci-drone", "Drone", [
  {
    name: "branch",
    env: {
      ...drone,
      DRONE_BRANCH: "feature/x",
      DRONE_SOURCE_BRANCH: "feature/x",
      DRONE_TARGET_BRANCH: "feature/x",
    },
    branch: "feature/x",
    buildId: "61",
  },
  {
    name: "tag, with the default branch as the branch",
    env: { ...drone, DRONE_TAG: "v1.0", DRONE_BRANCH: "main" },
    tag: "v1.0",
    buildId: "61",
  },
  {
    name: "pull request, where DRONE_BRANCH is the target",
    env: dronePull,
    branch: "feature/x",
    buildId: "61",
  },
  {
    name: "pull request whose branch is called like the target",
    env: { ...dronePull, DRONE_SOURCE_BRANCH: "main" },
    branch: "pull/12",
    buildId: "61",
  },
  { name: "nothing but the name of the system", env: { DRONE: "true" } },
]);

const woodpecker = { CI: "woodpecker", CI_SYSTEM_NAME: "woodpecker", CI_PIPELINE_NUMBER: "17" };
const woodpeckerPull = {
  ...woodpecker,
  CI_PIPELINE_EVENT: "pull_request",
  CI_COMMIT_PULL_REQUEST: "12",
  CI_COMMIT_BRANCH: "main",
  CI_COMMIT_SOURCE_BRANCH: "feature/x",
  CI_COMMIT_TARGET_BRANCH: "main",
};
testCi("ci-woodpecker", "Woodpecker", [
  {
    name: "branch",
    env: { ...woodpecker, CI_COMMIT_BRANCH: "feature/x" },
    branch: "feature/x",
    buildId: "17",
  },
  {
    name: "tag",
    env: { ...woodpecker, CI_COMMIT_TAG: "v1.0", CI_COMMIT_BRANCH: "" },
    tag: "v1.0",
    buildId: "17",
  },
  {
    name: "pull request, where CI_COMMIT_BRANCH is the target",
    env: woodpeckerPull,
    branch: "feature/x",
    buildId: "17",
  },
  {
    name: "pull request whose branch is called like the target",
    env: { ...woodpeckerPull, CI_COMMIT_SOURCE_BRANCH: "main" },
    branch: "pull/12",
    buildId: "17",
  },
  {
    name: "an old release, which sets the variables of Drone too",
    env: {
      CI: "woodpecker",
      DRONE: "true",
      DRONE_BRANCH: "no",
      CI_BUILD_NUMBER: "17",
      CI_COMMIT_BRANCH: "main",
    },
    branch: "main",
    buildId: "17",
  },
  { name: "nothing but the name of the system", env: { CI: "woodpecker" } },
]);

const teamcity = { TEAMCITY_VERSION: "2026.1", BUILD_NUMBER: "90" };
testCi("ci-teamcity", "TeamCity", [
  {
    name: "branch",
    env: { ...teamcity, TEAMCITY_BUILD_BRANCH: "feature/x" },
    branch: "feature/x",
    buildId: "90",
  },
  {
    name: "branch as a ref",
    env: { ...teamcity, BRANCH_NAME: "refs/heads/feature/x" },
    branch: "feature/x",
    buildId: "90",
  },
  { name: "tag", env: { ...teamcity, TEAMCITY_BUILD_BRANCH: "refs/tags/v1.0" }, tag: "v1.0", buildId: "90" },
  {
    name: "pull request",
    env: { ...teamcity, TEAMCITY_BUILD_BRANCH: "pull/12" },
    branch: "pull/12",
    buildId: "90",
  },
  {
    name: "pull request as a ref",
    env: { ...teamcity, TEAMCITY_BUILD_BRANCH: "refs/pull/12/merge" },
    branch: "pull/12",
    buildId: "90",
  },
  {
    name: "the default branch without its name",
    env: { ...teamcity, TEAMCITY_BUILD_BRANCH: "<default>" },
    buildId: "90",
  },
  { name: "no parameter that passes the branch on", env: teamcity, buildId: "90" },
]);
