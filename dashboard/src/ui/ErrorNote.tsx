import { Button } from '@mantine/core';
import type { ReactNode } from 'react';

import { asProblem } from '../api/problem';
import classes from './ErrorNote.module.css';
import { startSentence } from './format';
import { AlertIcon, RetryIcon } from './icons';
import { messages } from './ui.messages';

interface Props {
  error: unknown;
  retry?: () => void;
  isRetrying?: boolean;
  children?: ReactNode;
}

/** What went wrong, what would be right, and a way to try again. */
export function ErrorNote({ error, retry, isRetrying, children }: Props) {
  const { body } = asProblem(error);
  // The title only names the kind of problem; the detail is about this one.
  const lead = startSentence(body.detail || body.title).replace(/\.$/, '');
  return (
    <div className={classes.note} role="alert">
      <AlertIcon className={classes.icon} size={18} />
      <div style={{ minWidth: 0 }}>
        <p className={classes.title}>{lead}</p>
        {body.hint && <p className={classes.hint}>{startSentence(body.hint)}</p>}
        {children}
        {body.request_id && <p className={classes.reference}>{messages.reference(body.request_id)}</p>}
        {retry && (
          <Button
            mt={10}
            size="xs"
            variant="default"
            leftSection={<RetryIcon size={14} />}
            loading={isRetrying ?? false}
            onClick={retry}
          >
            {messages.retry}
          </Button>
        )}
      </div>
    </div>
  );
}
