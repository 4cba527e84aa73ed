import {
  ActionIcon,
  Alert,
  Button,
  createTheme,
  Input,
  type MantineColorsTuple,
  Menu,
  Modal,
  NumberInput,
  PasswordInput,
  SegmentedControl,
  Select,
  Skeleton,
  Tabs,
  TextInput,
  Tooltip,
} from '@mantine/core';

/** The one accent. Green, amber and red are kept for what they mean. */
const iris: MantineColorsTuple = [
  '#eeeffc',
  '#dcdef8',
  '#b8bcf0',
  '#9398e8',
  '#757be0',
  '#6067db',
  '#4f55d0',
  '#4348b8',
  '#383c9c',
  '#2c2f7c',
];

export const theme = createTheme({
  primaryColor: 'iris',
  primaryShade: { light: 6, dark: 5 },
  colors: { iris },
  fontFamily: "'Inter Variable', system-ui, -apple-system, 'Segoe UI', sans-serif",
  fontFamilyMonospace:
    "ui-monospace, 'SF Mono', 'JetBrains Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace",
  headings: { fontWeight: '600', fontFamily: "'Inter Variable', system-ui, sans-serif" },
  fontSizes: { xs: '0.75rem', sm: '0.8125rem', md: '0.875rem', lg: '1rem', xl: '1.125rem' },
  defaultRadius: 'md',
  radius: { xs: '3px', sm: '5px', md: '7px', lg: '10px', xl: '14px' },
  cursorType: 'pointer',
  respectReducedMotion: true,
  components: {
    ActionIcon: ActionIcon.extend({ defaultProps: { variant: 'subtle', color: 'gray' } }),
    Alert: Alert.extend({ defaultProps: { variant: 'light' } }),
    Button: Button.extend({ defaultProps: { size: 'sm', fw: 550 } }),
    InputWrapper: Input.Wrapper.extend({
      styles: {
        label: { marginBottom: 4 },
        description: { fontSize: '0.8125rem', marginBottom: 6, color: 'var(--bw-dim)' },
        error: { fontSize: '0.8125rem' },
      },
    }),
    Menu: Menu.extend({ defaultProps: { shadow: 'md', withinPortal: true } }),
    Modal: Modal.extend({
      defaultProps: { centered: true, size: 'lg', overlayProps: { backgroundOpacity: 0.45 } },
    }),
    NumberInput: NumberInput.extend({ defaultProps: { size: 'sm' } }),
    PasswordInput: PasswordInput.extend({ defaultProps: { size: 'sm' } }),
    SegmentedControl: SegmentedControl.extend({ defaultProps: { size: 'sm' } }),
    Select: Select.extend({ defaultProps: { size: 'sm', allowDeselect: false } }),
    Skeleton: Skeleton.extend({ defaultProps: { radius: 'sm' } }),
    Tabs: Tabs.extend({ defaultProps: { keepMounted: false } }),
    TextInput: TextInput.extend({ defaultProps: { size: 'sm' } }),
    Tooltip: Tooltip.extend({
      defaultProps: { multiline: true, maw: 320, withArrow: true, openDelay: 200, fz: 'xs' },
    }),
  },
});
