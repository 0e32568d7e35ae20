// The official TypeScript client, v1: what most hosts embed today.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { binary, environment, run } from "./checks.mjs";

await run("TypeScript v1", async (args) => {
  const transport = new StdioClientTransport({ command: binary, args, env: environment });
  let version;
  transport.setProtocolVersion = (negotiated) => { version = negotiated; };
  const client = new Client({ name: "check-v1", version: "1" });
  await client.connect(transport);
  return {
    version,
    listTools: async () => (await client.listTools()).tools,
    callTool: (name, args, options) => client.callTool({ name, arguments: args }, undefined, options),
    close: () => client.close(),
  };
}, "2025-11-25");
