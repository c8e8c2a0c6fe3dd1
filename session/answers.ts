/** An answer that the library itself gives. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const TEXT = { "cache-control": "no-store", "content-type": "text/plain; charset=utf-8" };

/** To a change that a page of another site sent. */
export const REFUSED: Answer = {
  status: 403,
  headers: TEXT,
  body: "Cannot take this request: it came from a page of another site\n",
};

/** While the store is down. The seconds are for a store that comes back by itself. */
export const BUSY: Answer = {
  status: 503,
  headers: { "retry-after": "2", ...TEXT },
  body: "The service is busy. Please try again in a moment.\n",
};
