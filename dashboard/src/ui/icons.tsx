import type { ReactNode, SVGProps } from 'react';

type IconProps = SVGProps<SVGSVGElement> & { size?: number };

/** Icons are drawn on a grid of 16 with one line width; the words beside them carry the meaning. */
function draw(paths: ReactNode) {
  return function Icon({ size = 16, ...rest }: IconProps) {
    return (
      <svg
        width={size}
        height={size}
        viewBox="0 0 16 16"
        fill="none"
        stroke="currentColor"
        strokeWidth={1.5}
        strokeLinecap="round"
        strokeLinejoin="round"
        aria-hidden="true"
        focusable="false"
        {...rest}
      >
        {paths}
      </svg>
    );
  };
}

export const PlusIcon = draw(<path d="M8 3v10M3 8h10" />);
export const CheckIcon = draw(<path d="m3.5 8.5 3 3 6-7" />);
export const CrossIcon = draw(<path d="m4 4 8 8M12 4l-8 8" />);
export const DotsIcon = draw(
  <g fill="currentColor" stroke="none">
    <circle cx="3.5" cy="8" r="1.25" />
    <circle cx="8" cy="8" r="1.25" />
    <circle cx="12.5" cy="8" r="1.25" />
  </g>,
);
export const ChevronDownIcon = draw(<path d="m4 6 4 4 4-4" />);
export const ChevronRightIcon = draw(<path d="m6 4 4 4-4 4" />);
export const ArrowLeftIcon = draw(<path d="M13 8H3m4-4L3 8l4 4" />);
export const ArrowRightIcon = draw(<path d="M3 8h10M9 4l4 4-4 4" />);
export const PromoteIcon = draw(<path d="M8 13V4M4.5 7.5 8 4l3.5 3.5" />);
export const TrashIcon = draw(
  <path d="M2.5 4.5h11M6 4.5V3h4v1.5M4 4.5l.6 8.5h6.8l.6-8.5M6.75 7v3.5M9.25 7v3.5" />,
);
export const CopyIcon = draw(
  <path d="M6 5.5h7v8H6zM3.5 10.5H3v-8h7V3" />,
);
export const EyeIcon = draw(
  <>
    <path d="M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8z" />
    <circle cx="8" cy="8" r="1.9" />
  </>,
);
export const EyeOffIcon = draw(
  <path d="M6.3 3.75A6 6 0 0 1 8 3.5C12 3.5 14.5 8 14.5 8a12 12 0 0 1-1.7 2.2M4 5.2A12 12 0 0 0 1.5 8S4 12.5 8 12.5c1.2 0 2.2-.4 3.1-.9M2.5 2.5l11 11" />,
);
export const SunIcon = draw(
  <>
    <circle cx="8" cy="8" r="2.75" />
    <path d="M8 1.5v1M8 13.5v1M1.5 8h1M13.5 8h1M3.4 3.4l.7.7M11.9 11.9l.7.7M3.4 12.6l.7-.7M11.9 4.1l.7-.7" />
  </>,
);
export const MoonIcon = draw(<path d="M13.5 9.7A5.8 5.8 0 0 1 6.3 2.5a5.8 5.8 0 1 0 7.2 7.2z" />);
export const AutoIcon = draw(
  <>
    <circle cx="8" cy="8" r="5.75" />
    <path d="M8 2.25v11.5a5.75 5.75 0 0 0 0-11.5z" fill="currentColor" stroke="none" />
  </>,
);
export const UserIcon = draw(
  <>
    <circle cx="8" cy="5.5" r="2.5" />
    <path d="M3 13.5c.5-2.5 2.5-4 5-4s4.5 1.5 5 4" />
  </>,
);
export const AlertIcon = draw(
  <>
    <path d="M8 2.25 14.25 13H1.75z" />
    <path d="M8 6.5v3M8 11.3v.05" />
  </>,
);
export const InfoIcon = draw(
  <>
    <circle cx="8" cy="8" r="5.75" />
    <path d="M8 7.5v3.25M8 5.25v.05" />
  </>,
);
export const SearchIcon = draw(
  <>
    <circle cx="7" cy="7" r="4.25" />
    <path d="m10.25 10.25 3.25 3.25" />
  </>,
);
export const RetryIcon = draw(<path d="M13 8a5 5 0 1 1-1.5-3.55M13 2v3h-3" />);
export const ReplaceIcon = draw(<path d="M2.5 5.5h9.5M9.5 3 12 5.5 9.5 8M13.5 10.5H4M6.5 8 4 10.5 6.5 13" />);
export const DrainIcon = draw(<path d="M3 3h10M8 3v8M5 8.5 8 11.5l3-3M3 13.5h10" />);
export const ReturnIcon = draw(<path d="M3 13.5h10M8 10.5V2.5M5 5.5l3-3 3 3" />);
export const PowerIcon = draw(<path d="M8 2v5.5M4.75 4a5.25 5.25 0 1 0 6.5 0" />);
export const DownloadIcon = draw(<path d="M8 2.5v7.5M4.75 7 8 10.25 11.25 7M3 13.5h10" />);

/** The bell that leads the flock. */
export function BellMark({ size = 22 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="8" fill="#4b50c8" />
      <path d="M8.5 21c2-1.6 2.5-3.8 2.5-7a5 5 0 0 1 10 0c0 3.2.5 5.4 2.5 7z" fill="#fff" />
      <circle cx="16" cy="24" r="2" fill="#fff" />
      <path d="M16 6.5v3" stroke="#fff" strokeWidth="2" strokeLinecap="round" />
    </svg>
  );
}
