import { type FlaskData, flaskCookie } from "../../session/flask.ts";
import type { SessionOptions } from "../../session/mod.ts";
import cookies from "../fixtures/flask/cookies.json" with { type: "json" };
import { type App, createApp } from "./app.ts";
import { Browser } from "./browser.ts";
import { type Clock, createClock } from "./clock.ts";

/** When the fixtures were made, in milliseconds. */
export const MADE: number = Date.parse("2026-01-05T10:00:00Z");
/** What they were signed with. */
export const FLASK_KEY = "flask-fixture-key";

interface Options extends Partial<SessionOptions> {
  readonly clock?: Clock;
}

/** An application that takes over from the fixtures' app, at the time when they were made. */
export function flaskHeir({ clock = createClock(MADE), ...options }: Options = {}): App {
  const { now } = clock;
  const adopt = flaskCookie({ secretKey: FLASK_KEY, now, subject: usernameOf });
  return { ...createApp({ now, adopt, ...options }), ...clock };
}

function usernameOf({ username }: FlaskData): string | undefined {
  return typeof username === "string" ? username : undefined;
}

/** A browser with this cookie of the Flask app: admin's, unless said otherwise. */
export function flaskUser(value: string = cookies.simple): Browser {
  const browser = new Browser();
  browser.cookie = `session=${value}`;
  return browser;
}
