// A refusal that a person can set aside: fewer replicas are left than have to confirm writes, which
// wait meanwhile. The page has a box to tick.

export const isForWaiting = (reason: string): boolean => reason.includes('allow waiting');
