import type { MaybePromise, Session, Sessions } from "../../session/mod.ts";
import type { Answers } from "./answers.ts";

/** What this application keeps in a session. */
export interface Data {
  readonly username: string;
}

/** Where each page is. */
export interface Paths {
  readonly start: string;
  readonly login: string;
  readonly logout: string;
  readonly everywhere: string;
  readonly account: string;
  readonly end: string;
  readonly endOthers: string;
  readonly healthz: string;
  readonly readyz: string;
  readonly keySet: string;
}

/** What a route has beside the request and its session. */
export interface Context {
  readonly paths: Paths;
  readonly answers: Answers;
  readonly sessions: Sessions<Data>;
  /** The origin that users see, where it is not what the request shows. */
  readonly publicOrigin: string | undefined;
  /** Whether requests may come: the store answers, and the server is not stopping. */
  readonly isReady: () => MaybePromise<boolean>;
  /** The public keys of the sessions, as JSON: a JWK set. */
  readonly keySet: () => MaybePromise<string>;
  /** Writes to the log what happened, as `Log` says. */
  readonly note: (
    event: string,
    fields?: Readonly<Record<string, string>>,
    when?: "always" | "done",
  ) => void;
}

/** A route's answer to one method. */
export type Route = (
  request: Request,
  session: Session<Data>,
  context: Context,
) => MaybePromise<Response>;

/** The same for a page that has no session. */
export type PlainRoute = (request: Request, context: Context) => MaybePromise<Response>;

/**
 * What the module of a path exports: a function for each method that it takes, and what else the
 * application has to know of it. HEAD is answered by GET.
 */
export type RouteModule =
  | {
      readonly session?: undefined;
      readonly GET?: Route;
      readonly POST?: Route;
      /** Whether each POST counts as an attempt to log in. */
      readonly isLimited?: boolean;
    }
  | { readonly session: "none"; readonly GET: PlainRoute };
