package runs

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"brickmcp/catalog"
)

const (
	recordVersion = 1
	// keepTime is how long a run is kept after its last change: as long as the
	// Supervisor keeps results (contract/supervisor.md, section 5).
	keepTime = 30 * 24 * time.Hour
	// sweepTime is how often old runs are looked for.
	sweepTime = time.Hour
	// lockTime is how long a call waits for another that changes the same run.
	lockTime = 5 * time.Second
)

// Registry keeps runs: a file for each below the state directory, which several
// processes share. It is safe for concurrent use.
type Registry struct {
	dir string // "": in memory

	mu      sync.Mutex
	shelves map[Owner]shelf // in memory
	swept   map[Owner]time.Time
	held    map[string]*Held // by run id, in this process
	signIns map[string]bool  // runs whose user was sent to sign in
	holding sync.WaitGroup
}

// New is a registry below a state directory, which is touched by the first run; ""
// keeps runs in memory, where a restart loses them.
func New(stateDir string) *Registry {
	g := &Registry{shelves: map[Owner]shelf{}, swept: map[Owner]time.Time{}, held: map[string]*Held{}, signIns: map[string]bool{}}
	if stateDir != "" {
		g.dir = filepath.Join(stateDir, "runs")
	}
	return g
}

// FirstSignIn is true for the first who asks it about a run in this process: its user
// is sent to sign in once.
func (g *Registry) FirstSignIn(id string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	first := !g.signIns[id]
	g.signIns[id] = true
	return first
}

// Durable reports whether runs outlive the process.
func (g *Registry) Durable() bool { return g.dir != "" }

// shelf is the place of an owner's runs; the name of its directory tells nothing.
func (g *Registry) shelf(owner Owner) shelf {
	if g.dir != "" {
		digest := sha256.Sum256([]byte(owner.Host + "\x00" + owner.User))
		return files{filepath.Join(g.dir, hex.EncodeToString(digest[:16]))}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shelves[owner] == nil {
		g.shelves[owner] = newMemory()
	}
	return g.shelves[owner]
}

// base32hex sorts as the bytes do.
var idEncoding = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

var idPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^run_[0-9a-v]{36}$`) })

func validID(id string) bool { return idPattern().MatchString(id) }

// newID sorts by time: a list needs no look into the files of other pages.
func newID(now time.Time) string {
	var clock [8]byte
	var random [16]byte
	binary.BigEndian.PutUint64(clock[:], uint64(now.UnixMilli())<<14) // 50 bits are 10 characters
	_, _ = rand.Read(random[:])                                       // never fails
	return "run_" + idEncoding.EncodeToString(clock[:])[:10] + idEncoding.EncodeToString(random[:])
}

// began is when a run with a valid id was made.
func began(id string) time.Time {
	clock, err := idEncoding.DecodeString(id[4:14] + "000")
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(clock) >> 14)).UTC()
}

// add writes a new run down and returns with its lock.
func (g *Registry) add(ctx context.Context, run *Run) (unlock func(), err error) {
	now := time.Now().UTC()
	run.Version, run.ID, run.Created, run.keeper = recordVersion, newID(now), now, g
	if unlock, err = g.lock(ctx, run.Owner, run.ID); err != nil {
		return nil, err
	}
	g.sweep(run.Owner, now)
	step("locked")
	if err := g.put(run); err != nil {
		unlock()
		return nil, notWritten("the run", err)
	}
	return unlock, nil
}

func notWritten(what string, err error) error {
	return &catalog.Error{Kind: catalog.Internal, Err: err, Message: what + " cannot be written down in the state directory: " + fault(err),
		Advice: "Nothing was sent. The person who runs this server must make its state directory writable."}
}

// fault is an error of the file system without the path.
func fault(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// get reads a run. Another owner's is missing.
func (g *Registry) get(owner Owner, id string) (*Run, error) {
	if !validID(id) {
		return nil, missing(id)
	}
	record, err := g.shelf(owner).read(id)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, missing(id)
	case err != nil:
		return nil, &catalog.Error{Kind: catalog.Internal, Err: err, Message: "run " + id + ": its record cannot be read: " + fault(err), Advice: "The person who runs this server must look at its state directory."}
	}
	run, err := g.decode(owner, id, record)
	if err != nil {
		return nil, &catalog.Error{Kind: catalog.Internal, Err: err, Message: "run " + id + ": its record is damaged: " + err.Error(), Advice: "The run may go on in the service, but cannot be reached from here. Other runs are not touched."}
	}
	if run == nil || !time.Now().Before(run.Expires()) {
		return nil, missing(id)
	}
	return run, nil
}

func missing(id string) error {
	if len(id) > 64 {
		id = strings.ToValidUTF8(id[:64], "") + "…"
	}
	return &catalog.Error{Kind: catalog.Missing, Message: fmt.Sprintf("there is no run %q of this user", id),
		Advice: "supervisor_list_runs shows the runs; they are kept for 30 days after their last change."}
}

// decode reads a record; nil when it is somebody else's.
func (g *Registry) decode(owner Owner, id string, record []byte) (*Run, error) {
	run := &Run{}
	if err := json.Unmarshal(record, run); err != nil {
		return nil, errors.New("it is no valid JSON")
	}
	switch {
	case run.Version > recordVersion:
		return nil, errors.New("a newer brickmcp wrote it")
	case run.Version < 1 || run.ID != id || run.Status == "":
		return nil, errors.New("it is no record of this run")
	case run.Owner != owner:
		return nil, nil
	}
	run.keeper = g
	return run, nil
}

// put writes the run, whatever the record is.
func (g *Registry) put(run *Run) error {
	run.Revision++
	run.Updated = time.Now().UTC()
	if run.Status.Ended() && run.Ended == nil {
		ended := run.Updated
		run.Ended = &ended
	}
	record, err := json.Marshal(run)
	if err != nil {
		return err
	}
	return g.shelf(run.Owner).write(run.ID, record)
}

// save is Run.Save, for whoever has the lock.
func (g *Registry) save(run *Run) error { return g.put(run) }

// lock is for whoever is going to send something, or to write.
func (g *Registry) lock(ctx context.Context, owner Owner, id string) (func(), error) {
	if !validID(id) {
		return nil, missing(id)
	}
	ctx, cancel := context.WithTimeout(ctx, lockTime)
	defer cancel()
	unlock, err := g.shelf(owner).lock(ctx, id)
	switch {
	case errors.Is(err, errBusy):
		return nil, &catalog.Error{Kind: catalog.Busy, Err: err, Message: "run " + id + ": another call is changing it", Advice: "Nothing was done. Look with supervisor_get_run in a few seconds what came of that."}
	case err != nil:
		return nil, notWritten("run "+id, err)
	}
	return unlock, nil
}

// replace writes a run down that was read without the lock, unless somebody wrote
// meanwhile: then ErrChanged, and the other's word holds.
func (g *Registry) replace(run *Run) error {
	unlock, err := g.shelf(run.Owner).tryLock(run.ID)
	if errors.Is(err, errBusy) {
		return ErrChanged
	}
	if err != nil {
		return err
	}
	defer unlock()
	now, err := g.get(run.Owner, run.ID)
	if err != nil {
		return err
	}
	if now.Revision != run.Revision || now.Sending != nil {
		return ErrChanged
	}
	return g.put(run)
}

// Sending reports whether the request that stands in the run's record is on its way
// right now, from whichever process.
func (g *Registry) Sending(run *Run) bool {
	return run.Sending != nil && g.sending(run.Owner, run.ID)
}

// sending reports whether the request that stands in the record is on its way right
// now. When it is not, whoever sent it died.
func (g *Registry) sending(owner Owner, id string) bool {
	unlock, err := g.shelf(owner).tryLock(id)
	if err == nil {
		unlock()
	}
	return errors.Is(err, errBusy)
}

func (g *Registry) sweep(owner Owner, now time.Time) {
	shelf := g.shelf(owner)
	g.mu.Lock()
	due := now.Sub(g.swept[owner]) >= sweepTime
	if due {
		g.swept[owner] = now
	}
	g.mu.Unlock()
	if due {
		shelf.sweep(now, keepTime)
	}
}

// Listed is one page of a list of runs.
type Listed struct {
	Runs    []*Run
	Next    string // id of the last run looked at, to go on behind; "": that was all
	Damaged int    // records that cannot be read and were left out
}

// maxLooks bounds how many records one page of a filtered list reads.
const maxLooks = 2000

// List is the runs of an owner behind the one called after, newest first, that
// fits accepts; it ends when fits says stop.
func (g *Registry) List(owner Owner, after string, fits func(*Run) (take, stop bool)) (Listed, error) {
	g.sweep(owner, time.Now())
	ids, err := g.shelf(owner).ids()
	if err != nil {
		return Listed{}, &catalog.Error{Kind: catalog.Internal, Err: err, Message: "the list of runs cannot be read: " + fault(err), Advice: "The person who runs this server must look at its state directory."}
	}
	if after != "" {
		end, _ := slices.BinarySearch(ids, after)
		ids = ids[:end]
	}
	var listed Listed
	last := after
	for i, looks := len(ids)-1, 0; i >= 0; i, looks = i-1, looks+1 {
		if looks == maxLooks {
			listed.Next = last
			break
		}
		run, err := g.get(owner, ids[i])
		if err != nil {
			if catalog.AsError(err).Kind != catalog.Missing { // else dropped meanwhile
				listed.Damaged++
			}
			last = ids[i]
			continue
		}
		take, stop := fits(run)
		if stop {
			listed.Next = last
			break
		}
		if take {
			listed.Runs = append(listed.Runs, run)
		}
		last = ids[i]
	}
	return listed, nil
}

// step is where a test kills the process.
var step = func(string) {}
