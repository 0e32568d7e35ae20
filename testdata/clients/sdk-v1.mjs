// The official TypeScript client, v1: what most hosts embed today. Over stdio, over
// streamable HTTP, over the older HTTP+SSE, and through mcp-remote, which is a server
// on stdio to clients that speak nothing else.
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { binary, environment, run } from "./checks.mjs";
import { serve } from "./http.mjs";

async function connect(transport, stop = async () => {}) {
  let version;
  const negotiated = transport.setProtocolVersion?.bind(transport);
  transport.setProtocolVersion = (v) => { version = v; negotiated?.(v); };
  const client = new Client({ name: "check-v1", version: "1" });
  await client.connect(transport);
  return {
    version,
    listTools: async () => (await client.listTools()).tools,
    callTool: (name, args, options) => client.callTool({ name, arguments: args }, undefined, options),
    close: async () => { await client.close(); await stop(); },
  };
}

const version = "2025-11-25";

await run("TypeScript v1, stdio", (args) => connect(new StdioClientTransport({ command: binary, args, env: environment })), version);

await run("TypeScript v1, HTTP", async (args) => {
  const { url, headers, stop } = await serve("http", args);
  return connect(new StreamableHTTPClientTransport(url, { requestInit: { headers } }), stop);
}, version);

await run("TypeScript v1, SSE", async (args) => {
  const { url, headers, stop } = await serve("sse", args);
  return connect(new SSEClientTransport(url, { requestInit: { headers } }), stop);
}, version);

const bridge = fileURLToPath(import.meta.resolve("mcp-remote/dist/proxy.js"));
await run("TypeScript v1, mcp-remote", async (args) => {
  const { url, headers, stop } = await serve("http", args);
  return connect(new StdioClientTransport({
    command: process.execPath, stderr: "ignore",
    args: [bridge, url.href, "--transport", "http-only", "--allow-http", "--header", `Authorization: ${headers.Authorization}`],
    env: environment,
  }), stop);
}, version);
