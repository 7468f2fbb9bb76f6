/**
 * zod without what it says in fifty other languages, which would be half of it: what is exported here by name hides what
 * the package has under it. To be imported as a namespace.
 */
export * from "zod";
export * as core from "./zod_core.ts";

/** Messages are English. */
export const locales = {};
/** The package's own namespace, which would bring them along. */
export const z = undefined;
