/** How much of a peer's time dapp may take at most, by scenario and tool. What is not listed is only watched. */
const goals: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  "start-up": { "empty Deno program": 1.3 },
  "cold": { buildctl: 0.5 },
  "no change": { "empty Deno program, git status": 1.8 },
  "one file changed": { buildctl: 0.2 },
  "build + push, cold": { buildkit: 0.3 },
  "build + push, one file changed": { buildkit: 0.4 },
  "build + push, no change": { buildctl: 0.4, buildkit: 0.5 },
  "push, first": { crane: 1.0, skopeo: 0.8 },
  "push, one layer changed": { skopeo: 0.8 },
  "push, no change": { skopeo: 0.8, docker: 1.5 },
  "pull": { crane: 1.5 },
  "pull + unpack": { docker: 0.35 },
  "40 dimgs, daemons of 4 + 4 steps": { ideal: 1.3 },
  "40 dimgs, daemons of 8 + 2 steps": { ideal: 1.3 },
  "40 dimgs, daemons of 4 + 4 + 4 steps": { ideal: 1.3 },
};

/** The highest ratio wanted of dapp's time to that of a tool; undefined when nothing is wanted. */
export function goalOf(scenario: string, tool: string): number | undefined {
  return goals[scenario]?.[tool];
}
