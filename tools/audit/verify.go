package audit

import "errors"

// Report is what Verify found.
type Report struct{}

// Verify goes through all files of the log at path, oldest first.
func Verify(path string) (Report, error) { return Report{}, errors.New("audit: not verified") }
