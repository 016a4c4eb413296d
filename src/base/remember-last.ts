/**
 * Makes a pure function remember its last result, for calls that are repeated with arguments that seldom change, such as the machine's
 * mounts and accounts. Strings are compared by content, objects by identity. The result must not be modified.
 */
export function rememberLast<Argument, Answer>(
  compute: (argument: Argument) => Answer,
): (argument: Argument) => Answer {
  let last: { readonly argument: Argument; readonly answer: Answer } | undefined;
  return (argument) => {
    if (last === undefined || last.argument !== argument) last = { argument, answer: compute(argument) };
    return last.answer;
  };
}
