/** "Did you mean …": the nearest of the known words. */

/** The known word that is at most two slips (letters added, lost or changed) from this one, or undefined. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestSlips = 3;
  for (const candidate of known) {
    const slips = distance(word, candidate);
    if (slips < bestSlips && slips < Math.max(2, candidate.replace(/^-+/, "").length)) {
      best = candidate;
      bestSlips = slips;
    }
  }
  return best;
}

/** Levenshtein's distance: the least number of one-letter changes between two words. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const change = from[i - 1] === to[j - 1] ? 0 : 1;
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + change));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
