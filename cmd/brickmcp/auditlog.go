package main

import (
	"path/filepath"
	"time"

	"brickmcp/tools/audit"
	"brickmcp/transport/otlp"

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

// openAudit makes the audit log, nil when it is off, and what sends its lines on.
// It touches neither disk nor network.
func (c *config) openAudit(log *zap.Logger) (*audit.Log, *otlp.Exporter, error) {
	path, off := c.auditPath()
	if off {
		if c.auditFile == "" {
			log.Warn("nothing is written to an audit file: the environment names no home directory; give --audit-file")
		}
		return nil, nil, nil
	}
	to := audit.Config{Path: path, Now: time.Now, Log: log}
	exporter, err := otlp.New(otlp.Config{Getenv: c.getenv, Version: version, Log: log})
	if err != nil {
		return nil, nil, usagef("%w", err)
	}
	if exporter != nil {
		to.Export = exporter.Export
	}
	return audit.New(to), exporter, nil
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
