package main

import (
	"path/filepath"
	"time"

	"brickmcp/tools/audit"

	"go.uber.org/zap"
)

// auditPath is the file that calls are written to; off when none is.
func (c *config) auditPath() (path string, off bool) {
	switch {
	case c.auditFile == "off":
		return "", true
	case c.auditFile != "":
		return c.auditFile, false
	case c.stateDir() == "":
		return "", true // the environment names no home
	}
	return filepath.Join(c.stateDir(), "audit.jsonl"), false
}

// openAudit makes the audit log; nil when it is off. It touches no disk.
func (c *config) openAudit(log *zap.Logger) *audit.Log {
	path, off := c.auditPath()
	if off {
		if c.auditFile == "" {
			log.Warn("nothing is written to an audit file: the environment names no home directory; give --audit-file")
		}
		return nil
	}
	return audit.New(audit.Config{Path: path, Now: time.Now, Log: log})
}

// note writes an event that is no call. It stops nothing: what must not happen
// unwritten is a call, which asks for itself.
func note(to *audit.Log, log *zap.Logger, line audit.Line) {
	if to == nil {
		return
	}
	if err := to.Write(&line); err != nil {
		log.Error("the audit file cannot be written", zap.Error(err))
	}
}
