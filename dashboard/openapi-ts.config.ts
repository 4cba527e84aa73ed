import { defineConfig } from '@hey-api/openapi-ts';

// `npm run openapi` writes src/api/generated from the server's document; a test holds both together.
export default defineConfig({
  input: '../openapi/v1.json',
  output: { path: 'src/api/generated', clean: true },
  plugins: [
    { name: '@hey-api/client-fetch', throwOnError: true },
    { name: '@hey-api/sdk', operations: { strategy: 'flat', nesting: 'id' } },
    '@hey-api/typescript',
  ],
});
