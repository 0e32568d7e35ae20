//go:build !linux

package main

import "errors"

const inContainer = "BRICKMCP_TEST_CONTAINER"

func enterContainer(string) error { return errors.New("containers are tested on Linux") }
