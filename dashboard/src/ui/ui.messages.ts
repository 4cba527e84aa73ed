export const messages = {
  retry: 'Try again',
  retrying: 'Trying again…',
  copy: 'Copy',
  copied: 'Copied',
  reference: (id: string) => `Reference for the server’s log: ${id}`,
};
