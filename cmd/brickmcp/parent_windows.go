package main

import "context"

// watchParent does nothing on Windows: there the end of a parent closes the pipe.
func watchParent(context.Context, func()) {}
