package main

import "os"

// hangUp asks a server to read its policy again; Windows has no such signal.
var hangUp []os.Signal
