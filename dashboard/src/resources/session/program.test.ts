import { describe, expect, it } from 'vitest';

import { programWords } from './program';

const webkit = 'AppleWebKit/537.36 (KHTML, like Gecko)';

describe('the program of a session', () => {
  it.each([
    [`Mozilla/5.0 (X11; Linux x86_64) ${webkit} HeadlessChrome/148.0.0.0 Safari/537.36`, 'Chrome 148 on Linux'],
    [`Mozilla/5.0 (Windows NT 10.0) ${webkit} Chrome/140.0 Safari/537.36 Edg/140.0.1`, 'Edge 140 on Windows'],
    ['Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', 'Firefox 140 on Linux'],
    [
      'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1',
      'Safari 18 on iOS',
    ],
    [`Mozilla/5.0 (Linux; Android 15) ${webkit} Chrome/140.0 Mobile Safari/537.36`, 'Chrome 140 on Android'],
    ['curl/7.88.1', 'curl/7.88.1'],
    ['', ''],
  ])('%s is %s', (text, words) => {
    expect(programWords(text)).toBe(words);
  });
});
