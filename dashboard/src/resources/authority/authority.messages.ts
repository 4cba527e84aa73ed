import type { AuthorityRole, AuthorityState } from '../../api/types';

export const messages = {
  title: 'Certificate authority',
  lead: 'Signs the certificates of nodes and of this server. Clients verify by it whom they talk to.',
  states: {
    settled: 'Settled',
    introducing: 'Being introduced',
    introduced: 'Introduced',
    replacing: 'Replacing',
  } satisfies Record<AuthorityState, string>,
  trusted: 'Trusted',
  roles: {
    signs: 'Signs',
    next: 'Will sign',
    former: 'Has signed',
  } satisfies Record<AuthorityRole, string>,
  columns: { role: 'Authority', fingerprint: 'SHA-256 of its certificate' },
  download: 'Download ca.pem',
  rotate: 'Rotate…',
  rotateTitle: 'Rotate the authority',
  rotateText:
    'Another authority is made, and every node is told of it. It signs nothing yet: clients go on as they are. Once every node trusts both, you give clients the new ca.pem and end the rotation.',
  rotateAction: 'Make another authority',
  cancel: 'Cancel the rotation',
  end: 'End the rotation…',
  endTitle: 'Let the new authority sign?',
  endText:
    'Clients that do not have the new ca.pem cannot connect any more. Nodes get their new certificates one after another, without a restart; then the former authority is trusted no more.',
  endAction: 'Let it sign',
  keep: 'Go back',
  notYet: 'Not before every node trusts the new authority.',
  notAllowed: 'An owner may.',
  waiting: 'Nodes that are waited for',
  waitingColumns: { cluster: 'Cluster', node: 'Node', reason: 'Because' },
};
