import { type RefObject, useEffect, useRef } from 'react';

/** Leads to the first field that is wrong, whenever other ones are found to be. */
export function useFirstWrong<E extends HTMLElement>(errors: object): RefObject<E | null> {
  const form = useRef<E>(null);
  useEffect(() => {
    if (Object.keys(errors).length === 0) return;
    form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [errors]);
  return form;
}
