/** Serves `react-router.ts` as the framework's build would: as the module of one route. */
import { createRequestHandler, type ServerBuild } from "react-router";
import * as module from "./react-router.ts";

const id = "routes/page";
const route = { id, path: "/:page?" };
const asset = { ...route, module: "", hasLoader: true, hasAction: true, hasErrorBoundary: false };
const build: ServerBuild = {
  entry: { module: { default: () => new Response("No page", { status: 500 }) } },
  routes: { [id]: { ...route, module } },
  assets: {
    entry: { imports: [], module: "" },
    routes: {
      [id]: {
        ...asset,
        hasClientAction: false,
        hasClientLoader: false,
        hasClientMiddleware: false,
        clientActionModule: undefined,
        clientLoaderModule: undefined,
        clientMiddlewareModule: undefined,
        hydrateFallbackModule: undefined,
      },
    },
    url: "",
    version: "",
  },
  publicPath: "/",
  assetsBuildDirectory: "",
  future: {},
  ssr: true,
  isSpaMode: false,
  prerender: [],
  routeDiscovery: { mode: "initial", manifestPath: "/__manifest" },
};

const handle = createRequestHandler(build, "production");

export default { fetch: (request: Request) => handle(request) };
