/** Where commands run. */
export interface StepPlace {
  /** Name of the builder. */
  readonly builder: string;
  /** Where its daemon listens, as the user names it. Absent: the builder runs them on this machine. */
  readonly address?: string;
  /** `os/architecture[/variant]` of the machine, where it is known. */
  readonly platform?: string;
}
