/** Built-in tag schemes and CI systems, in the order in which they are asked. Loaded when images are tagged. */
import type { Plugin } from "./core/contract/plugin.ts";
import { ciAzure } from "./plugins/ci/azure.ts";
import { ciBitbucket } from "./plugins/ci/bitbucket.ts";
import { ciCircleci } from "./plugins/ci/circleci.ts";
import { ciDrone } from "./plugins/ci/drone.ts";
import { ciGithub } from "./plugins/ci/github.ts";
import { ciGitlab } from "./plugins/ci/gitlab.ts";
import { ciJenkins } from "./plugins/ci/jenkins.ts";
import { ciTeamcity } from "./plugins/ci/teamcity.ts";
import { ciTravis } from "./plugins/ci/travis.ts";
import { ciWoodpecker } from "./plugins/ci/woodpecker.ts";
import { tagBranch } from "./plugins/tagging/branch.ts";
import { tagBuildId } from "./plugins/tagging/build_id.ts";
import { tagCi } from "./plugins/tagging/ci.ts";
import { tagCommit } from "./plugins/tagging/commit.ts";
import { tagCustom } from "./plugins/tagging/custom.ts";

/** In the order in which they are asked. */
export const plugins: readonly Plugin[] = [
  tagCustom,
  tagBranch,
  tagCommit,
  tagBuildId,
  tagCi,
  ciGitlab,
  ciGithub,
  ciTravis,
  ciJenkins,
  ciCircleci,
  ciBitbucket,
  ciAzure,
  ciWoodpecker,
  ciDrone,
  ciTeamcity,
];
