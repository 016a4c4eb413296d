/** Words of a text of several lines. Without a regular expression: 2 000 names are read before the first container starts. */
export function words(text: string): string[] {
  return text
    .replaceAll("\n", " ")
    .split(" ")
    .filter((word) => word !== "");
}
