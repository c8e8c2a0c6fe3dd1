/** Answers as long as the process lives: a supervisor restarts it where this fails. */
export function live(): Response {
  return text(200, "ok");
}

/** Whether to send requests here: a load balancer takes the server out where this is 503. */
export function ready(isReady: boolean): Response {
  return isReady ? text(200, "ready") : text(503, "not ready");
}

function text(status: number, words: string): Response {
  const headers = { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" };
  return new Response(`${words}\n`, { status, headers });
}
