declare namespace Cloudflare {
  interface Env {
    readonly RECORDS: DurableObjectNamespace<import("./store.ts").SessionRecord>;
    readonly SECRET_KEY: string;
  }
}
