// A certified OpenID Connect provider on loopback, for the tests of signing in. Whoever gives a name
// and any password there is that person; those whose name begins with `dba` are in the group `dba`.
//
//   node provider.mjs PORT REDIRECT...

import Provider from 'oidc-provider';

const [port, ...redirects] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: 'bellwether',
      client_secret: 'a-secret-of-the-test',
      redirect_uris: redirects,
      response_types: ['code'],
      grant_types: ['authorization_code'],
    },
  ],
  pkce: { required: () => true },
  cookies: { keys: ['of-the-test'] },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['preferred_username', 'groups'] },
  findAccount: async (_, id) => ({
    accountId: id,
    claims: async () => ({
      sub: id,
      preferred_username: id,
      email: `${id}@example.com`,
      email_verified: true,
      groups: id.startsWith('dba') ? ['dba'] : [],
    }),
  }),
});

provider.listen(Number(port), '127.0.0.1', () => console.log(`ready: ${issuer}`));
