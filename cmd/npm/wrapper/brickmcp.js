#!/usr/bin/env node
// Runs the brickmcp binary of this platform as if it had been started itself:
// the same stdin, stdout and stderr, its signals, its exit status. stdout belongs
// to MCP, so nothing here writes to it.
"use strict";

const { spawn } = require("node:child_process");
const { writeSync } = require("node:fs");

const platform = `${process.platform}-${process.arch}`;

function fail(...lines) {
  writeSync(2, lines.map((line) => `brickmcp: ${line}\n`).join("")); // not lost by the exit
  process.exit(1);
}

function findBinary() {
  if (process.env.BRICKMCP_BINARY) {
    return process.env.BRICKMCP_BINARY;
  }
  const name = process.platform === "win32" ? "brickmcp.exe" : "brickmcp";
  try {
    return require.resolve(`brickmcp-${platform}/bin/${name}`);
  } catch {
    const { optionalDependencies, version } = require("../package.json");
    if (!optionalDependencies[`brickmcp-${platform}`]) {
      const known = Object.keys(optionalDependencies).map((dependency) => dependency.slice("brickmcp-".length));
      fail(
        `there is no binary for ${platform}, only for ${known.join(", ")}.`,
        "Build one with Go, and set BRICKMCP_BINARY to its path.",
      );
    }
    fail(
      `the package brickmcp-${platform}@${version}, which holds the binary, is not installed.`,
      "npm leaves it out with --omit=optional or --no-optional, and where a package-lock.json or node_modules",
      "came from another platform (npm/cli issue 4828). Install again without them:",
      `  npm install --include=optional brickmcp@${version}`,
      "or set BRICKMCP_BINARY to the path of a brickmcp binary.",
    );
  }
}

function start(binary) {
  const failed = (error) => {
    const hint = process.env.BRICKMCP_BINARY ? "BRICKMCP_BINARY names it" : "install the package again";
    fail(`${binary} cannot be started: ${error.message} (${hint})`);
  };
  try {
    return spawn(binary, process.argv.slice(2), { stdio: "inherit", windowsHide: true }).on("error", failed);
  } catch (error) { // what Node does not expect, it throws
    failed(error);
  }
}

const child = start(findBinary());

// Ctrl-C and a terminal that closes reach the binary by themselves: the terminal
// tells every process of the group, and a second SIGINT would cut short what the
// first began. On Windows kill() would end it without any clean-up.
const tty = require("node:tty");
const terminal = [0, 1, 2].some((stream) => tty.isatty(stream));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => {
    if (process.platform !== "win32" && (signal === "SIGTERM" || !terminal)) {
      child.kill(signal);
    }
  });
}

child.on("exit", (status, signal) => {
  if (signal === null) {
    process.exit(status);
  }
  process.exitCode = 1; // where the signal does not end this process too
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});
