import type { StreamState } from '../api/stream';

export const messages = {
  product: 'Bellwether',
  skip: 'Skip to the content',
  clusters: 'Clusters',
  backups: 'Backups',
  activity: 'Activity',
  people: 'People',
  mainNavigation: 'Main',
  theme: 'Colour scheme',
  themes: { light: 'Light', dark: 'Dark', auto: 'Like the system' },
  account: 'Account',
  signedInAs: 'Signed in as',
  changePassword: 'Change password',
  sessions: 'Sessions and tokens',
  signOut: 'Sign out',
  stream: {
    connecting: 'Connecting…',
    live: 'Live',
    reconnecting: 'Reconnecting…',
  } satisfies Record<StreamState, string>,
  streamHelp: {
    connecting: 'Waiting for the first message of the server.',
    live: 'What you see changes by itself, as the server sees it.',
    reconnecting: 'The server cannot be reached. What you see is as it was last heard; databases go on.',
  } satisfies Record<StreamState, string>,
  firstPassword: {
    title: 'You use the password that was printed at the first start.',
    text: 'Whoever can read the server’s output knows it.',
    action: 'Choose your own',
    dismiss: 'Dismiss',
  },
  notFound: {
    title: 'There is nothing here',
    text: 'The address may be mistyped, or what it led to was deleted.',
    back: 'Go to the clusters',
  },
  crashed: {
    title: 'The dashboard stumbled',
    reload: 'Reload the page',
  },
  loading: 'Loading',
};
