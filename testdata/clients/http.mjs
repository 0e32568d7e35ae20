// A brickmcp on HTTP, of its own for each client.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { binary, environment } from "./checks.mjs";

const startTime = 30_000, stopTime = 30_000; // far more than it takes

// serve starts a server on a free port. It gives its address, the headers that
// clients must send, and what ends it.
export async function serve(transport, args) {
  const server = spawn(binary, [
    "--transport", transport, "--identity", "local", "--listen", "127.0.0.1:0", "--log-format", "json", ...args, "--log-level", "info",
  ], { env: environment, stdio: ["ignore", "pipe", "pipe"] });
  const kill = () => server.kill("SIGKILL");
  process.once("exit", kill);
  const exited = once(server, "exit");
  let stdout = "", log = "";
  server.stdout.on("data", (chunk) => { stdout += chunk; });
  const url = await new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`the server does not say where it listens:\n${log}`)), startTime);
    server.once("exit", (code) => reject(new Error(`the server ended with ${code}:\n${log}`)));
    createInterface({ input: server.stderr }).on("line", (line) => {
      log += `${line}\n`;
      let entry = {};
      try { entry = JSON.parse(line); } catch { /* no entry of the log */ }
      if (entry.msg !== "listening") return;
      clearTimeout(late);
      resolve(entry.url);
    });
  });
  const secret = execFileSync(binary, ["secret"], { env: environment, encoding: "utf8" }).trim();
  return {
    url: new URL(url),
    headers: { Authorization: `Bearer ${secret}` },
    // stop ends the server as an operator does, and holds it to an orderly end.
    async stop() {
      const late = setTimeout(kill, stopTime);
      server.kill("SIGTERM");
      const [code, signal] = await exited;
      clearTimeout(late);
      process.off("exit", kill);
      assert.deepEqual({ code, signal, stdout }, { code: 0, signal: null, stdout: "" }, `the end of the server:\n${log}`);
      assert.ok(!log.includes(secret), "the log holds the secret");
    },
  };
}
