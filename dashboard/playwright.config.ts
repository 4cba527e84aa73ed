import { defineConfig } from '@playwright/test';

// The browser tests: a real browser against a real server and real databases. The server is either
// running (BELLWETHER_URL, BELLWETHER_USER, BELLWETHER_PASSWORD) or started for them
// (BELLWETHER_BIN, BELLWETHER_AGENT_BIN); tests/server.ts does that.
export default defineConfig({
  testDir: 'tests',
  outputDir: 'test-results/playwright',
  globalSetup: './tests/server.ts',
  fullyParallel: false,
  workers: 1,
  retries: 0,
  timeout: 300_000,
  expect: { timeout: 15_000 },
  reporter: [['list']],
  use: {
    // Locally the page comes over plain HTTP on loopback; over TLS the authority is the server's own.
    ignoreHTTPSErrors: true,
    actionTimeout: 15_000,
    viewport: { width: 1280, height: 900 },
    screenshot: 'only-on-failure',
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: process.env.BELLWETHER_CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
});
