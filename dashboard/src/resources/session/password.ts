import { messages } from './session.messages';

export const PASSWORD_LENGTH_MIN = 12;

export interface PasswordDraft {
  current: string;
  next: string;
  again: string;
}

export type PasswordErrors = Partial<Record<keyof PasswordDraft, string>>;

/** What is wrong before the server is asked; the server checks again. */
export function checkPassword({ current, next, again }: PasswordDraft): PasswordErrors {
  const words = messages.password;
  const length = [...next].length;
  return {
    ...(current === '' && { current: words.currentNeeded }),
    ...(length < PASSWORD_LENGTH_MIN
      ? { next: words.tooShort(length) }
      : next === current && { next: words.same }),
    ...(again !== next && { again: words.different }),
  };
}
