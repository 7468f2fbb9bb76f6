/** How much of a peer's time dapp may take at most, by scenario and tool. What is not listed is only watched. */
const goals: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  "build + push, cold": { buildkit: 0.3 },
  "build + push, one file changed": { buildkit: 0.4 },
  "build + push, no change": { buildkit: 0.5 },
  "push, first": { skopeo: 0.8 },
  "push, one layer changed": { skopeo: 1.2 },
  "push, no change": { docker: 1.5 },
  "pull + unpack": { docker: 0.5 },
};

/** The highest ratio wanted of dapp's time to that of a tool; undefined when nothing is wanted. */
export function goalOf(scenario: string, tool: string): number | undefined {
  return goals[scenario]?.[tool];
}
