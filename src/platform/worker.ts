/** Starts a Worker of this program. Elsewhere: node:worker_threads, which has the same messages. */

/** @param path the script's, from src/, e.g. "store/durable-worker.ts"; scripts/build.ts names each as an entry point */
export function startWorker(path: string): Worker {
  // In a compiled program everything lies under one root, as JavaScript, at its place below src/.
  const isCompiled = import.meta.url.includes("/$bunfs/");
  const url = new URL(isCompiled ? `./${path.replace(/\.ts$/, ".js")}` : `../${path}`, import.meta.url);
  return new Worker(url);
}
