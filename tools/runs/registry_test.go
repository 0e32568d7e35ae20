package runs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"brickmcp/catalog"
)

func kept(t testing.TB, g *Registry, owner Owner, text string) *Run {
	t.Helper()
	run := &Run{Owner: owner, Request: Request{Input: task().Input}, Status: Completed}
	run.Items = append(run.Items, message(text))
	unlock, err := g.add(context.Background(), run)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	return run
}

func every(*Run) (bool, bool) { return true, false }

func TestRunsAreTheirOwners(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		g := New(dir)
		if g.Durable() != (dir != "") {
			t.Error("says wrongly whether it lasts")
		}
		run := kept(t, g, gatewayUser, "secret")
		for _, other := range []Owner{{gatewayUser.Host, "ben@example.com"}, {"https://other.example", gatewayUser.User}} {
			_, err := g.get(other, run.ID)
			checkError(t, err, catalog.Missing)
			if listed, err := g.List(other, "", every); err != nil || len(listed.Runs) != 0 {
				t.Errorf("another sees %v, %v", listed.Runs, err)
			}
		}
		if _, err := g.get(gatewayUser, run.ID); err != nil {
			t.Error(err)
		}
		for _, bad := range []string{"", "run_", "../../x", strings.Repeat("a", 500), strings.ToUpper(run.ID), run.ID + "x"} {
			_, err := g.get(gatewayUser, bad)
			checkError(t, err, catalog.Missing)
		}
	}
	// A record moved into another's directory is still not theirs.
	dir := t.TempDir()
	g := New(dir)
	run := kept(t, g, gatewayUser, "secret")
	ben := Owner{gatewayUser.Host, "ben@example.com"}
	kept(t, g, ben, "own")
	record, err := g.shelf(gatewayUser).read(run.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.shelf(ben).write(run.ID, record); err != nil {
		t.Fatal(err)
	}
	_, err = g.get(ben, run.ID)
	checkError(t, err, catalog.Missing)
}

func TestRecordsArePrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows keeps no such modes")
	}
	dir := t.TempDir()
	g := New(dir)
	kept(t, g, gatewayUser, "x")
	err := filepath.WalkDir(filepath.Join(dir, "runs"), func(path string, d os.DirEntry, err error) error {
		info, infoErr := d.Info()
		if err != nil || infoErr != nil {
			t.Fatal(err, infoErr)
		}
		want := os.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %s", path, info.Mode())
		}
		if strings.Contains(path, "ana") || strings.HasSuffix(path, ".tmp") {
			t.Errorf("%s is left or says too much", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestDamagedRecords(t *testing.T) {
	g := New(t.TempDir())
	whole := kept(t, g, gatewayUser, "whole")
	for _, damage := range []string{"", "{", `{"version":1}`, `{"version":99,"run_id":"x","status":"completed"}`, "null"} {
		run := kept(t, g, gatewayUser, "x")
		if err := g.shelf(gatewayUser).write(run.ID, []byte(damage)); err != nil {
			t.Fatal(err)
		}
		_, err := g.get(gatewayUser, run.ID)
		checkError(t, err, catalog.Internal, "damaged")
	}
	listed, err := g.List(gatewayUser, "", every)
	if err != nil || len(listed.Runs) != 1 || listed.Runs[0].ID != whole.ID || listed.Damaged != 5 {
		t.Errorf("%d runs, %d damaged, %v", len(listed.Runs), listed.Damaged, err)
	}
}

func TestOldRunsAreDropped(t *testing.T) {
	dir := t.TempDir()
	g := New(dir)
	old, used, young := kept(t, g, gatewayUser, "old"), kept(t, g, gatewayUser, "used"), kept(t, g, gatewayUser, "young")
	f := g.shelf(gatewayUser).(files)
	back := time.Now().Add(-keepTime - time.Hour)
	// An id says when its run began; the file, when it was last changed.
	aged := func(run *Run) string {
		id := newID(back)
		record, err := f.read(run.ID)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.write(id, []byte(strings.ReplaceAll(string(record), run.ID, id))); err != nil {
			t.Fatal(err)
		}
		return id
	}
	oldID, usedID := aged(old), aged(used)
	if err := os.Chtimes(f.path(oldID), back, back); err != nil {
		t.Fatal(err)
	}
	litter := filepath.Join(f.dir, "."+young.ID+".1.tmp")
	foreign := filepath.Join(f.dir, "notes.txt")
	for _, name := range []string{litter, foreign} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, back, back); err != nil {
			t.Fatal(err)
		}
	}
	// A start that was refused leaves its lock alone behind.
	refused := newID(back)
	for _, id := range []string{refused, refused + heldSuffix, usedID, young.ID} {
		if err := os.WriteFile(filepath.Join(f.dir, "locks", id), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f.sweep(time.Now(), keepTime)
	for id, want := range map[string]bool{refused: false, refused + heldSuffix: false, usedID: true, young.ID: true} {
		if _, err := os.Stat(filepath.Join(f.dir, "locks", id)); (err == nil) != want {
			t.Errorf("the lock %s is there: %t", id, err == nil)
		}
	}
	for id, want := range map[string]bool{oldID: false, usedID: true, young.ID: true} {
		if _, err := f.read(id); (err == nil) != want {
			t.Errorf("%s is there: %t", id, err == nil)
		}
	}
	if _, err := os.Stat(litter); err == nil {
		t.Error("litter is left")
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Error("a file that is not ours is gone")
	}
}

// A run is kept for 30 days after its last change, on disk and in memory.
func TestKeptSinceTheLastChange(t *testing.T) {
	for _, dir := range []string{"", "disk"} {
		synctest.Test(t, func(t *testing.T) {
			if dir != "" {
				dir = t.TempDir()
			}
			g := New(dir)
			run := kept(t, g, gatewayUser, "x")
			time.Sleep(keepTime - time.Hour)
			if err := g.put(run); err != nil {
				t.Fatal(err)
			}
			changed := time.Now()
			if !run.Expires().Equal(changed.Add(keepTime)) {
				t.Errorf("expires %s, changed %s", run.Expires(), changed)
			}
			time.Sleep(keepTime - time.Second)
			if _, err := g.get(gatewayUser, run.ID); err != nil {
				t.Errorf("dropped too early: %v", err)
			}
			time.Sleep(time.Second)
			_, err := g.get(gatewayUser, run.ID)
			checkError(t, err, catalog.Missing, "no run")
			if _, err := g.shelf(gatewayUser).read(run.ID); err != nil {
				t.Fatal("it was to be swept by the next list")
			}
			if dir != "" { // files have the time of the machine
				if err := os.Chtimes(g.shelf(gatewayUser).(files).path(run.ID), changed, changed); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := g.List(gatewayUser, "", every); err != nil {
				t.Fatal(err)
			}
			if _, err := g.shelf(gatewayUser).read(run.ID); err == nil {
				t.Error("the record is still there")
			}
		})
	}
}

// What somebody is going on with is not dropped.
func TestSweepLeavesWhatIsLocked(t *testing.T) {
	g := New(t.TempDir())
	run := kept(t, g, gatewayUser, "x")
	f := g.shelf(gatewayUser).(files)
	unlock, err := f.tryLock(run.ID)
	if err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(2 * keepTime)
	f.sweep(later, keepTime)
	if _, err := f.read(run.ID); err != nil {
		t.Error("dropped under its lock")
	}
	unlock()
	f.sweep(later, keepTime)
	if _, err := f.read(run.ID); err == nil {
		t.Error("still there")
	}
}

func TestListIsNewestFirstInPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, dir := range []string{"", t.TempDir()} {
			g := New(dir)
			for i := range 7 {
				time.Sleep(time.Second)
				kept(t, g, gatewayUser, fmt.Sprint(i))
			}
			var got []string
			after := ""
			for page := 0; ; page++ {
				n := 0
				listed, err := g.List(gatewayUser, after, func(*Run) (bool, bool) { n++; return true, n > 3 })
				if err != nil || page > 5 {
					t.Fatal(err)
				}
				for _, run := range listed.Runs {
					got = append(got, run.OutputText())
				}
				if after = listed.Next; after == "" {
					break
				}
			}
			if want := "6 5 4 3 2 1 0"; strings.Join(got, " ") != want {
				t.Errorf("listed %v", got)
			}
		}
	})
}

func TestIDsSortByTime(t *testing.T) {
	last := ""
	for _, at := range []time.Time{time.UnixMilli(0), time.UnixMilli(1), time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC), time.Date(2026, 11, 22, 0, 0, 0, 1e6, time.UTC), time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC)} {
		id := newID(at)
		if !validID(id) || id <= last || !began(id).Equal(at) {
			t.Errorf("%s of %s: valid %t, began %s", id, at, validID(id), began(id))
		}
		last = id
	}
}

func TestMemoryLocks(t *testing.T) {
	m := newMemory()
	unlock, err := m.lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.tryLock("a"); err != errBusy {
		t.Errorf("taken twice: %v", err)
	}
	unlock()
	if unlock, err = m.tryLock("a"); err != nil {
		t.Error(err)
	}
	unlock()
}

// A directory with very many runs is listed fast: only a page of files is read.
func TestListOfThousands(t *testing.T) {
	if testing.Short() {
		t.Skip("10,000 files take a while to write: not with -short")
	}
	g := New(t.TempDir())
	f := g.shelf(gatewayUser).(files)
	if err := f.open(); err != nil {
		t.Fatal(err)
	}
	run := kept(t, g, gatewayUser, strings.Repeat("x", 5000))
	record, err := f.read(run.ID)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10_000 {
		id := newID(time.Now().Add(-time.Duration(i+1) * time.Second))
		if err := os.WriteFile(f.path(id), []byte(strings.Replace(string(record), run.ID, id, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	listed, err := g.List(gatewayUser, "", func(*Run) (bool, bool) { n++; return true, n > 50 })
	if err != nil || len(listed.Runs) != 50 || listed.Runs[0].ID != run.ID {
		t.Fatalf("%d runs, %v", len(listed.Runs), err)
	}
	if n != 51 { // one behind the page tells that there is more
		t.Errorf("%d records were read for a page of 50", n)
	}
}
