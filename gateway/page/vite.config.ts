import { gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

/** Writes a .gz beside every built file, which the gateway serves unchanged. */
function served(): Plugin {
  return {
    name: "served",
    enforce: "post",
    generateBundle: {
      order: "post",
      handler(_, bundle) {
        for (const f of Object.values(bundle)) {
          const source = f.type === "chunk" ? f.code : f.source;
          this.emitFile({ type: "asset", fileName: `${f.fileName}.gz`, source: gzipSync(source, { level: 9 }) });
        }
      },
    },
  };
}

export default defineConfig({
  plugins: [served()],
  build: {
    outDir: "dist/built",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    assetsInlineLimit: 0, // a data: address would need a wider policy
  },
});
