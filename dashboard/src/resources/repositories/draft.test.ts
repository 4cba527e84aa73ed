import { describe, expect, it } from 'vitest';

import { checkDraft, emptyDraft, type RepositoryDraft, toDraftErrors, toRequest } from './draft';

const bucket: RepositoryDraft = {
  ...emptyDraft,
  name: ' vault ',
  endpoint: 'https://s3.example.com',
  bucket: 'backups',
  accessKey: 'access',
  secret: 'secret\n',
};
const host: RepositoryDraft = {
  ...emptyDraft,
  kind: 'borg',
  name: 'attic',
  user: 'backup',
  host: 'attic.example.com',
  path: '/srv/backups',
  hostKey: 'ssh-ed25519 AAAA',
  secret: '-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END OPENSSH PRIVATE KEY-----',
};

describe('registering a repository', () => {
  it('asks for what its kind needs, and for nothing of the other', () => {
    expect(Object.keys(checkDraft({ ...emptyDraft, endpoint: '' }))).toEqual([
      'name',
      'endpoint',
      'bucket',
      'accessKey',
      'secret',
    ]);
    expect(Object.keys(checkDraft({ ...emptyDraft, kind: 'borg', port: 'x' }))).toEqual([
      'name',
      'user',
      'host',
      'path',
      'hostKey',
      'secret',
      'port',
    ]);
    expect(checkDraft(bucket)).toEqual({});
    expect(checkDraft(host)).toEqual({});
    expect(Object.keys(checkDraft({ ...bucket, isKnown: true }))).toEqual(['key']);
  });

  it('sends what was filled in, as the server reads it', () => {
    expect(toRequest(bucket)).toEqual({
      name: 'vault',
      place: {
        kind: 's3',
        endpoint: 'https://s3.example.com',
        bucket: 'backups',
        access_key: 'access',
      },
      secret: 'secret',
    });
    expect(toRequest({ ...bucket, prefix: 'a', region: 'eu', isKnown: true, key: ' k ' })).toEqual(
      expect.objectContaining({
        place: expect.objectContaining({ prefix: 'a', region: 'eu' }),
        key: 'k',
      }),
    );
    expect(toRequest(host)).toEqual(
      expect.objectContaining({
        place: {
          kind: 'borg',
          user: 'backup',
          host: 'attic.example.com',
          port: 22,
          path: '/srv/backups',
          host_key: 'ssh-ed25519 AAAA',
        },
      }),
    );
    expect(toRequest(host).secret).toMatch(/END OPENSSH PRIVATE KEY-----\n$/);
    // A key that was typed before the box was unticked is not sent.
    expect(toRequest({ ...bucket, key: 'k' })).not.toHaveProperty('key');
  });

  it('shows a refusal at its field', () => {
    const fields = [
      { field: 'place.endpoint', message: 'it begins with https://' },
      { field: 'place', message: 'the access key is wrong' },
      { field: 'something.new', message: 'odd' },
    ];
    expect(toDraftErrors(fields)).toEqual({
      endpoint: 'It begins with https://',
      place: 'The access key is wrong',
    });
  });
});
