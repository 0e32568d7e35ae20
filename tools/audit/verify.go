package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"path/filepath"
	"slices"
	"time"
)

// Finding is something about one place of the log.
type Finding struct {
	File string
	Line int // from 1; 0: the file as a whole
	What string
}

func (f Finding) String() string {
	if f.Line == 0 {
		return f.File + ": " + f.What
	}
	return fmt.Sprintf("%s, line %d: %s", f.File, f.Line, f.What)
}

// Report is what Verify found.
type Report struct {
	Files    []string // oldest first
	Lines    int64    // of the log: torn ones are not counted
	First    time.Time
	Last     time.Time
	Problems []Finding // none: nothing was changed, cut, inserted or moved
	Notes    []Finding // lines left unfinished, files removed as set, and what the log says of itself
}

// OK says that nothing was changed.
func (r *Report) OK() bool { return len(r.Problems) == 0 }

// place is where a line stands.
type place struct {
	file string
	line int
}

func (p place) String() string { return fmt.Sprintf("%s, line %d", filepath.Base(p.file), p.line) }

// broken is a line whose prev is not the hash of the line before.
type broken struct {
	at, after place // after: the line before; its zero value: none
	prev      digest
	problem   int // in Problems: what it is called is known only in the end
}

type verifier struct {
	report Report
	hash   hash.Hash

	last   digest // hash of the last line
	also   digest // what it would be, if the line itself was changed
	lastAt place
	first  digest // prev of the first line
	breaks []broken
	files  map[string]bool // FirstPrev of repair lines

	junk     []byte // the bytes since the last line that are no lines of the log
	junkAt   place
	junkSeen bool // whether a whole line, though not of the log, is among it

	headLost bool
}

// Verify goes through all files of the log at path, oldest first. Its error
// says that they cannot be read; what it finds in them is in the report.
func Verify(path string) (Report, error) {
	v := &verifier{hash: sha256.New(), last: genesis, also: genesis, files: map[string]bool{}}
	s, err := takeSnapshot(path)
	if err != nil {
		return v.report, err
	}
	defer s.close()
	v.report.Files = s.names
	for _, name := range s.names {
		if err := v.file(s, name); err != nil {
			return v.report, err
		}
	}
	v.end()
	if err := v.explain(s); err != nil {
		return v.report, err
	}
	return v.report, nil
}

func (v *verifier) problem(at place, format string, args ...any) {
	v.report.Problems = append(v.report.Problems, Finding{File: at.file, Line: at.line, What: fmt.Sprintf(format, args...)})
}

func (v *verifier) note(at place, format string, args ...any) {
	v.report.Notes = append(v.report.Notes, Finding{File: at.file, Line: at.line, What: fmt.Sprintf(format, args...)})
}

func (v *verifier) file(s *snapshot, name string) error {
	return s.lines(name, func(number int, line []byte) {
		v.line(place{name, number}, line)
	})
}

// line takes one line, with its newline if it has one.
func (v *verifier) line(at place, line []byte) {
	text := bytes.TrimSuffix(line, []byte("\n"))
	s, ok := unseal(text, v.hash)
	if !ok || len(text) == len(line) {
		if len(v.junk) == 0 {
			v.junkAt = at
		}
		v.junk = append(v.junk, line...)
		v.junkSeen = v.junkSeen || len(text) < len(line) && json.Valid(text)
		return
	}
	var head struct {
		Time      time.Time       `json:"time"`
		Event     string          `json:"event"`
		Say       string          `json:"say"`
		Arguments json.RawMessage `json:"arguments"`
	}
	valid := json.Unmarshal(text, &head) == nil
	var r repair
	if head.Event == eventRepair {
		valid = valid && json.Unmarshal(head.Arguments, &r) == nil
	}
	whole := s.whole() && valid
	v.checkJunk(at, r, whole)
	if !whole {
		v.problem(at, "it was changed: its content does not match its hash.")
	}
	switch {
	case v.report.Lines == 0:
		v.first = s.prev
	case s.prev != v.last && s.prev != v.also:
		v.breaks = append(v.breaks, broken{at: at, after: v.lastAt, prev: s.prev, problem: len(v.report.Problems)})
		v.problem(at, "")
	}
	if whole && head.Event == eventRepair {
		v.note(at, "%s", head.Say)
		v.headLost = v.headLost || r.HeadLost
		if r.FirstPrev != "" {
			v.files[r.FirstPrev] = true
		}
	}
	v.last, v.also, v.lastAt = s.hash, s.sum, at
	if v.report.Lines == 0 {
		v.report.First = head.Time
	}
	v.report.Last = head.Time
	v.report.Lines++
}

// checkJunk holds what stood before the line against what the line says of it.
func (v *verifier) checkJunk(at place, r repair, whole bool) {
	sum := sha256.Sum256(v.junk)
	owned := whole && r.TornBytes == int64(len(v.junk)) && (len(v.junk) == 0 || r.TornSHA256 == hex.EncodeToString(sum[:]))
	switch {
	case len(v.junk) == 0 && r.TornBytes > 0:
		v.problem(at, "the unfinished line that it tells of, of %d bytes, was taken out or changed.", r.TornBytes)
	case len(v.junk) == 0:
	case owned && !v.junkSeen:
		v.note(v.junkAt, "it was left unfinished, by a process that was killed or a disk that was full.")
	default:
		v.foreign()
	}
	v.junk, v.junkSeen = v.junk[:0], false
}

func (v *verifier) foreign() {
	if v.junkSeen {
		v.problem(v.junkAt, "it is not of this log: it was inserted, or changed at its end.")
	} else {
		v.problem(v.junkAt, "it is not a whole line: it was inserted, cut or changed.")
	}
}

// end judges what stands behind the last line.
func (v *verifier) end() {
	switch {
	case len(v.junk) == 0:
	case v.junkSeen || v.junk[len(v.junk)-1] == '\n':
		v.foreign()
	default:
		v.note(v.junkAt, "it is unfinished: a process was killed here or the disk was full; the next line written will tell.")
	}
}

// explain finds out what each broken link means, and whether the end is there.
func (v *verifier) explain(s *snapshot) error {
	head, known := decodeHead(s.head)
	lost := v.first != genesis && v.report.Lines > 0 && !v.files[string(v.first[:])]
	if len(v.breaks) == 0 && !lost && known && head.hash == v.last {
		return nil
	}
	where := map[digest]place{}
	var order int
	index := map[place]int{}
	for _, name := range s.names {
		err := s.lines(name, func(number int, line []byte) {
			if u, ok := unseal(bytes.TrimSuffix(line, []byte("\n")), v.hash); ok {
				at := place{name, number}
				where[u.hash] = at
				index[at] = order
				order++
			}
		})
		if err != nil {
			return err
		}
	}
	for _, b := range v.breaks {
		before, there := where[b.prev]
		what := &v.report.Problems[b.problem].What
		switch {
		case b.prev == genesis:
			*what = fmt.Sprintf("it begins a log of its own: what stands before it, up to %s, was put there, or the log was begun anew.", b.after)
		case !there:
			*what = fmt.Sprintf("it does not follow %s: lines between them were cut, or that line was replaced.", b.after)
		case index[before] < index[b.at]:
			*what = fmt.Sprintf("it follows %s: the lines between them were inserted or moved here.", before)
		default:
			*what = fmt.Sprintf("it follows %s, which stands behind it: the lines were put in another order.", before)
		}
	}
	if lost {
		what := "the beginning of the log is missing: the first line follows one that is not there."
		if before, there := where[v.first]; there {
			what = fmt.Sprintf("the first line follows %s: the lines were put in another order.", before)
		}
		v.report.Problems = slices.Insert(v.report.Problems, 0, Finding{File: s.names[0], Line: 1, What: what})
	}
	v.checkHead(s, head, known, where, index, order)
	return nil
}

// checkHead compares the last line with what the head says it is.
func (v *verifier) checkHead(s *snapshot, h head, known bool, where map[digest]place, index map[place]int, lines int) {
	end := v.lastAt
	if end.file == "" {
		end.file = s.path
	}
	at, there := where[h.hash]
	switch {
	case !known && len(s.head) == 0 && v.report.Lines == 0:
	case !known:
		v.problem(place{file: headPath(s.path)}, "it is missing or was changed: whether lines were cut from the end cannot be told.")
	case h.hash == v.last:
	case there && !slices.ContainsFunc(v.breaks, func(b broken) bool { return index[b.at] > index[at] }):
		v.note(end, "the head knows the log up to %s, %d lines before: a process was killed before it could tell.", at, lines-1-index[at])
	case there:
		v.problem(end, "the last line ought to be what is %s now: the end was cut or put in another order.", at)
	case h.lines > v.report.Lines && v.first == genesis && !v.headLost:
		missing := "1 line is"
		if n := h.lines - v.report.Lines; n > 1 {
			missing = fmt.Sprintf("%d lines are", n)
		}
		v.problem(end, "the end was cut: %s missing after it.", missing)
	default:
		v.problem(end, "the end was cut or changed: the last line that was written, with the hash %s, is not there.", h.hash[:])
	}
}
