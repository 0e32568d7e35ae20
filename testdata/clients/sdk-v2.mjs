// The official TypeScript client, v2, which speaks both eras of the protocol.
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { binary, environment, run } from "./checks.mjs";

for (const [mode, version] of [["legacy", "2025-11-25"], ["auto", "2026-07-28"], [{ pin: "2026-07-28" }, "2026-07-28"]]) {
  await run(`TypeScript v2 ${JSON.stringify(mode)}`, async (args) => {
    const transport = new StdioClientTransport({ command: binary, args, env: environment });
    const client = new Client({ name: "check-v2", version: "1" }, { versionNegotiation: { mode } });
    await client.connect(transport);
    return {
      version: client.getNegotiatedProtocolVersion(),
      listTools: async () => (await client.listTools()).tools,
      callTool: (name, args, options) => client.callTool({ name, arguments: args }, options),
      close: () => client.close(),
    };
  }, version);
}
