// What was chosen, and how it differs from what was asked for before. Values are as people write them:
// the server says whether they can be had, and writes them in its own way.

import type { ParameterView } from '../../api/types';

/** Chosen values by name; what is not there has its default. */
export type Chosen = Record<string, string>;

export const chosenOf = (parameters: readonly ParameterView[]): Chosen =>
  Object.fromEntries(
    parameters.filter((one) => one.chosen).map((one) => [one.name, one.value]),
  );

/** The same with another value; the default when there is none. */
export function choose(chosen: Chosen, name: string, value: string | undefined): Chosen {
  const { [name]: _, ...rest } = chosen;
  return value === undefined ? rest : { ...rest, [name]: value };
}

/** The names whose value differs between two choices. */
export function changedNames(before: Chosen, after: Chosen): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].filter((name) => before[name] !== after[name]).toSorted();
}

/** Those that have the text in their name, title or description. */
export function found(parameters: readonly ParameterView[], text: string): ParameterView[] {
  const wanted = text.trim().toLowerCase();
  if (wanted === '') return [...parameters];
  return parameters.filter(({ name, title, summary }) =>
    [name, title, summary].some((words) => words.toLowerCase().includes(wanted)),
  );
}

/** In the order of the server, by group. */
export function grouped(parameters: readonly ParameterView[]): [string, ParameterView[]][] {
  const groups = new Map<string, ParameterView[]>();
  for (const one of parameters) {
    groups.set(one.group, [...(groups.get(one.group) ?? []), one]);
  }
  return [...groups];
}
