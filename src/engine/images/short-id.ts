/** Ids as Docker shows them in messages: twelve digits. */
export function shortId(id: string): string {
  return id.replace(/^sha256:/, "").slice(0, 12);
}
