// The official TypeScript client, v2, which speaks both eras of the protocol.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { binary, environment, run } from "./checks.mjs";
import { serve } from "./http.mjs";

const transports = {
  stdio: (args) => [new StdioClientTransport({ command: binary, args, env: environment }), async () => {}],
  async HTTP(args) {
    const { url, headers, stop } = await serve("http", args);
    return [new StreamableHTTPClientTransport(url, { requestInit: { headers } }), stop];
  },
};

for (const [name, open] of Object.entries(transports)) {
  for (const [mode, version] of [["legacy", "2025-11-25"], ["auto", "2026-07-28"], [{ pin: "2026-07-28" }, "2026-07-28"]]) {
    await run(`TypeScript v2 ${JSON.stringify(mode)}, ${name}`, async (args) => {
      const [transport, stop] = await open(args);
      const client = new Client({ name: "check-v2", version: "1" }, { versionNegotiation: { mode } });
      await client.connect(transport);
      return {
        version: client.getNegotiatedProtocolVersion(),
        listTools: async () => (await client.listTools()).tools,
        callTool: (name, args, options) => client.callTool({ name, arguments: args }, options),
        close: async () => { await client.close(); await stop(); },
      };
    }, version);
  }
}
