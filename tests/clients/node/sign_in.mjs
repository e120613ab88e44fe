// Signs a client in that knows nothing of it, in one of the ways that the bridge takes:
//   SIGN_IN='basic anne:hemmelig' node --import ./sign_in.mjs refresh.mjs http://127.0.0.1:8080
// `basic NAME:PASSWORD`, `key KEY` for a key in the address, `header NAME:VALUE` as a proxy sends it. A key is left out where a link has a
// grant: it is not known that Power Query repeats it there.

import process from "node:process";

const [, way, first, second] = /^(basic|key|header) ([^:]*):?(.*)$/s.exec(process.env.SIGN_IN);
const service = new URL(process.argv.at(-1)).origin;
const direct = globalThis.fetch;

/** The address and the headers with which a request is sent. */
function signed(url, headers) {
  if (way === "header") headers.set(first, second);
  if (way === "basic") headers.set("Authorization", `Basic ${Buffer.from(`${first}:${second}`).toString("base64")}`);
  if (way === "key" && !url.searchParams.has("grant")) url.search += `${url.search ? "&" : "?"}api_key=${first}`;
  return url;
}

globalThis.fetch = (address, options = {}) => {
  const url = new URL(address);
  if (url.origin !== service) return direct(address, options);
  const headers = new Headers(options.headers);
  return direct(signed(url, headers), { ...options, headers });
};
