import { ActionIcon, type MantineColorScheme, Menu, useMantineColorScheme } from '@mantine/core';
import type { ComponentType } from 'react';

import { AutoIcon, CheckIcon, MoonIcon, SunIcon } from '../ui/icons';
import { messages } from './app.messages';

const icons: Record<MantineColorScheme, ComponentType> = {
  light: SunIcon,
  dark: MoonIcon,
  auto: AutoIcon,
};
const schemes: MantineColorScheme[] = ['light', 'dark', 'auto'];

export function ThemeMenu() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const Current = icons[colorScheme];
  return (
    <Menu position="bottom-end" width={180}>
      <Menu.Target>
        <ActionIcon size={32} aria-label={`${messages.theme}: ${messages.themes[colorScheme]}`}>
          <Current />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {schemes.map((scheme) => {
          const Icon = icons[scheme];
          const isCurrent = scheme === colorScheme;
          return (
            <Menu.Item
              key={scheme}
              leftSection={<Icon />}
              rightSection={isCurrent ? <CheckIcon size={14} /> : null}
              aria-current={isCurrent}
              onClick={() => setColorScheme(scheme)}
            >
              {messages.themes[scheme]}
            </Menu.Item>
          );
        })}
      </Menu.Dropdown>
    </Menu>
  );
}
