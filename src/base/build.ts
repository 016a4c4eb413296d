/** Which build this is: a hash of the sources, the same in every program of one build (scripts/build.ts). */

declare const ORLOP_BUILD: string | undefined;
declare const ORLOP_NATIVE: string | undefined;

/** "" in a program that runs from its sources. */
export const build: string = typeof ORLOP_BUILD === "undefined" ? "" : ORLOP_BUILD;

/** Which executor it is made for (scripts/build-native.ts). */
export const nativeBuild: string = typeof ORLOP_NATIVE === "undefined" ? "" : ORLOP_NATIVE;
