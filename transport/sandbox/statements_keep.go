package sandbox

import "time"

const (
	resultLife    = time.Hour      // of a result, from success
	statementLife = 12 * time.Hour // of a record, from its end
	linkLife      = 15 * time.Minute

	// What results may take together; beyond it the oldest are closed early.
	resultMemory = 32 << 20
	resultDisk   = 4 << 30

	// mostStatements bounds the records; beyond it the oldest that have ended
	// are forgotten early.
	mostStatements = 10000
)

// keep accounts for the result of a statement that has just ended; ss.mu is held.
func (ss *statements) keep(newest *statement) {
	ss.account(newest, +1)
	for _, s := range ss.order {
		if ss.memory <= resultMemory && ss.disk <= resultDisk {
			return
		}
		if s.result != nil && s != newest {
			ss.expire(s)
		}
	}
}

func (ss *statements) account(s *statement, sign int64) {
	if s.result != nil {
		memory, disk := s.result.content.footprint()
		ss.memory += sign * memory
		ss.disk += sign * disk
	}
}

// expire closes a statement and throws its result away.
func (ss *statements) expire(s *statement) {
	ss.account(s, -1)
	s.result.content.discard()
	s.state, s.result = statementClosed, nil
	s.failure = &statementError{"NOT_FOUND", "The result has expired; execute the statement again."}
}

// lapse closes s, or forgets it, when its time has come; ss.mu is held.
func (ss *statements) lapse(s *statement, now time.Time) (forgotten bool) {
	if s.ended.IsZero() {
		return false
	}
	age := now.Sub(s.ended)
	if s.state == statementSucceeded && age >= resultLife {
		ss.expire(s)
	}
	return age >= statementLife
}

// sweep lapses all statements, at most once a minute unless there are too many;
// ss.mu is held.
func (ss *statements) sweep(now time.Time) {
	surplus := len(ss.order) - mostStatements
	if surplus < 0 && now.Sub(ss.swept) < time.Minute {
		return
	}
	if surplus >= 0 {
		surplus += mostStatements / 10 // some more, so that it is not done each time
	}
	ss.swept = now
	rest := ss.order[:0]
	for _, s := range ss.order {
		forget := ss.lapse(s, now)
		if surplus > 0 && !s.ended.IsZero() {
			surplus--
			forget = true
		}
		if !forget {
			rest = append(rest, s)
			continue
		}
		if s.result != nil {
			ss.expire(s)
		}
		delete(ss.byID, s.id)
	}
	clear(ss.order[len(rest):])
	ss.order = rest
}
