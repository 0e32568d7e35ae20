package main

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"time"

	"brickmcp/tools/audit"
	"brickmcp/tools/policy"
)

// checkPolicy reads the policy file as a server would.
func (d *doctor) checkPolicy(context.Context) finding {
	if d.policyFile == "" {
		return fine("No policy file: --access alone says what agents may do.")
	}
	p, err := policy.Load(d.policyFile)
	if err != nil {
		return broken("Correct the file; it is read again at the next call. brickmcp policy explain shows what it decides.",
			"Nothing is allowed while the policy is wrong: %s.", strings.TrimRight(err.Error(), "."))
	}
	name := filepath.Base(d.policyFile)
	by := ""
	if p.ByIdentity() {
		by = ", and goes by the user and their groups"
	}
	if p.Shadow() {
		return doubtful("Read brickmcp audit --denied, then write mode: enforce.",
			"%s is in shadow mode%s: what it would refuse or ask is written down, and done.", name, by)
	}
	return fine("%s is in force%s.", name, by)
}

// checkAudit looks at the end of the audit log and writes a line: nothing less
// proves that it can be written.
func (d *doctor) checkAudit(context.Context) finding {
	if d.auditPath == "" {
		return doubtful("Name a file with --audit-file, or leave out --audit-file off.", "Nothing that agents do is written down: there is no audit file.")
	}
	wrong, err := audit.VerifyEnd(d.auditPath)
	log := audit.New(audit.Config{Path: d.auditPath, Now: d.now})
	werr := log.Write(&audit.Line{Time: d.now().UTC().Truncate(time.Microsecond), Event: "check", Say: "brickmcp doctor checked that the audit log can be written", Outcome: "ok"})
	if cerr := log.Close(); werr == nil {
		werr = cerr
	}
	var f *audit.Failure
	switch {
	case errors.As(werr, &f):
		return broken(f.Advice, "Writes are refused: the audit log %s cannot be %s: %v.", f.Path, f.Doing, f.Err)
	case werr != nil:
		return broken("Make it writable, or name another with --audit-file.", "Writes are refused: %v.", werr)
	case err != nil:
		return broken("Make it readable, or name another with --audit-file.", "The audit log can be written but not checked: %v.", err)
	case wrong != nil:
		return broken("brickmcp audit verify shows all of it. Find out who did that, and keep the file as it is.", "%s can be written, but %s", wrong.File, wrong.What)
	}
	return fine("%s can be written, and its end is whole.", d.auditPath)
}
