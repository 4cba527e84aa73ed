import { describe, expect, it } from 'vitest';

import { choiceOf, retentionWords, scheduleChoices, scheduleOf, scheduleWords } from './schedule';

describe('when backups begin', () => {
  it('is found again as it was chosen', () => {
    for (const choice of scheduleChoices) {
      expect(choiceOf(scheduleOf(choice, '5 4 * * *') ?? undefined)).toBe(choice);
    }
    expect(scheduleOf('own', ' 5 4 * * * ')).toBe('5 4 * * *');
  });

  it.each([
    ['hourly', 'every hour'],
    ['daily', 'every day at 02:00 UTC'],
    ['weekly', 'every Sunday at 02:00 UTC'],
    ['monthly', 'on the 1st of each month at 02:00 UTC'],
    ['30 4 * * *', 'every day at 04:30 UTC'],
    ['15 * * * *', 'every hour, 15 minutes past'],
    ['*/10 * * * *', 'every 10 minutes'],
    ['0 */6 * * *', 'every 6 hours, from 00:00 UTC'],
    ['0 3 * * 7', 'every Sunday at 03:00 UTC'],
    ['0 3 * * 5', 'every Friday at 03:00 UTC'],
    ['0 3 22 * *', 'on the 22nd of each month at 03:00 UTC'],
    ['0 3 13 * *', 'on the 13th of each month at 03:00 UTC'],
    ['0 3 1-7 * 1', 'as cron has it: 0 3 1-7 * 1'],
    ['0 25 * * *', 'as cron has it: 0 25 * * *'],
    ['0 3 * 6 *', 'as cron has it: 0 3 * 6 *'],
    ['nonsense', 'as cron has it: nonsense'],
  ])('%s is said as %s', (schedule, words) => {
    expect(scheduleWords(schedule)).toBe(words);
  });
});

describe('what is kept', () => {
  it('is said in words, with what the server fills in', () => {
    expect(retentionWords(undefined)).toBe(
      'the last 3, one of each of 7 days, one of each of 4 weeks, one of each of 6 months',
    );
    const keep = { last: 1, hourly: 0, daily: 1, weekly: 0, monthly: 0 };
    expect(retentionWords(keep)).toBe('the last one, one of the last day');
  });
});
