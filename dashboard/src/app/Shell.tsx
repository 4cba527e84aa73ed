import { useSuspenseQuery } from '@tanstack/react-query';
import { Link, Outlet } from '@tanstack/react-router';

import { meQuery } from '../api/queries';
import { hasSomewhere } from '../resources/people/may';
import { BellMark } from '../ui/icons';
import { messages } from './app.messages';
import { FirstPasswordBanner } from './FirstPasswordBanner';
import classes from './Shell.module.css';
import { StreamNote } from './StreamNote';
import { ThemeMenu } from './ThemeMenu';
import { UserMenu } from './UserMenu';

/** The frame of every page for somebody who is signed in. */
export function Shell() {
  const { data: me } = useSuspenseQuery(meQuery);
  return (
    <>
      <a className="bw-skip" href="#content">
        {messages.skip}
      </a>
      <header className={classes.header}>
        <div className={classes.bar}>
          <Link to="/clusters" className={classes.brand}>
            <BellMark />
            <span className={classes.brandName}>{messages.product}</span>
          </Link>
          <nav className={classes.nav} aria-label={messages.mainNavigation}>
            <Link to="/clusters" className={classes.link}>
              {messages.clusters}
            </Link>
            <Link to="/backups" className={classes.link}>
              {messages.backups}
            </Link>
            <Link to="/activity" className={classes.link}>
              {messages.activity}
            </Link>
            {hasSomewhere(me?.access, 'admin') && (
              <Link to="/people" className={classes.link}>
                {messages.people}
              </Link>
            )}
          </nav>
          <div className={classes.tools}>
            <StreamNote />
            <ThemeMenu />
            {me && <UserMenu me={me} />}
          </div>
        </div>
      </header>
      {me?.must_change_password && <FirstPasswordBanner />}
      <main id="content" className={classes.main} tabIndex={-1}>
        <Outlet />
      </main>
    </>
  );
}
