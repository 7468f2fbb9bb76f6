/** What zod is made of, without other languages. */
export * from "zod/v4/core";

/** Messages are English. */
export const locales = {};
