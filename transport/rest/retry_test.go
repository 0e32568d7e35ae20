package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"brickmcp/catalog"

	"github.com/google/uuid"
	"github.com/tidwall/gjson"
)

// ok is the answer after a failure.
var ok = answer(200, `{"run_id":7}`)

// TestRepeats is the table of what may be repeated: every effect against every
// kind of failure, each of which passes after the first attempt.
func TestRepeats(t *testing.T) {
	rows := []*catalog.Row{getJob, startWh, createJob, updateJob, resetJob, deleteJob, execute, runNow}
	all := "jobs_get warehouses_start jobs_create jobs_update jobs_reset jobs_delete sql_execute_statement jobs_run_now"
	safe := "jobs_get warehouses_start jobs_update jobs_reset jobs_delete jobs_run_now"
	cases := []struct {
		name    string
		first   reply
		repeats string // the rows whose call is sent again
		kind    catalog.Kind
		unknown bool // rows that change something and are not repeated do not know their fate
	}{
		{"429", coded(429, "REQUEST_LIMIT_EXCEEDED", "slow down"), all, "", false},
		{"429 without a body", answer(429, ""), all, "", false},
		{"exhausted as 400", coded(400, "RESOURCE_EXHAUSTED", "slow down"), all, "", false},
		{"connection refused", fails(errConnRefused), all, "", false},
		{"503", coded(503, "TEMPORARILY_UNAVAILABLE", "maintenance"), safe, catalog.Down, true},
		{"503 from a load balancer", answer(503, "<html><body>Service Unavailable</body></html>"), safe, catalog.Down, true},
		{"reset", fails(errReset), safe, catalog.Down, true},
		{"truncated answer", truncated, safe, catalog.Down, true},
		{"half of the JSON", answer(200, `{"run_id":`), safe, catalog.Down, true},
		{"worker environment", coded(400, "BAD_REQUEST", "ClusterNotReadyException: not yet"), safe, catalog.Busy, true},
		{"server's own deadline", coded(400, "BAD_REQUEST", "Timed out after 15 seconds"), safe, catalog.Busy, true},
		{"500", coded(500, "INTERNAL_ERROR", "oops"), "jobs_get", catalog.Down, true},
		{"502", answer(502, ""), "jobs_get", catalog.Down, true},
		{"504", answer(504, "upstream request timeout"), "jobs_get", catalog.Down, true},
		{"400", coded(400, "INVALID_PARAMETER_VALUE", "no"), "", catalog.Invalid, false},
		{"403", coded(403, "PERMISSION_DENIED", "no"), "", catalog.Forbidden, false},
		{"404", coded(404, "RESOURCE_DOES_NOT_EXIST", "no"), "", catalog.Missing, false},
		{"409", coded(409, "RESOURCE_CONFLICT", "no"), "", catalog.Conflict, false},
		{"quota", coded(429, "QUOTA_EXCEEDED", "no"), "", catalog.Limited, false},
		{"500 that names the argument", coded(500, "INVALID_PARAMETER_VALUE", "no"), "", catalog.Invalid, false},
		{"unknown host", fails(errNoHost), "", catalog.Down, false},
	}
	for _, c := range cases {
		for _, r := range rows {
			t.Run(c.name+"/"+r.Name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := &wire{script: []reply{c.first, ok}}
					client := newClient(t, w)
					if strings.Contains(" "+c.repeats+" ", " "+r.Name+" ") {
						success(t, client, callOf(r))
						if w.count() != 2 || w.bodies[0] != w.bodies[1] {
							t.Errorf("sent %q", w.bodies)
						}
						return
					}
					e := failureOf(t, client, callOf(r))
					if w.count() != 1 {
						t.Fatalf("a call that may not be repeated was sent %d times", w.count())
					}
					want := c.kind
					if c.unknown && !r.Effect.Repeatable() {
						want = catalog.UnknownFate
						contains(t, "message", e.Message, "may or may not have taken effect")
						contains(t, "advice", e.Advice, r.Verify)
					}
					if e.Kind != want {
						t.Errorf("kind %q, want %q: %v", e.Kind, want, e)
					}
				})
			})
		}
	}
}

// A job is started once: whatever breaks, every attempt carries the same token.
func TestRunNowKeepsItsToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := map[string]bool{}
		w := &wire{}
		started := func(then reply) reply {
			return func(req *http.Request) (*http.Response, error) {
				runs[gjson.Get(w.bodies[len(w.bodies)-1], "idempotency_token").String()] = true
				return then(req)
			}
		}
		w.script = []reply{started(fails(errReset)), started(coded(503, "TEMPORARILY_UNAVAILABLE", "x")), started(truncated), answer(429, ""), started(ok)}
		call := callOf(runNow)
		success(t, newClient(t, w), call)
		if len(runs) != 1 || w.count() != 5 {
			t.Errorf("%d runs in %d attempts: %v", len(runs), w.count(), runs)
		}
		for key := range runs {
			if _, err := uuid.Parse(key); err != nil {
				t.Errorf("token %q is no UUID", key)
			}
		}
		if string(call.Body) != `{"job_id":42}` || call.Keyed {
			t.Errorf("the caller's call was changed: %s", call.Body)
		}
	})
}

func TestUnknownFateTellsTheToken(t *testing.T) {
	w := &wire{script: []reply{coded(500, "INTERNAL_ERROR", "oops")}}
	e := failureOf(t, newClient(t, w), callOf(runNow))
	key := gjson.Get(w.bodies[0], "idempotency_token").String()
	if e.Kind != catalog.UnknownFate || key == "" {
		t.Fatalf("%+v", e)
	}
	contains(t, "advice", e.Advice, runNow.Verify, `"idempotency_token": "`+key+`"`)
}

func TestWithKey(t *testing.T) {
	for body, want := range map[string]string{
		``:                         `{"idempotency_token":"*"}`,
		`{}`:                       `{"idempotency_token":"*"}`,
		` { } `:                    `{"idempotency_token":"*"}`,
		`{"a":1}`:                  `{"idempotency_token":"*","a":1}`,
		`{"idempotency_token":""}`: `{"idempotency_token":"*"}`,
		`{"a":1,"idempotency_token": null ,"b":2}`: `{"a":1,"idempotency_token": "*" ,"b":2}`,
		`{"idempotency_token":"mine"}`:             `{"idempotency_token":"mine"}`,
	} {
		call := &catalog.Call{Row: runNow, Body: []byte(body)}
		keyed := withKey(call)
		got := string(keyed.Body)
		if key := keyOf(keyed); key != "mine" {
			got = strings.Replace(got, key, "*", 1)
		}
		if strings.TrimSpace(got) != want || !keyed.Keyed || !gjson.ValidBytes(keyed.Body) {
			t.Errorf("%s became %s, want %s", body, got, want)
		}
		if string(call.Body) != body {
			t.Errorf("%s was changed in place", body)
		}
	}
}

func TestRepeatedDelete(t *testing.T) {
	missing := coded(404, "RESOURCE_DOES_NOT_EXIST", "Job 42 does not exist")
	for _, c := range []struct {
		name   string
		script []reply
		gone   bool
	}{
		{"gone after a lost answer", []reply{fails(errReset), missing}, true},
		{"never there", []reply{missing}, false},
		{"never there, after 429", []reply{answer(429, ""), missing}, false},
		{"no such route, after a lost answer", []reply{fails(errReset), coded(404, "ENDPOINT_NOT_FOUND", "x")}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := newClient(t, &wire{script: c.script})
				if c.gone {
					success(t, client, callOf(deleteJob))
				} else if e := failureOf(t, client, callOf(deleteJob)); e.Kind != catalog.Missing {
					t.Errorf("%+v", e)
				}
			})
		})
	}
}

func TestDoubtIsRemembered(t *testing.T) {
	exists := coded(409, "RESOURCE_ALREADY_EXISTS", "it exists")
	for _, c := range []struct {
		name   string
		row    *catalog.Row
		script []reply
		kind   catalog.Kind
		says   string
	}{
		{"own success answered as conflict", resetJob, []reply{fails(errReset), exists}, catalog.Conflict, "may be its own effect"},
		{"lost, then unreachable", runNow, []reply{fails(errReset), fails(errConnRefused)}, catalog.UnknownFate, "may or may not"},
		{"lost, then refused", runNow, []reply{fails(errReset), coded(400, "INVALID_PARAMETER_VALUE", "no")}, catalog.Invalid, "lost its answer"},
		{"never sent", runNow, []reply{fails(errConnRefused)}, catalog.Down, "after 5 attempts"},
		{"a safe write that stays lost", resetJob, []reply{fails(errReset)}, catalog.Down, "is safe"},
		{"a read that stays lost", getJob, []reply{fails(errReset)}, catalog.Down, "broke the connection"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := failureOf(t, newClient(t, &wire{script: c.script}), callOf(c.row))
				if e.Kind != c.kind {
					t.Errorf("kind %q, want %q", e.Kind, c.kind)
				}
				contains(t, "error", e.Error(), c.says)
				if c.row == getJob && strings.Contains(e.Error(), "taken effect") {
					t.Errorf("a read takes no effect: %v", e)
				}
			})
		})
	}
}

func TestTries(t *testing.T) {
	for _, c := range []struct {
		name  string
		reply reply
		tries int
	}{{"500", answer(500, ""), serverTries}, {"reset", fails(errReset), networkTries}} {
		synctest.Test(t, func(t *testing.T) {
			w := &wire{script: []reply{c.reply}}
			e := failureOf(t, newClient(t, w), callOf(getJob))
			if w.count() != c.tries {
				t.Errorf("%s: %d attempts, want %d", c.name, w.count(), c.tries)
			}
			contains(t, "message", e.Message, fmt.Sprintf("after %d attempts", c.tries))
		})
	}
}

// The pauses: what the workspace asks for, else exponential, never past the end.
func TestPauses(t *testing.T) {
	retryInfo := answer(429, `{"error_code":"RESOURCE_EXHAUSTED","message":"x","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retry_delay":"3.5s"}]}`)
	date := func(req *http.Request) (*http.Response, error) {
		return answer(503, "", "Retry-After: "+time.Now().Add(7*time.Second).UTC().Format(http.TimeFormat))(req)
	}
	for _, c := range []struct {
		name     string
		first    reply
		from, to time.Duration
	}{
		{"seconds", answer(429, "", "Retry-After: 4"), 4 * time.Second, 4250 * time.Millisecond},
		{"a date", date, 6 * time.Second, 7250 * time.Millisecond},
		{"RetryInfo", retryInfo, 3500 * time.Millisecond, 3750 * time.Millisecond},
		{"nothing", answer(429, ""), 750 * time.Millisecond, 1250 * time.Millisecond},
		{"zero", answer(429, "", "Retry-After: 0"), 750 * time.Millisecond, 1250 * time.Millisecond},
		{"nonsense", answer(429, "", "Retry-After: soon"), 750 * time.Millisecond, 1250 * time.Millisecond},
		{"a broken connection", fails(errReset), 75 * time.Millisecond, 125 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{script: []reply{c.first, ok}}
				var told time.Duration
				client := newClient(t, w, func(c *Config) {
					c.RateLimit = NoRateLimit
					c.Waiting = func(_ context.Context, reason string, wait time.Duration) {
						contains(t, "reason", reason, "jobs_get: the workspace", "attempt 2 follows")
						told = wait
					}
				})
				success(t, client, callOf(getJob))
				waited := w.sent[1].Sub(w.sent[0])
				if waited < c.from || waited > c.to {
					t.Errorf("waited %s, want %s to %s", waited, c.from, c.to)
				}
				if waited > longWait && told != waited || waited <= longWait && told != 0 {
					t.Errorf("told of %s at a wait of %s", told, waited)
				}
			})
		})
	}
}

func TestBackoffGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{script: []reply{answer(503, "")}}
		began := time.Now()
		e := failureOf(t, newClient(t, w, func(c *Config) { c.RateLimit = NoRateLimit }), callOf(getJob))
		if took := time.Since(began); took > retryBudget {
			t.Errorf("took %s", took)
		}
		if n := w.count(); n < 6 || n > 10 {
			t.Errorf("%d attempts", n)
		}
		for i, base := range []time.Duration{1, 2, 4, 8, 10} {
			base *= time.Second
			gap := w.sent[i+1].Sub(w.sent[i])
			if gap < base*3/4 || gap > base*5/4 {
				t.Errorf("pause %d is %s, want about %s", i+1, gap, base)
			}
		}
		contains(t, "advice", e.Advice, "Call again in about")
	})
}

// Nobody sleeps for an answer that would come too late.
func TestNeverPastTheDeadline(t *testing.T) {
	for _, c := range []struct {
		name     string
		deadline time.Duration
		after    string
		kind     catalog.Kind
		status   int
	}{
		{"the caller's", 5 * time.Second, "20", catalog.Limited, 429},
		{"the call's own", time.Hour, "51", catalog.Limited, 429},
		{"down", 5 * time.Second, "20", catalog.Down, 503},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{script: []reply{answer(c.status, "", "Retry-After: "+c.after)}}
				ctx, cancel := context.WithTimeout(t.Context(), c.deadline)
				defer cancel()
				began := time.Now()
				_, err := newClient(t, w).Do(ctx, callOf(getJob))
				e := catalog.AsError(err)
				if e.Kind != c.kind || time.Since(began) != 0 || w.count() != 1 {
					t.Errorf("after %s and %d attempts: %+v", time.Since(began), w.count(), e)
				}
				contains(t, "advice", e.Advice, "Call again in about "+c.after)
			})
		})
	}
}

func TestTimeIsUp(t *testing.T) {
	for _, c := range []struct {
		row  *catalog.Row
		kind catalog.Kind
		says string
	}{
		{getJob, catalog.Busy, "did not answer in the time"},
		{resetJob, catalog.Busy, "is safe"},
		{execute, catalog.UnknownFate, execute.Verify},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := &wire{script: []reply{hang}}
			client := newClient(t, w)
			began := time.Now()
			e := failureOf(t, client, callOf(c.row))
			if e.Kind != c.kind || time.Since(began) != callLimit || w.count() != 1 {
				t.Errorf("%s: after %s: %+v", c.row.Name, time.Since(began), e)
			}
			contains(t, "error", e.Error(), c.says)

			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			began = time.Now()
			_, err := client.Do(ctx, callOf(c.row))
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 3*time.Second {
				t.Errorf("after %s: %v", time.Since(began), err)
			}
		})
	}
}

func TestCancelled(t *testing.T) {
	for _, c := range []struct {
		name   string
		row    *catalog.Row
		script []reply
		kind   catalog.Kind
		says   string
	}{
		{"a read under way", getJob, []reply{hang}, catalog.Busy, "cancelled"},
		{"a write under way", execute, []reply{hang}, catalog.UnknownFate, "may or may not have taken effect"},
		{"a safe write under way", resetJob, []reply{hang}, catalog.Busy, "may or may not have taken effect"},
		{"in a pause, nothing done", execute, []reply{answer(429, "", "Retry-After: 30")}, catalog.Busy, "cancelled"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(2*time.Second, cancel)
				began := time.Now()
				_, err := newClient(t, &wire{script: c.script}).Do(ctx, callOf(c.row))
				if !errors.Is(err, context.Canceled) || time.Since(began) != 2*time.Second {
					t.Fatalf("after %s: %v", time.Since(began), err)
				}
				e := catalog.AsError(err)
				if e.Kind != c.kind {
					t.Errorf("kind %q, want %q", e.Kind, c.kind)
				}
				contains(t, "error", e.Error(), c.says)
				if strings.HasPrefix(c.name, "in a pause") && strings.Contains(e.Error(), "taken effect") {
					t.Errorf("a 429 takes no effect: %v", e)
				}
			})
		})
	}
}

func TestCancelledBeforeItIsSent(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := &wire{script: []reply{ok}}
	_, err := newClient(t, w).Do(ctx, callOf(execute))
	if e := catalog.AsError(err); w.count() != 0 || e.Kind != catalog.Busy || !errors.Is(err, context.Canceled) {
		t.Errorf("%d sent, %+v", w.count(), e)
	}
}
