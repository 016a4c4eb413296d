/**
 * What images, containers and registries say, on its way to a terminal: an escape sequence in a file's name or in an image's
 * history must not clear the screen, set the title or hide the line above. Pure.
 */

/** C0, DEL and C1, which terminals obey. */
const control = /[\0-\x1f\x7f-\x9f]/g;

/** Written as JSON does. */
function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** Line feeds and tabs stay. */
export function printable(text: string): string {
  return text.replace(control, (character) =>
    character === "\n" || character === "\t" ? character : escaped(character),
  );
}

/** One line, whatever it is. */
export function printableLine(text: string): string {
  return text.replace(control, escaped);
}
