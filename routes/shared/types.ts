import type { MaybePromise, Session, Sessions } from "../../session/mod.ts";

/** What this application keeps in a session. */
export interface Data {
  readonly username: string;
}

/** What a route has beside the request and its session. */
export interface Context {
  readonly sessions: Sessions<Data>;
  /** The origin that users see, where it is not what the request shows. */
  readonly publicOrigin: string | undefined;
  /** Tells the log what happened. */
  readonly note: (event: string, fields?: Readonly<Record<string, string>>) => void;
}

/** A route's answer to one method. */
export type Route = (
  request: Request,
  session: Session<Data>,
  context: Context,
) => MaybePromise<Response>;
