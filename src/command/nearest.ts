/** "Did you mean …": the nearest of the known words. */

/** The known word that is at most two slips from this one, and one where it has three letters or fewer; or undefined. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestSlips = 3;
  for (const candidate of known) {
    const slips = distance(word, candidate);
    if (slips < bestSlips && slips <= candidate.replace(/^-+/, "").length / 2) {
      best = candidate;
      bestSlips = slips;
    }
  }
  return best;
}

/** The least number of slips between two words: a letter added, lost or changed, or two neighbours exchanged (Damerau). */
function distance(from: string, to: string): number {
  const rows: number[][] = [Array.from({ length: to.length + 1 }, (_, column) => column)];
  const at = (row: number, column: number) => rows[row]?.[column] ?? Number.POSITIVE_INFINITY;
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= to.length; j++) {
      const isExchange = from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      row.push(
        Math.min(
          at(i - 1, j) + 1,
          at(i, j - 1) + 1,
          at(i - 1, j - 1) + (from[i - 1] === to[j - 1] ? 0 : 1),
          isExchange ? at(i - 2, j - 2) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
  }
  return at(from.length, to.length);
}
