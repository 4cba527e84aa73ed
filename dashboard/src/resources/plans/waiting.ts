// A refusal that a person can set aside: fewer replicas are left than have to confirm writes, which
// wait meanwhile. The command line names its option in the words; the page has a box to tick.

const OPTION = /,? or allow it \(`?--allow-waiting`?\)/;

export const isForWaiting = (reason: string): boolean => OPTION.test(reason);

/** The words without the option of the command line. */
export const withoutOption = (reason: string): string => reason.replace(OPTION, '');
