import { gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

/** Beside every file a .gz of it, which the gateway serves as it is. The page is not painted before its script has run. */
function served(): Plugin {
  return {
    name: "served",
    enforce: "post",
    transformIndexHtml: (html) => html.replace('<script type="module"', '<script type="module" blocking="render"'),
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
