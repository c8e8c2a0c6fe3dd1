/** Answers a request. */
type Handler = (request: Request) => Response | Promise<Response>;

/** A server on a free port of 127.0.0.1. */
export interface Server {
  readonly origin: string;
  readonly stop: () => unknown;
}

interface NodeRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

interface NodeResponse {
  writeHead(status: number, headers: readonly string[]): void;
  end(body: Uint8Array): void;
}

interface NodeServer {
  listen(port: 0, host: string, onListen: () => void): void;
  address(): { readonly port: number };
  close(): void;
  closeAllConnections(): void;
}

type NodeListener = (request: NodeRequest, response: NodeResponse) => Promise<void>;

/** What the runtimes serve with. Their own types would come with everything else of theirs. */
declare const Bun:
  | { serve(options: object): { readonly port: number; stop(isForced: boolean): unknown } }
  | undefined;
declare const Deno:
  | { serve(options: object): { readonly addr: { readonly port: number }; shutdown(): unknown } }
  | undefined;
declare const process: {
  getBuiltinModule(name: "node:http"): { createServer(listener: NodeListener): NodeServer };
};

const hostname = "127.0.0.1";

/** Serves the handler as this runtime does. */
export async function serve(handler: Handler): Promise<Server> {
  if (typeof Bun !== "undefined") {
    const server = Bun.serve({ hostname, port: 0, development: false, fetch: handler });
    return { origin: originOf(server.port), stop: () => server.stop(true) };
  }
  if (typeof Deno !== "undefined") {
    const server = Deno.serve({ hostname, port: 0, onListen: () => {}, handler });
    return { origin: originOf(server.addr.port), stop: () => server.shutdown() };
  }
  return serveOnNode(handler);
}

function originOf(port: number): string {
  return `http://${hostname}:${port}`;
}

/** As adapters do: the response's headers, one by one, and then its bytes. */
async function serveOnNode(handler: Handler): Promise<Server> {
  const server = process.getBuiltinModule("node:http").createServer(async (incoming, outgoing) => {
    const { url, headers } = incoming;
    const response = await handler(new Request(`http://${headers["host"]}${url}`, { headers }));
    const body = new Uint8Array(await response.arrayBuffer());
    outgoing.writeHead(response.status, [...response.headers].flat());
    outgoing.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, hostname, resolve));
  function stop(): void {
    server.close();
    server.closeAllConnections();
  }
  return { origin: originOf(server.address().port), stop };
}
