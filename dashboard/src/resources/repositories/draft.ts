// What was filled in to register a repository, what is plainly wrong with it, and the request it makes.

import type { FieldProblem, NewRepository, Place } from '../../api/types';
import { startSentence } from '../../ui/format';
import { messages } from './repositories.messages';

export type PlaceKind = Place['kind'];

export interface RepositoryDraft {
  kind: PlaceKind;
  name: string;
  endpoint: string;
  bucket: string;
  prefix: string;
  region: string;
  accessKey: string;
  user: string;
  host: string;
  port: string;
  path: string;
  hostKey: string;
  /** Of the access key, or the private SSH key. */
  secret: string;
  /** There are backups in it already: it is opened with its key. */
  isKnown: boolean;
  key: string;
}

export const emptyDraft: RepositoryDraft = {
  kind: 's3',
  name: '',
  endpoint: 'https://',
  bucket: '',
  prefix: '',
  region: '',
  accessKey: '',
  user: '',
  host: '',
  port: '22',
  path: '',
  hostKey: '',
  secret: '',
  isKnown: false,
  key: '',
};

export type DraftErrors = Partial<Record<keyof RepositoryDraft | 'place', string>>;

/** The server's names of the fields. */
const names: Record<string, keyof RepositoryDraft | 'place'> = {
  name: 'name',
  'place.endpoint': 'endpoint',
  'place.bucket': 'bucket',
  'place.prefix': 'prefix',
  'place.region': 'region',
  'place.access_key': 'accessKey',
  'place.user': 'user',
  'place.host': 'host',
  'place.port': 'port',
  'place.path': 'path',
  'place.host_key': 'hostKey',
  secret: 'secret',
  key: 'key',
  place: 'place',
};

const needed: Record<PlaceKind, (keyof RepositoryDraft)[]> = {
  s3: ['name', 'endpoint', 'bucket', 'accessKey', 'secret'],
  borg: ['name', 'user', 'host', 'path', 'hostKey', 'secret'],
};

/** What is missing; the server has the last word on the rest. */
export function checkDraft(draft: RepositoryDraft): DraftErrors {
  const fields = draft.isKnown ? [...needed[draft.kind], 'key' as const] : needed[draft.kind];
  const isEmpty = (field: keyof RepositoryDraft) => String(draft[field]).trim() === '';
  const errors: DraftErrors = Object.fromEntries(
    fields.filter(isEmpty).map((field) => [field, messages.missing]),
  );
  const port = Number(draft.port);
  const isPort = Number.isInteger(port) && port > 0 && port < 65_536;
  if (draft.kind === 'borg' && !isPort) errors.port = messages.noPort;
  return errors;
}

export function placeOf(draft: RepositoryDraft): Place {
  const text = (field: 'prefix' | 'region') => draft[field].trim();
  if (draft.kind === 's3') {
    return {
      kind: 's3',
      endpoint: draft.endpoint.trim(),
      bucket: draft.bucket.trim(),
      access_key: draft.accessKey.trim(),
      ...(text('prefix') !== '' && { prefix: text('prefix') }),
      ...(text('region') !== '' && { region: text('region') }),
    };
  }
  return {
    kind: 'borg',
    user: draft.user.trim(),
    host: draft.host.trim(),
    port: Number(draft.port),
    path: draft.path.trim(),
    host_key: draft.hostKey.trim(),
  };
}

export function toRequest(draft: RepositoryDraft): NewRepository {
  // A private key in OpenSSH's form ends with a line of its own.
  const secret = draft.kind === 'borg' ? `${draft.secret.trim()}\n` : draft.secret.trim();
  return {
    name: draft.name.trim(),
    place: placeOf(draft),
    secret,
    ...(draft.isKnown && { key: draft.key.trim() }),
  };
}

/** What the server refused, by the fields of the form; what belongs to none is left out. */
export function toDraftErrors(fields: FieldProblem[]): DraftErrors {
  return Object.fromEntries(
    fields.flatMap(({ field, message }) => {
      const name = names[field];
      return name ? [[name, startSentence(message)]] : [];
    }),
  );
}
