package metrics

import (
	"io"
	"strconv"
	"sync/atomic"
	"time"
)

// bounds are the upper bounds of the buckets: from a call that asks nobody to the
// longest that a tool may take, 50 s.
var bounds = [...]time.Duration{
	time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 25 * time.Second, 50 * time.Second,
}

// histogram is one of Prometheus: buckets that each count all up to their bound.
type histogram struct {
	counts [len(bounds) + 1]atomic.Uint64 // each on its own; the last is beyond all bounds
	sum    atomic.Int64                   // nanoseconds
}

func (h *histogram) observe(took time.Duration) {
	i := 0
	for i < len(bounds) && took > bounds[i] {
		i++
	}
	h.counts[i].Add(1)
	h.sum.Add(int64(took))
}

func (h *histogram) write(w io.Writer, family, label string) {
	var text []byte
	line := func(name, le string, value string) {
		text = append(append(text, family...), name...)
		text = append(append(append(text, '{'), label...), le...)
		text = append(append(append(text, "} "...), value...), '\n')
	}
	var total uint64 // of what was read: the count must be that of the last bucket
	for i := range h.counts {
		total += h.counts[i].Load()
		le := "+Inf"
		if i < len(bounds) {
			le = seconds(bounds[i])
		}
		line("_bucket", `,le="`+le+`"`, strconv.FormatUint(total, 10))
	}
	line("_sum", "", seconds(time.Duration(h.sum.Load())))
	line("_count", "", strconv.FormatUint(total, 10))
	_, _ = w.Write(text) // to a page that may be given up
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'g', -1, 64) }
