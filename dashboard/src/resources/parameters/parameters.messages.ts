import { formatCount } from '../../ui/format';

export const messages = {
  readOnly: 'You may look at these settings, not change them.',
  title: 'Settings of the engine',
  about:
    'Changed one node at a time, replicas first. What an engine refuses is put back on every node.',
  search: 'Find a setting',
  nothingFound: (text: string) => `No setting has “${text}” in its name or description.`,
  onlyChosen: 'Only chosen ones',
  noneChosen: 'No setting was chosen: each has its default.',
  restart: 'Needs a restart',
  byDefault: (value: string) => `Default: ${value}`,
  possible: (range: string) => `Possible: ${range}`,
  reset: 'Reset to the default',
  resetLabel: (name: string) => `Reset ${name} to its default`,
  differs: (node: string, value: string, waits: boolean) =>
    waits ? `${node} runs with ${value} until it is started again` : `${node} runs with ${value}`,
  changed: (count: number) => formatCount(count, 'change', 'changes'),
  review: 'Review…',
  discard: 'Discard',
  heading: 'Change these settings?',
  apply: 'Apply',
  cancel: 'Cancel',
  nothing: 'Nothing differs from what is in force.',
  advanced: 'Advanced: settings of the engine',
  advancedAbout: 'Each has a default for nodes of this size. All can be changed later.',
};
