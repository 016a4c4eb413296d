/** Waiting that ends. */

/** Whether `work` settles within this time; it is not cancelled. @throws its error, if it rejects within the time */
export function settlesWithin(work: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), timeoutMs);
  work.then(() => resolve(true), reject).finally(() => clearTimeout(timer));
  return promise;
}
