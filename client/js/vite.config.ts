import { defineConfig } from "vitest/config";

export default defineConfig({
  build: {
    target: "es2022",
    lib: { entry: "src/index.ts", formats: ["es"], fileName: "dashfeed" },
    minify: true,
  },
  test: {
    include: process.env.TEST_GATEWAYS ? ["test/gateways.ts"] : ["test/**/*.test.ts"], // the first needs a cluster: js_test.go has one
    pool: "forks",
    execArgv: ["--experimental-websocket", "--no-warnings"], // Node 20 has its WebSocket behind a flag
    testTimeout: 30_000,
    hookTimeout: 180_000, // the first run builds the server
  },
});
