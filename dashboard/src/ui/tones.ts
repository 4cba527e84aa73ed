/** What a status means, apart from its word. Each tone has a colour and a shape of its own. */
export type Tone = 'ok' | 'busy' | 'warn' | 'bad' | 'idle';

export interface StatusLook {
  tone: Tone;
  word: string;
}

export const toneColor: Record<Tone, string> = {
  ok: 'var(--bw-ok)',
  busy: 'var(--bw-busy)',
  warn: 'var(--bw-warn)',
  bad: 'var(--bw-bad)',
  idle: 'var(--bw-idle)',
};
