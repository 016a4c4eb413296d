/** Points that no life of test/crash/ reaches, each with the reason, or where else it is tested. A point that is reached must not stand here. */

export const unreachedPoints: Readonly<Record<string, string>> = {};
