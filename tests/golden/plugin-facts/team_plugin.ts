/** Adds a fact to the stages that its options name. */
import { definePlugin } from "../../../mod.ts";

export default definePlugin({
  name: "inputs-team",
  api: 1,
  options: (z) => z.strictObject({ team: z.string(), stages: z.array(z.string()) }),
  setup: ({ team, stages }) => ({
    stageInputs: ({ stage }) => stages.includes(stage) ? [{ key: "team", value: team }] : [],
  }),
});
