import { getV1Engines, getV1Providers } from './generated/sdk.gen';
import { body } from './http';

export const listEngines = (signal?: AbortSignal) => body(getV1Engines({ signal }));

/** The server asks each provider whether machines can be made now. */
export const listProviders = (signal?: AbortSignal) => body(getV1Providers({ signal }));
