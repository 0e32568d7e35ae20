// What every client must find, in every protocol era it speaks. A client is an
// object with version, listTools(), callTool(name, arguments, options) and close().
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";

export const binary = process.argv[2];
assert.ok(binary, "usage: node CLIENT.mjs BINARY");

// The embedded workspace, with one throttled request and one that never comes back.
export const sandbox = [
  "--sandbox", "--log-level", "error",
  "--fault", "429:path=/api/2.0/sql/warehouses,count=1,retry-after=1",
  "--fault", "latency=40s:path=/api/2.1/clusters/list",
];

// Neither credentials nor settings of whoever runs this may have a say.
export const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(BRICKMCP|DATABRICKS|ARM|AZURE|GOOGLE)_/.test(name)));

const declared = JSON.parse(execFileSync(binary, ["tools", "--json"], { env: environment, maxBuffer: 1 << 24 }));

const text = (result) => {
  assert.equal(result.content.length, 1, "one content block");
  assert.equal(result.content[0].type, "text");
  return JSON.parse(result.content[0].text);
};

const answer = (result) => {
  assert.ok(!result.isError, `an error: ${JSON.stringify(result.content)}`);
  return text(result);
};

const refusal = (result, kind) => {
  assert.equal(result.isError, true, `no error: ${JSON.stringify(result).slice(0, 300)}`);
  assert.deepEqual(result.structuredContent, text(result), "the error in structuredContent is the one in the text");
  const { error } = result.structuredContent;
  assert.equal(error.kind, kind, error.message);
  assert.ok(error.message && error.advice, "an error says what happened and what to do");
  return error;
};

const checks = {
  async "tools/list has every tool, with title and all four hints"(client) {
    const tools = await client.listTools();
    assert.ok(declared.length >= 42, `${declared.length} tools are declared`);
    assert.deepEqual(tools.map((t) => t.name).sort(), declared.map((t) => t.name).sort());
    for (const tool of tools) {
      const { readOnlyHint, destructiveHint, idempotentHint, openWorldHint } = tool.annotations ?? {};
      for (const hint of [readOnlyHint, destructiveHint, idempotentHint, openWorldHint]) assert.equal(typeof hint, "boolean", `hints of ${tool.name}`);
      const row = declared.find((t) => t.name === tool.name);
      assert.equal(readOnlyHint, row.access === "read", `readOnlyHint of ${tool.name}`);
      assert.ok(!(readOnlyHint && destructiveHint), `${tool.name} only reads and is destructive`);
      assert.equal(tool.title, row.title);
      assert.equal(tool.description, row.description);
      assert.equal(tool.inputSchema.type, "object");
    }
  },

  async "a list comes in pages, with ids as strings"(client) {
    const seen = new Set();
    let pages = 0;
    for (let page_token; ;) {
      const page = answer(await client.callTool("jobs_list", { limit: 7, ...(page_token && { page_token }) }));
      assert.equal(page.returned, page.jobs.length);
      assert.ok(page.returned <= 7);
      for (const job of page.jobs) {
        assert.match(job.job_id, /^[0-9]+$/);
        assert.ok(!seen.has(job.job_id), `job ${job.job_id} is on two pages`);
        seen.add(job.job_id);
      }
      pages++;
      assert.equal(page.truncated, page.next_page_token !== undefined);
      if (!page.truncated) break;
      page_token = page.next_page_token;
    }
    assert.ok(pages >= 3 && seen.size > 14, `${seen.size} jobs on ${pages} pages`);
  },

  async "a query returns rows"(client) {
    const { warehouses } = answer(await client.callTool("warehouses_list", {}));
    const { id } = warehouses.find((w) => w.state === "RUNNING");
    const result = answer(await client.callTool("sql_execute_statement", { warehouse_id: id, statement: "SELECT 9007199254740993 AS big, 'a < b' AS text, NULL AS nothing" }));
    assert.equal(result.state, "SUCCEEDED");
    assert.deepEqual(result.columns, ["big", "text", "nothing"]);
    assert.deepEqual(result.rows, [["9007199254740993", "a < b", null]]);
  },

  async "errors are results, with structured content"(client) {
    const missing = refusal(await client.callTool("jobs_get", { job_id: "9007199254740993" }), "missing");
    assert.match(missing.message, /9007199254740993/);
    const invalid = refusal(await client.callTool("jobs_get", { jobid: "1" }), "invalid");
    assert.match(invalid.message, /job_id/);
    assert.doesNotMatch(JSON.stringify([missing, invalid]), /&\{|0x[0-9a-f]{6}|goroutine/, "no dumps of Go values");
  },

  async "an unknown tool is a protocol error"(client) {
    await assert.rejects(client.callTool("no_such_tool", {}), (e) => e.code === -32602);
  },

  async "a call that waits reports progress"(client) {
    const notes = [];
    answer(await client.callTool("warehouses_list", {}, { onprogress: (note) => notes.push(note) }));
    assert.ok(notes.length >= 1, "no progress");
    for (const [i, note] of notes.entries()) {
      assert.equal(typeof note.message, "string");
      if (i > 0) assert.ok(note.progress > notes[i - 1].progress, "progress rises");
    }
  },

  async "a cancelled call ends, and the server goes on"(client) {
    const abort = new AbortController();
    const began = performance.now();
    setTimeout(() => abort.abort("no longer wanted"), 200);
    await assert.rejects(client.callTool("clusters_list", {}, { signal: abort.signal }));
    const took = performance.now() - began;
    assert.ok(took > 150 && took < 15_000, `ended after ${took} ms`);
    answer(await client.callTool("jobs_list", { limit: 1 }));
  },

  async "a hundred calls at once are all answered, beside a slow one"(client) {
    const abort = new AbortController();
    const slow = client.callTool("clusters_list", {}, { signal: abort.signal }).catch(() => "ended");
    const results = await Promise.all(Array.from({ length: 100 }, () => client.callTool("secrets_list_scopes", {})));
    for (const result of results) answer(result);
    abort.abort();
    assert.equal(await slow, "ended");
  },
};

const readOnlyChecks = {
  async "--access read lists only tools that read"(client) {
    const tools = await client.listTools();
    assert.deepEqual(tools.map((t) => t.name).sort(), declared.filter((t) => t.access === "read").map((t) => t.name).sort());
    for (const tool of tools) assert.equal(tool.annotations.readOnlyHint, true, tool.name);
  },

  async "calling a tool that is not allowed says what would allow it"(client) {
    const denied = refusal(await client.callTool("jobs_delete", { job_id: "1" }), "denied");
    assert.match(denied.message, /jobs/);
    assert.match(denied.advice, /--access jobs=full/);
  },
};

// run connects a client twice, with full and with read access, and checks it.
export async function run(name, connect, version) {
  let failed = 0;
  for (const [settings, list] of [[[], checks], [["--access", "read"], readOnlyChecks]]) {
    const client = await connect([...sandbox, ...settings]);
    try {
      assert.equal(client.version, version, "negotiated protocol version");
      // Progress comes first: the throttled request is the first one of its kind.
      const names = Object.keys(list).sort((a, b) => b.includes("progress") - a.includes("progress"));
      for (const check of names) {
        try {
          await list[check](client);
          console.log(`ok   ${name}: ${check}`);
        } catch (e) {
          failed++;
          console.log(`FAIL ${name}: ${check}\n     ${String(e?.stack ?? e).replaceAll("\n", "\n     ")}`);
        }
      }
    } finally {
      await client.close();
    }
  }
  if (failed) process.exitCode = 1;
}
