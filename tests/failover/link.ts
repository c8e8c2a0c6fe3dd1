import { createConnection, createServer, type Socket } from "node:net";
import { listen } from "../support/fake_redis.ts";

/** A TCP address that leads to another port of this machine, as a network between two would. */
export interface Link extends AsyncDisposable {
  readonly port: number;
  /** From now on nothing arrives, and no connection ends: a cable that was pulled. */
  silence(): void;
  /** Ends all connections. What is under way is lost, and new connections are refused. */
  cut(): void;
  /** Ends all connections. New ones lead to that port. */
  moveTo(port: number): void;
}

/** Opens a link on which each byte travels for `delay` milliseconds, in both directions. */
export async function openLink(target: number, delay = 0): Promise<Link> {
  const sockets = new Set<Socket>();
  let state: "open" | "silent" | "cut" = "open";
  let port = target;

  function forward(from: Socket, to: Socket): void {
    sockets.add(from);
    from.setNoDelay(true);
    from.on("error", () => {});
    from.on("close", () => {
      sockets.delete(from);
      to.destroy();
    });
    from.on("data", (bytes) => {
      if (delay === 0) to.write(bytes);
      else setTimeout(() => state === "open" && !to.destroyed && to.write(bytes), delay);
    });
  }

  function endAll(): void {
    for (const socket of sockets) socket.destroy();
  }

  const server = createServer((socket) => {
    if (state === "cut") {
      socket.destroy();
      return;
    }
    const end = createConnection(port, "127.0.0.1");
    forward(socket, end);
    forward(end, socket);
  });
  const own = await listen(server, 0);

  return {
    port: own,
    silence: () => void (state = "silent"),
    cut() {
      state = "cut";
      endAll();
    },
    moveTo(next) {
      port = next;
      endAll();
    },
    async [Symbol.asyncDispose]() {
      endAll();
      await new Promise((closed) => server.close(closed));
    },
  };
}
