// The page that shows a dashboard, in front of a Prometheus: `PROMETHEUS=http://127.0.0.1:9090 npx vite` opens it for a person.
const prometheus = process.env.PROMETHEUS ?? 'http://127.0.0.1:9090';
const proxy = { '/api/v1': prometheus };

export default {
  root: 'page',
  base: '/build/', // where Grafana's components look for their icons
  publicDir: '../node_modules/@grafana/ui/dist/public',
  build: { outDir: '../built', emptyOutDir: true, chunkSizeWarningLimit: 10_000 },
  server: { proxy, fs: { allow: ['../..', '..'] } },
  preview: { proxy },
  logLevel: 'error',
};
