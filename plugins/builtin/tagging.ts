/** Built-in tag schemes and CI systems, in the order in which they are asked. Loaded when images are tagged. */
import type { Plugin } from "../../core/contract/plugin.ts";
import { ciAzure } from "../ci/azure.ts";
import { ciBitbucket } from "../ci/bitbucket.ts";
import { ciCircleci } from "../ci/circleci.ts";
import { ciDrone } from "../ci/drone.ts";
import { ciGithub } from "../ci/github.ts";
import { ciGitlab } from "../ci/gitlab.ts";
import { ciJenkins } from "../ci/jenkins.ts";
import { ciTeamcity } from "../ci/teamcity.ts";
import { ciTravis } from "../ci/travis.ts";
import { ciWoodpecker } from "../ci/woodpecker.ts";
import { tagBranch } from "../tagging/branch.ts";
import { tagBuildId } from "../tagging/build_id.ts";
import { tagCi } from "../tagging/ci.ts";
import { tagCommit } from "../tagging/commit.ts";
import { tagCustom } from "../tagging/custom.ts";

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
