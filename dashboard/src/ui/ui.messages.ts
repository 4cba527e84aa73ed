export const messages = {
  retry: 'Try again',
  retrying: 'Trying again…',
  copy: 'Copy',
  copied: 'Copied',
  mismatch: (typed: string) => `This is not it: ${typed}`,
  reference: (id: string) => `Reference for the server’s log: ${id}`,
};
