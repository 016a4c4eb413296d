/**
 * A pure function that remembers its last answer: for what is asked again and again and seldom differs, as the machine's mounts
 * and accounts. Arguments are compared as they are: strings by content, objects by identity. The answer must not be changed.
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
