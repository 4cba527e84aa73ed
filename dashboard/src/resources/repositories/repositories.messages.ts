import { formatCount } from '../../ui/format';
import type { PlaceKind } from './draft';

export const messages = {
  title: 'Repositories',
  help: 'Where backups are kept: registered once, used by many clusters. Everything in one is encrypted with its key.',
  none: 'There is no repository yet: backups have nowhere to go.',
  forbidden: 'Only those who have a role everywhere see the repositories.',
  kinds: {
    s3: 'Bucket of an S3-compatible store',
    borg: 'Directory on a host that is reached by SSH',
  } satisfies Record<PlaceKind, string>,
  backups: (count: number) => formatCount(count, 'backup', 'backups'),
  reached: (ago: string, by: string) =>
    `last reached ${ago} ${by === 'server' ? 'from this server' : `by ${by}`}`,
  unreached: 'not tried yet: this server has not got the tool; the first backup tries it',
  publicKey: 'Its public SSH key, for authorized_keys on the host',
  actions: (name: string) => `Actions for ${name}`,

  register: 'Register a repository…',
  registerTitle: 'Where shall backups be kept?',
  kind: 'Kind',
  kindHints: {
    s3: 'Amazon S3, MinIO, Ceph and the like; written by restic.',
    borg: 'Any machine with Borg on it; written by Borg.',
  } satisfies Record<PlaceKind, string>,
  name: 'Name',
  nameHelp: 'Lower-case letters, digits and hyphens, beginning with a letter.',
  endpoint: 'Address of the store',
  bucket: 'Bucket',
  prefix: 'Directory within the bucket',
  region: 'Region',
  optional: 'May be left empty.',
  accessKey: 'Access key',
  accessSecret: 'Secret of the access key',
  user: 'User',
  host: 'Host',
  port: 'Port',
  path: 'Directory on the host, from its root',
  hostKey: 'The host’s public key',
  hostKeyHelp: 'As “ssh-keyscan HOST” prints it after the host; it alone is trusted.',
  sshSecret: 'Private SSH key',
  sshSecretHelp: 'In OpenSSH’s form. It is sealed in the server’s store.',
  isKnown: 'There are backups in it already',
  isKnownHelp: 'It was registered before, here or elsewhere: with its key they are listed again.',
  key: 'Its encryption key',
  missing: 'This is needed.',
  noPort: 'A port is a number from 1 to 65535.',
  trying: 'Trying the credentials…',
  tryingHelp: 'The store has 25 seconds to answer.',
  submit: 'Register',
  cancel: 'Cancel',
  done: 'Done',
  registered: (name: string) => `${name} is registered`,
  tried: 'The credentials work.',
  untried:
    'The credentials were not tried: this server has not got the tool. The first backup tries them.',
  found: (count: number) =>
    `${formatCount(count, 'backup is', 'backups are')} listed from now on.`,
  keepKey: 'Keep a copy of its key elsewhere, now.',
  keepKeyWhy:
    'Without the key nobody reads the backups. Should this server be lost, the key and the bucket or host bring everything back.',
  onlyOwner: 'Only an owner of the server sees the key.',

  exportKey: 'Show its key…',
  keyTitle: (name: string) => `The key of ${name}`,
  keyWarning:
    'Whoever has this key and the credentials reads every backup in the repository, of every project.',
  keyAudit: 'That you looked is noted in the audit log.',
  showKey: 'Show the key',
  saveKey: 'Save as a file',
  keyShown: 'It is shown while this is open. Keep it apart from the backups and from this server.',
  keyFile: (name: string) => `${name}.key`,
  address: 'Address',

  forget: 'Forget…',
  forgetTitle: (name: string) => `Forget ${name}?`,
  forgetText: (count: number) =>
    count === 0
      ? 'There is no backup in it that this server knows.'
      : `${formatCount(count, 'backup is', 'backups are')} listed no more and cannot be restored from here.`,
  forgetStays:
    'Nothing is removed from it: with its key it can be registered again. Without the key nobody reads what is in it.',
  forgetConfirm: (name: string) => `Type ${name} to confirm`,
  forgetAction: 'Forget it',
  keepIt: 'Keep it',
};
