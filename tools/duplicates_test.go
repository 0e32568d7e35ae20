package tools

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"brickmcp/catalog"
)

func made(id string, count *atomic.Int32) func(context.Context) ([]byte, error) {
	return func(context.Context) ([]byte, error) {
		count.Add(1)
		return []byte(`{"job_id":"` + id + `"}`), nil
	}
}

func failingWith(kind catalog.Kind, count *atomic.Int32) func(context.Context) ([]byte, error) {
	return func(context.Context) ([]byte, error) {
		count.Add(1)
		return nil, &catalog.Error{Kind: kind, Message: "jobs_create on job a: no answer", Advice: "look"}
	}
}

var someCreate = binding{User: "ana@example.com", Workspace: "w", Tool: "jobs_create", Arguments: []byte(`{"name":"a"}`)}

func TestDuplicateIsAnsweredByTheFirst(t *testing.T) {
	now := time.Unix(1000, 0)
	d := newDuplicates(func() time.Time { return now })
	var count atomic.Int32
	call := func(b binding, force bool, want string, duplicate bool) {
		t.Helper()
		id := fmt.Sprint(count.Load() + 1)
		answer, got, err := d.do(t.Context(), b, force, made(id, &count))
		if err != nil || got != duplicate || string(answer) != `{"job_id":"`+want+`"}` {
			t.Errorf("answer %s, duplicate %v, %v; want job %s, %v", answer, got, err, want, duplicate)
		}
		clear(answer) // the caller's own: what is remembered must not change
	}
	call(someCreate, false, "1", false)
	call(someCreate, false, "1", true)
	withForce := someCreate
	withForce.Arguments = []byte(`{"force":false,"name":"a"}`)
	call(withForce, false, "1", true)
	for _, change := range []func(*binding){
		func(b *binding) { b.User = "ben@example.com" }, func(b *binding) { b.Workspace = "x" },
		func(b *binding) { b.Tool = "clusters_create" }, func(b *binding) { b.Arguments = []byte(`{"name":"b"}`) },
	} {
		other := someCreate
		change(&other)
		call(other, false, fmt.Sprint(count.Load()+1), false)
	}
	now = now.Add(duplicateTime - time.Second)
	call(someCreate, false, "1", true)
	call(someCreate, true, "6", false)
	call(someCreate, false, "6", true)
	now = now.Add(duplicateTime)
	call(someCreate, false, "7", false)
}

func TestDuplicateOfAFailure(t *testing.T) {
	now := time.Unix(1000, 0)
	d := newDuplicates(func() time.Time { return now })
	var count atomic.Int32
	if _, _, err := d.do(t.Context(), someCreate, false, failingWith(catalog.Invalid, &count)); err == nil {
		t.Fatal("no error")
	}
	if _, duplicate, err := d.do(t.Context(), someCreate, false, made("1", &count)); err != nil || duplicate {
		t.Fatalf("a create that failed for sure is not forgotten: %v, %v", duplicate, err)
	}
	// A forced one that fails for sure leaves the memory of the one before.
	if _, _, err := d.do(t.Context(), someCreate, true, failingWith(catalog.Limited, &count)); err == nil {
		t.Fatal("no error")
	}
	if answer, duplicate, err := d.do(t.Context(), someCreate, false, made("2", &count)); err != nil || !duplicate || string(answer) != `{"job_id":"1"}` {
		t.Fatalf("%s, %v, %v", answer, duplicate, err)
	}
	other := someCreate
	other.Arguments = []byte(`{"name":"b"}`)
	before := count.Load()
	if _, _, err := d.do(t.Context(), other, false, failingWith(catalog.UnknownFate, &count)); err == nil {
		t.Fatal("no error")
	}
	_, _, err := d.do(t.Context(), other, false, made("3", &count))
	var e *catalog.Error
	if !errors.As(err, &e) || e.Kind != catalog.UnknownFate || !strings.Contains(e.Advice, "force=true") || !strings.Contains(e.Advice, "jobs_list") || !strings.Contains(e.Message, "no answer") {
		t.Errorf("a repeat of a create of unknown fate: %v", err)
	}
	if count.Load() != before+1 {
		t.Error("a create of unknown fate was made again")
	}
	if answer, duplicate, err := d.do(t.Context(), other, true, made("4", &count)); err != nil || duplicate || string(answer) != `{"job_id":"4"}` {
		t.Errorf("forced: %s, %v, %v", answer, duplicate, err)
	}
}

// While the first is under way the others wait, each as long as its own client
// does.
func TestDuplicatesWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDuplicates(time.Now)
		var count, duplicates atomic.Int32
		release := make(chan struct{})
		slow := func(ctx context.Context) ([]byte, error) {
			count.Add(1)
			<-release
			return []byte(`{"job_id":"1"}`), nil
		}
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				answer, duplicate, err := d.do(t.Context(), someCreate, false, slow)
				if err != nil || string(answer) != `{"job_id":"1"}` {
					t.Errorf("%s, %v", answer, err)
				}
				if duplicate {
					duplicates.Add(1)
				}
			})
		}
		synctest.Wait()
		impatient, cancel := context.WithCancel(t.Context())
		cancel()
		var e *catalog.Error
		if _, _, err := d.do(impatient, someCreate, false, slow); !errors.As(err, &e) || e.Kind != catalog.Busy || !errors.Is(err, context.Canceled) {
			t.Errorf("a waiter whose client left: %v", err)
		}
		close(release)
		wg.Wait()
		if count.Load() != 1 || duplicates.Load() != 49 {
			t.Errorf("%d creates, %d duplicates", count.Load(), duplicates.Load())
		}
	})
}

// A first call whose client left decides by its outcome: known, and one of those
// who wait goes on; unknown, and nobody does.
func TestFirstIsCancelled(t *testing.T) {
	for kind, creates := range map[catalog.Kind]int32{catalog.Busy: 2, catalog.UnknownFate: 1} {
		synctest.Test(t, func(t *testing.T) {
			d := newDuplicates(time.Now)
			var count atomic.Int32
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				_, _, _ = d.do(ctx, someCreate, false, func(ctx context.Context) ([]byte, error) {
					<-ctx.Done()
					return failingWith(kind, &count)(ctx)
				})
			}()
			synctest.Wait()
			var answers, errs atomic.Int32
			var wg sync.WaitGroup
			for range 5 {
				wg.Go(func() {
					if _, _, err := d.do(t.Context(), someCreate, false, made("2", &count)); err != nil {
						errs.Add(1)
					} else {
						answers.Add(1)
					}
				})
			}
			synctest.Wait()
			cancel()
			wg.Wait()
			if count.Load() != creates || (kind == catalog.UnknownFate) != (errs.Load() == 5) || answers.Load()+errs.Load() != 5 {
				t.Errorf("%s: %d creates, %d answers, %d errors", kind, count.Load(), answers.Load(), errs.Load())
			}
		})
	}
}

func TestPanicOfTheFirst(t *testing.T) {
	d := newDuplicates(time.Now)
	var count atomic.Int32
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_, _, _ = d.do(t.Context(), someCreate, false, func(context.Context) ([]byte, error) { panic("oh") })
	}()
	var e *catalog.Error
	if _, _, err := d.do(t.Context(), someCreate, false, made("1", &count)); !errors.As(err, &e) || e.Kind != catalog.UnknownFate || count.Load() != 0 {
		t.Errorf("after a panic: %v, %d creates", err, count.Load())
	}
}

func TestDuplicatesAreBounded(t *testing.T) {
	now := time.Unix(1000, 0)
	d := newDuplicates(func() time.Time { return now })
	var count atomic.Int32
	for i := range 3 * maxDuplicates {
		now = now.Add(time.Millisecond)
		b := someCreate
		b.Arguments = fmt.Appendf(nil, `{"name":"%d"}`, i)
		if _, _, err := d.do(t.Context(), b, false, made("1", &count)); err != nil {
			t.Fatal(err)
		}
	}
	if len(d.creates) > maxDuplicates {
		t.Errorf("%d are remembered", len(d.creates))
	}
	b := someCreate
	b.Arguments = fmt.Appendf(nil, `{"name":"%d"}`, 3*maxDuplicates-1)
	if _, duplicate, _ := d.do(t.Context(), b, false, made("2", &count)); !duplicate {
		t.Error("the newest gave way")
	}
}
