package sandbox

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// FaultKind is what a Fault does.
type FaultKind string

const (
	FaultStatus   FaultKind = "status"   // an error answer, written as its HTTP status: "429", "503"
	FaultLatency  FaultKind = "latency"  // waits, then goes on: "latency=200ms"
	FaultReset    FaultKind = "reset"    // breaks the connection
	FaultTruncate FaultKind = "truncate" // the effect happens, half of its answer arrives
	FaultHTML     FaultKind = "html"     // a sign-in page instead of JSON, by default with status 200
	FaultEmpty    FaultKind = "empty"    // no body, by default with status 200
)

// Fault is one rule of injected failure: what happens, to which requests, how
// often. The zero value of every condition matches everything.
type Fault struct {
	Kind       FaultKind
	Status     int           // status: 400 to 599; html, empty: 0 means 200
	Delay      time.Duration // latency
	RetryAfter time.Duration // status: Retry-After header (whole seconds, rounded up) and RetryInfo
	Code       string        // status: error_code, "" for the usual one
	Message    string        // status: "" for the usual one
	After      bool          // the effect happens first, and its answer is lost

	Method      string  // exact
	Path        string  // glob over the whole path: "*" is any text, also across "/"
	Skip        int64   // spares the first Skip matching requests
	Count       int64   // strikes at most Count times; 0: no bound
	Every       int64   // strikes each Every-th matching request
	Probability float64 // of striking, above 0 to 1; 0: always
	Seed        uint64  // of the dice behind Probability: the same seed, the same sequence
}

// faultSyntax is quoted by every parse error.
const faultSyntax = "KIND[:key=value,…] with KIND one of 400…599, latency=DURATION, reset, truncate, html, empty, " +
	"and keys method, path, count, every, skip, probability, seed, when (before or after), retry-after, status, code, message"

// ParseFault reads a rule as it stands behind --fault:
//
//	429:path=/api/2.2/jobs/*,method=GET,count=3,retry-after=2
//	503:probability=0.1,seed=7        one request in ten, the same ones in every run
//	latency=200ms:path=/api/2.0/sql/*
//	reset:when=after,path=*/run-now   the effect happens, then the connection breaks
//	truncate:every=5   html   empty:status=502
//
// retry-after takes seconds or a duration. A value cannot hold a comma. The
// error names the word that is wrong and what would be right.
func ParseFault(rule string) (Fault, error) {
	kind, rest, conditions := strings.Cut(rule, ":")
	var f Fault
	if err := f.setKind(kind); err != nil {
		return Fault{}, fmt.Errorf("fault rule %q: %w (a rule is %s)", rule, err, faultSyntax)
	}
	if !conditions {
		return f, nil
	}
	given := map[string]bool{}
	for _, pair := range strings.Split(rest, ",") {
		key, value, ok := strings.Cut(pair, "=")
		err := error(nil)
		switch {
		case !ok || value == "":
			err = fmt.Errorf("%q is not key=value", pair)
		case given[key]:
			err = fmt.Errorf("%s is given twice", key)
		default:
			given[key] = true
			err = f.set(key, value)
		}
		if err != nil {
			return Fault{}, fmt.Errorf("fault rule %q: %w (a rule is %s)", rule, err, faultSyntax)
		}
	}
	return f, nil
}

func (f *Fault) setKind(text string) error {
	name, value, valued := strings.Cut(text, "=")
	switch kind := FaultKind(name); kind {
	case FaultReset, FaultTruncate, FaultHTML, FaultEmpty:
		if valued {
			return fmt.Errorf("%s takes no value", name)
		}
		f.Kind = kind
		return nil
	case FaultLatency:
		d, err := time.ParseDuration(value)
		if err != nil || d <= 0 {
			return fmt.Errorf("latency needs a duration above 0 like 200ms, not %q", value)
		}
		f.Kind, f.Delay = kind, d
		return nil
	}
	status, err := strconv.Atoi(text)
	if err != nil || len(text) != 3 || status < 400 || status > 599 {
		return fmt.Errorf("unknown kind %q", text)
	}
	f.Kind, f.Status = FaultStatus, status
	return nil
}

func (f *Fault) set(key, value string) (err error) {
	only := func(kinds ...FaultKind) error {
		for _, k := range kinds {
			if f.Kind == k {
				return nil
			}
		}
		return fmt.Errorf("%s does not go with %s", key, f.Kind)
	}
	positive := func(into *int64) error {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 1 {
			return fmt.Errorf("%s needs a whole number from 1, not %q", key, value)
		}
		*into = n
		return nil
	}
	switch key {
	case "method":
		switch value {
		case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
			f.Method = value
			return nil
		}
		return fmt.Errorf("method must be GET, HEAD, POST, PUT, PATCH or DELETE, not %q", value)
	case "path":
		if value[0] != '/' && value[0] != '*' {
			return fmt.Errorf("path must begin with / or *, not %q", value)
		}
		f.Path = value
		return nil
	case "count":
		return positive(&f.Count)
	case "every":
		return positive(&f.Every)
	case "skip":
		return positive(&f.Skip)
	case "probability":
		f.Probability, err = strconv.ParseFloat(value, 64)
		if err != nil || !(f.Probability > 0 && f.Probability <= 1) { // written so that NaN is refused
			return fmt.Errorf("probability must be above 0 and at most 1, not %q", value)
		}
		return nil
	case "seed":
		if f.Seed, err = strconv.ParseUint(value, 10, 64); err != nil {
			return fmt.Errorf("seed needs a whole number, not %q", value)
		}
		return nil
	case "when":
		if value != "before" && value != "after" {
			return fmt.Errorf("when must be before or after, not %q", value)
		}
		f.After = value == "after"
		return only(FaultStatus, FaultReset, FaultHTML, FaultEmpty)
	case "retry-after":
		if f.RetryAfter, err = time.ParseDuration(value); err != nil {
			f.RetryAfter, err = time.ParseDuration(value + "s")
		}
		if err != nil || f.RetryAfter <= 0 {
			return fmt.Errorf("retry-after needs seconds or a duration above 0, not %q", value)
		}
		return only(FaultStatus)
	case "status":
		if f.Status, err = strconv.Atoi(value); err != nil || f.Status < 200 || f.Status > 599 {
			return fmt.Errorf("status must be 200 to 599, not %q", value)
		}
		return only(FaultHTML, FaultEmpty)
	case "code":
		f.Code = value
		return only(FaultStatus)
	case "message":
		f.Message = value
		return only(FaultStatus)
	}
	return fmt.Errorf("unknown key %q", key)
}

// String is the rule as ParseFault reads it.
func (f Fault) String() string {
	var b strings.Builder
	switch f.Kind {
	case FaultStatus:
		b.WriteString(strconv.Itoa(f.Status))
	case FaultLatency:
		b.WriteString("latency=" + f.Delay.String())
	default:
		b.WriteString(string(f.Kind))
	}
	mark := ":"
	put := func(present bool, key, value string) {
		if present {
			b.WriteString(mark + key + "=" + value)
			mark = ","
		}
	}
	put(f.Method != "", "method", f.Method)
	put(f.Path != "", "path", f.Path)
	put(f.Skip > 0, "skip", strconv.FormatInt(f.Skip, 10))
	put(f.Count > 0, "count", strconv.FormatInt(f.Count, 10))
	put(f.Every > 0, "every", strconv.FormatInt(f.Every, 10))
	put(f.Probability > 0, "probability", strconv.FormatFloat(f.Probability, 'g', -1, 64))
	put(f.Seed > 0, "seed", strconv.FormatUint(f.Seed, 10))
	put(f.After, "when", "after")
	put(f.RetryAfter > 0, "retry-after", f.RetryAfter.String())
	put(f.Status > 0 && f.Kind != FaultStatus, "status", strconv.Itoa(f.Status))
	put(f.Code != "", "code", f.Code)
	put(f.Message != "", "message", f.Message)
	return b.String()
}
