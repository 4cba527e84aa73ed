import { ActionIcon, Tooltip } from '@mantine/core';
import { useEffect, useState } from 'react';

import classes from './CopyText.module.css';
import { copyText } from './copy';
import { CheckIcon, CopyIcon } from './icons';
import { messages } from './ui.messages';

/** Text made to be copied, with the button that does. */
export function CopyText({ text, label }: { text: string; label: string }) {
  return (
    <div className={classes.box}>
      <pre className={classes.text} tabIndex={0} role="group" aria-label={label}>
        {text}
      </pre>
      <div className={classes.button}>
        <CopyAction text={text} label={label} />
      </div>
    </div>
  );
}

const SHOWN_MS = 1_600;

export function CopyAction({ text, label }: { text: string; label: string }) {
  const [isCopied, setIsCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return undefined;
    const timer = setTimeout(() => setIsCopied(false), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [isCopied]);
  const copy = async () => setIsCopied(await copyText(text));
  return (
    <Tooltip label={isCopied ? messages.copied : messages.copy}>
      <ActionIcon onClick={() => void copy()} aria-label={`${messages.copy}: ${label}`} size={28}>
        {isCopied ? <CheckIcon color="var(--bw-ok)" /> : <CopyIcon />}
      </ActionIcon>
    </Tooltip>
  );
}
