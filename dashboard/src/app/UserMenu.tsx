import { ActionIcon, Menu } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';

import { signOut } from '../api/session';
import type { UserView } from '../api/types';
import { UserIcon } from '../ui/icons';
import { messages } from './app.messages';
import { client } from './client';

export function UserMenu({ me }: { me: UserView }) {
  const navigate = useNavigate();
  const leave = useMutation({
    mutationFn: signOut,
    // Signing out shows the sign-in page also when the server is away: nothing stays on the screen.
    onSettled: async () => {
      await navigate({ to: '/sign-in' });
      client.clear();
    },
  });
  return (
    <Menu position="bottom-end" width={210}>
      <Menu.Target>
        <ActionIcon size={32} aria-label={`${messages.account}: ${me.name}`}>
          <UserIcon />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          {messages.signedInAs} <strong>{me.name}</strong>
        </Menu.Label>
        {!me.by_provider && (
          <Menu.Item component={Link} to="/account/password">
            {messages.changePassword}
          </Menu.Item>
        )}
        <Menu.Item component={Link} to="/account/sessions">
          {messages.sessions}
        </Menu.Item>
        <Menu.Divider />
        <Menu.Item onClick={() => leave.mutate()}>{messages.signOut}</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
