/** Ours with Redis, at the address that the benchmark gives. */
import { RedisClient } from "bun";
import { redisStore } from "../../../session/stores/redis.ts";
import { serveMadeleine } from "./madeleine.ts";

const url = process.env["BENCH_REDIS_URL"];
if (url === undefined) throw new TypeError("no Redis: set BENCH_REDIS_URL or install redis-server");
serveMadeleine(redisStore(new RedisClient(url)));
