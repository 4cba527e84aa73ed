import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

// `npm run dev` serves the page and hands the API's paths to a server that runs already: the real
// one, or `npm run mock`.
const api = process.env.BELLWETHER_URL ?? 'http://127.0.0.1:4310';

export default defineConfig({
  base: '/',
  plugins: [react()],
  build: {
    target: 'es2022',
    // Fonts stay files: the page's policy allows none inside style sheets.
    assetsInlineLimit: 0,
    reportCompressedSize: true,
    // One file, see src/app/router.tsx: about 300 kB with the style sheet, as it is sent.
    chunkSizeWarningLimit: 1_200,
  },
  server: { proxy: { '/v1': { target: api, changeOrigin: true, secure: false } } },
  test: { include: ['src/**/*.test.ts', 'src/**/*.test.tsx'] },
});
