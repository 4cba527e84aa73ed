import { getV1Engines, getV1EnginesByEngineParameters, getV1Providers } from './generated/sdk.gen';
import { body } from './http';
import type { ClusterSpec } from './types';

export const listEngines = (signal?: AbortSignal) => body(getV1Engines({ signal }));

/** Settings of an engine, with defaults and limits for nodes of that size. */
export const listEngineParameters = (spec: ClusterSpec, signal?: AbortSignal) =>
  body(
    getV1EnginesByEngineParameters({
      path: { engine: spec.engine },
      query: {
        version: spec.version,
        memory: String(spec.size.memory),
        disk: String(spec.size.disk),
      },
      signal,
    }),
  );

/** The server asks each provider whether machines can be made now. */
export const listProviders = (signal?: AbortSignal) => body(getV1Providers({ signal }));
