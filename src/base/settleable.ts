/** A promise that is settled from outside. Its rejection is never reported as unhandled, because it may have no reader. */
export function settleable<T>(): PromiseWithResolvers<T> {
  const made = Promise.withResolvers<T>();
  made.promise.catch(() => undefined);
  return made;
}
