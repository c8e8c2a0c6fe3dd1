import { setDefaultTimeout } from "bun:test";

// In milliseconds, for machines that are busy: no test is about time.
setDefaultTimeout(60_000);
