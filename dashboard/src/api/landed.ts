// As the page was loaded with: the router would take a code of digits for a number.
const landed = new URLSearchParams(window.location.search);

/** What the identity provider led back with; of an error its code alone. */
export const ledBack = {
  code: landed.get('code') ?? '',
  state: landed.get('state') ?? '',
  error: (landed.get('error') ?? '').replace(/[^a-z_]/g, '').slice(0, 40),
};
