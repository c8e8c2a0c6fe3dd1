import { defineEnvVars } from "@sveltejs/kit/env";

/** Optional, because the build runs without it. */
export const variables = defineEnvVars({ SECRET_KEY: { schema: (value) => value } });
