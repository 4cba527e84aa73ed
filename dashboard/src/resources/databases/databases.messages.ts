import type { DatabaseState, Rights } from '../../api/types';
import { formatCount } from '../../ui/format';
import type { StatusLook } from '../../ui/tones';

export const states: Record<DatabaseState, StatusLook> = {
  in_force: { tone: 'ok', word: 'in force' },
  pending: { tone: 'busy', word: 'pending' },
  refused: { tone: 'bad', word: 'refused' },
  dropping: { tone: 'busy', word: 'dropping' },
};

export const rights: Record<Rights, string> = {
  read_only: 'reads',
  read_write: 'reads and writes',
  owner: 'owns',
};

export const messages = {
  databases: 'Databases',
  addDatabase: 'Add database…',
  addDatabaseTitle: 'What is the database called?',
  databaseHelp: 'Lower-case letters, digits and underscores, beginning with a letter.',
  createDatabase: 'Add database',
  isFirst: 'made with the cluster',
  madeAt: (moment: string) => `made ${moment}`,
  dropDatabase: (name: string) => `Drop the database ${name}`,
  dropDatabaseTitle: (name: string) => `Drop the database ${name}?`,
  dropDatabaseText: 'All of its data goes, and with it what users may do there. It cannot be undone.',
  dropDatabaseLabel: (name: string) => `Type ${name} to confirm`,
  dropDatabaseAction: 'Drop database',
  users: 'Users',
  addUser: 'Add user…',
  addUserTitle: 'Who shall use the databases?',
  userHelp: 'Lower-case letters, digits and underscores. A password is made.',
  createUser: 'Add user',
  name: 'Name',
  login: (login: string) => `logs in as ${login}`,
  may: (words: string, on: string) => `${words} ${on}`,
  mayNothing: 'may do nothing',
  actions: (name: string) => `Actions for ${name}`,
  show: 'Show the password…',
  showTitle: (name: string) => `Password of ${name}`,
  showText: (login: string) => `For the login ${login}. The audit log remembers that you saw it.`,
  change: 'Change rights…',
  changeTitle: (name: string) => `What may ${name} do?`,
  save: 'Save',
  none: 'nothing',
  rightsOn: (database: string) => `Rights on ${database}`,
  patterns: 'Keys',
  patternsHelp: 'Patterns such as orders:*, one in each line.',
  keyRights: 'Rights on them',
  rotate: 'Rotate the password…',
  rotateTitle: (name: string) => `Rotate the password of ${name}?`,
  rotateText: (next: string) =>
    `Its clients log in as ${next} from then on, with a password of its own; the next rotation leads back. Both logins are valid until you end the rotation, and nobody is cut off.`,
  rotateAction: 'Begin',
  drop: 'Drop…',
  dropTitle: (name: string) => `Drop the user ${name}?`,
  dropText: 'Its sessions end at once. What it made in PostgreSQL is kept by the database’s owner.',
  dropAction: 'Drop user',
  rotating: (former: string, moment: string) =>
    `${former} is being replaced since ${moment}; it is valid until you end the rotation.`,
  stillUsed: 'Still used from',
  session: (from: string, application: string, count: number) =>
    [from, application, formatCount(count, 'session', 'sessions')]
      .filter((words) => words !== '')
      .join(' · '),
  unused: 'Nobody uses it.',
  unknown: (nodes: string) => `Who uses it on ${nodes} is not known.`,
  turnBack: (former: string) => `Keep ${former} instead`,
  end: 'End the rotation',
  endAnyway: 'End it all the same…',
  endTitle: (former: string) => `Turn ${former} off although it may be used?`,
  endText: (count: number, unknown: string) =>
    `Clients that come with it are not let in any more, and its sessions end: ${formatCount(count, 'is', 'are')} known of${unknown === '' ? '' : `, and more may be on ${unknown}`}.`,
  endAction: 'Turn it off',
  ended: (count: number) =>
    count === 0
      ? 'The former login is off, and sessions that it may have end.'
      : `The former login is off, and ${formatCount(count, 'session of it ends', 'sessions of it end')}.`,
  cancel: 'Cancel',
  close: 'Close',
};
