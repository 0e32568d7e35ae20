package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// driver is a client of a server process that costs next to nothing itself: it
// writes requests as bytes and looks only for the id of an answer.
type driver struct {
	b   *testing.B
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader

	next    atomic.Int64
	mu      sync.Mutex // of writing and of waiting
	waiting map[int64]chan []byte
}

// spawn starts a server in an environment of its own. It says nothing to it.
func spawn(b *testing.B, environment []string, binary string, arguments ...string) *driver {
	b.Helper()
	d := &driver{b: b, cmd: exec.Command(binary, arguments...), waiting: map[int64]chan []byte{}}
	d.cmd.Env = append([]string{"HOME=" + os.TempDir(), "PATH=" + os.Getenv("PATH")}, environment...)
	d.cmd.Stderr = os.Stderr
	var err error
	if d.in, err = d.cmd.StdinPipe(); err != nil {
		b.Fatal(err)
	}
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	d.out = bufio.NewReaderSize(out, 1<<20)
	if err := d.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	return d
}

// hello does the handshake.
func (d *driver) hello() *driver {
	d.b.Helper()
	d.ask("initialize", `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}`)
	d.write([]byte(`{"jsonrpc":"2.0","method":"notifications/initialized"}` + "\n"))
	return d
}

func (d *driver) write(line []byte) {
	if _, err := d.in.Write(line); err != nil {
		d.b.Error(err)
	}
}

func message(id int64, method, params string) []byte {
	return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`+"\n", id, method, params)
}

// ask is a request and its answer, with nobody else on the wire.
func (d *driver) ask(method, params string) []byte {
	d.b.Helper()
	d.write(message(d.next.Add(1), method, params))
	return d.line()
}

func (d *driver) line() []byte {
	d.b.Helper()
	var line []byte
	for {
		part, err := d.out.ReadSlice('\n')
		if err == nil && line == nil {
			return part // valid until the next read
		}
		line = append(line, part...)
		if err == bufio.ErrBufferFull {
			continue
		}
		if err != nil {
			d.b.Fatalf("%s: %v", d.cmd.Path, err)
		}
		return line
	}
}

// call is a tools/call that must succeed.
func (d *driver) call(tool, arguments string) []byte {
	d.b.Helper()
	answer := d.ask("tools/call", callParams(tool, arguments))
	if isFailure(answer) {
		d.b.Fatalf("%s: %.500s", tool, answer)
	}
	return answer
}

func callParams(tool, arguments string) string {
	return fmt.Sprintf(`{"name":%q,"arguments":%s}`, tool, arguments)
}

func isFailure(answer []byte) bool {
	return bytes.Contains(answer, []byte(`"isError":true`)) || !bytes.Contains(answer, []byte(`"result":`))
}

// share lets many goroutines call at once, from now on by concurrent only.
func (d *driver) share() {
	go func() {
		for {
			line, err := d.out.ReadBytes('\n')
			if err != nil {
				return
			}
			id := gjson.GetBytes(line, "id").Int()
			d.mu.Lock()
			answer := d.waiting[id]
			delete(d.waiting, id)
			d.mu.Unlock()
			if answer != nil {
				answer <- line
			}
		}
	}()
}

func (d *driver) concurrent(tool, arguments string) {
	id := d.next.Add(1)
	answer := make(chan []byte, 1)
	line := message(id, "tools/call", callParams(tool, arguments))
	d.mu.Lock()
	d.waiting[id] = answer
	d.write(line)
	d.mu.Unlock()
	if line := <-answer; isFailure(line) {
		d.b.Errorf("%s: %.500s", tool, line)
	}
}

// stop ends the input and waits for the process.
func (d *driver) stop() {
	d.b.Helper()
	d.in.Close()
	if err := d.cmd.Wait(); err != nil {
		d.b.Errorf("%s: %v", d.cmd.Path, err)
	}
}

// memory is what the kernel says of the process now, and its peak so far.
func (d *driver) memory() (resident, peak int64) {
	d.b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		d.b.Skipf("memory is read from /proc, which Linux has: %v", err)
	}
	field := func(name string) int64 {
		_, rest, _ := strings.Cut(string(status), name+":")
		number, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
		kb, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			d.b.Fatalf("%s in /proc: %v", name, err)
		}
		return kb << 10
	}
	return field("VmRSS"), field("VmHWM")
}

// cpu is the processor time that the process has used, in steps of 10 ms.
func (d *driver) cpu() time.Duration {
	d.b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", d.cmd.Process.Pid))
	if err != nil {
		d.b.Skipf("processor time is read from /proc, which Linux has: %v", err)
	}
	_, rest, _ := bytes.Cut(stat, []byte(") "))
	fields := strings.Fields(string(rest))
	const utime, stime, tick = 11, 12, 10 * time.Millisecond
	var ticks int64
	for _, i := range []int{utime, stime} {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			d.b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * tick
}
