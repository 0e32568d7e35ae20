package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"brickmcp/auth"
)

// checkConfiguration says what was found where, and which method wins.
func (d *doctor) checkConfiguration(context.Context) finding {
	id, err := d.credential.Identity()
	if err != nil {
		return brokenBy(err)
	}
	d.id = id
	if d.sandbox != nil {
		return fine("The embedded workspace (--sandbox), whatever else is configured.")
	}
	message := fmt.Sprintf("%s, because %s.", id, whyMethod(id))
	if len(id.Warnings) > 0 {
		return doubtful("Remove what is not meant, or name the method with auth_type.", "%s %s", message, strings.Join(id.Warnings, " "))
	}
	return fine("%s", message)
}

// whyMethod says in a clause why the method of the identity is the one, and
// where its settings come from.
func whyMethod(id *auth.Identity) string {
	var settings []string
	for name, source := range id.Sources {
		if name != "auth_type" {
			settings = append(settings, fmt.Sprintf("%s from %s", name, source))
		}
	}
	slices.Sort(settings)
	why := "no other credentials are configured"
	if source, pinned := id.Sources["auth_type"]; pinned {
		why = "auth_type is set by " + source.String()
	} else if id.AuthType != "external-browser" {
		why = "it is the only one that is complete"
	}
	return why + " (" + strings.Join(settings, ", ") + ")"
}

// checkHost finds the host even when the configuration is broken elsewhere.
func (d *doctor) checkHost(context.Context) finding {
	if d.id != nil {
		d.host = d.id.Host
		return fine("%s, from %s.", d.host, d.id.Sources["host"])
	}
	raw, from := d.options.Host, "the option --host"
	if raw == "" {
		raw, from = d.getenv("DATABRICKS_HOST"), "DATABRICKS_HOST in the environment"
	}
	if strings.TrimSpace(raw) == "" {
		return unchecked("configuration")
	}
	host, err := auth.ParseHost(raw)
	if err != nil {
		return brokenBy(err)
	}
	d.host = host.URL
	return fine("%s, from %s.", d.host, from)
}

// checkSecret matters to those who serve themselves on HTTP, which nobody does while
// others can read the secret.
func (d *doctor) checkSecret(context.Context) finding {
	if d.secret.path == "" {
		return fine("Not needed: without a state directory --identity local does not start.")
	}
	_, err := d.secret.read()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fine("There is none yet; --identity local makes it.")
	case err != nil:
		return doubtful("Run "+d.secret.command+" and give clients the new one.", "--identity local serves nobody: %v.", err)
	}
	return fine("%s can be read by you alone.", d.secret.path)
}

// checkPorts matters to those who sign in with a browser.
func (d *doctor) checkPorts(context.Context) finding {
	port, err := auth.CheckPort(d.here())
	if err == nil {
		return fine("Port %d is free for the end of a sign-in.", port)
	}
	f := brokenBy(err)
	if d.id != nil && d.id.AuthType != externalBrowser {
		f.Status = statusWarning
		f.Message += " The configured sign-in method does not need it."
	}
	return f
}

func (d *doctor) checkStateDirectory(context.Context) finding {
	storage, err := auth.CheckStore(d.options)
	if err != nil {
		return brokenBy(err)
	}
	d.storage = storage
	return fine("%s can be written to.", d.options.StateDir)
}

func (d *doctor) checkTokenStore(context.Context) finding {
	stored, err := auth.SignIns(d.options)
	if err != nil {
		f := brokenBy(err)
		f.Status = statusWarning // the next sign-in mends it
		return f
	}
	list := "No sign-in is stored."
	if len(stored) > 0 {
		var names []string
		for _, s := range stored {
			name := s.User
			if name == "" {
				name = "somebody"
			}
			names = append(names, name+" on "+s.Host)
		}
		list = "Stored: " + strings.Join(names, ", ") + "."
	}
	switch {
	case d.storage == "keyring":
		return fine("Sign-ins are sealed with a key in the keyring of this machine. %s", list)
	case strings.EqualFold(strings.TrimSpace(d.getenv("DATABRICKS_AUTH_STORAGE")), "plaintext"):
		return fine("Sign-ins are kept in files that you alone can read, as DATABRICKS_AUTH_STORAGE says. %s", list)
	}
	return doubtful("Start or unlock the keyring (Secret Service, Keychain, Credential Manager), or set DATABRICKS_AUTH_STORAGE=plaintext if files are meant.",
		"No keyring can be reached: sign-ins are kept in files that you alone can read. %s", list)
}
