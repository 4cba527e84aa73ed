import { Button } from '@mantine/core';
import { Link, useLocation } from '@tanstack/react-router';
import { useState } from 'react';

import { messages } from './app.messages';
import classes from './Shell.module.css';

/** Asks for a password of one's own; can be put off until the next visit. */
export function FirstPasswordBanner() {
  const [isDismissed, setIsDismissed] = useState(false);
  const { pathname } = useLocation();
  if (isDismissed || pathname === '/account/password') return null;
  const words = messages.firstPassword;
  return (
    <div className={classes.bannerBar}>
      <div className={classes.banner} role="note">
        <p className={classes.bannerText}>
          <strong>{words.title}</strong> {words.text}
        </p>
        <Button component={Link} to="/account/password" size="compact-sm" variant="default">
          {words.action}
        </Button>
        <Button
          size="compact-sm"
          variant="subtle"
          color="gray"
          onClick={() => setIsDismissed(true)}
        >
          {words.dismiss}
        </Button>
      </div>
    </div>
  );
}
