import { Button, Skeleton } from '@mantine/core';
import { type ErrorComponentProps, Link } from '@tanstack/react-router';

import { Empty } from '../ui/Empty';
import { ErrorNote } from '../ui/ErrorNote';
import { BellMark } from '../ui/icons';
import { messages } from './app.messages';

export function NotFound() {
  const words = messages.notFound;
  return (
    <Empty
      picture={<BellMark size={40} />}
      title={words.title}
      text={words.text}
      action={
        <Button component={Link} to="/clusters">
          {words.back}
        </Button>
      }
    />
  );
}

/** The last resort: a page could not be shown at all. */
export function PageError({ error, reset }: ErrorComponentProps) {
  return (
    <div style={{ maxWidth: 560, margin: '64px auto', padding: '0 16px' }}>
      <ErrorNote error={error} retry={reset} />
    </div>
  );
}

/** A page that is still being read: its outline. */
export function PagePending() {
  return (
    <div aria-busy="true" aria-label={messages.loading}>
      <Skeleton height={28} width={220} mb={20} />
      <Skeleton height={180} mb={16} radius="lg" />
      <Skeleton height={120} radius="lg" />
    </div>
  );
}
