/** Waiting that ends. */

/** Whether `work` has settled within this time; what comes of it later is still its own. @throws what it threw meanwhile */
export function settlesWithin(work: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), timeoutMs);
  work.then(() => resolve(true), reject).finally(() => clearTimeout(timer));
  return promise;
}
