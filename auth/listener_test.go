package auth

import (
	"fmt"
	"net"
	"strconv"
	"testing"
)

func TestPorts(t *testing.T) {
	// Two neighbouring ports that are free on this machine, below those that systems
	// give to connections.
	first := 0
	for p := 28017; p < 28400 && first == 0; p++ {
		if a, _, err := listenBetween(p, p); err == nil {
			closeAll(a)
			if b, q, err := listenBetween(p+1, p+1); err == nil && q == p+1 {
				closeAll(b)
				first = p
			}
		}
	}
	a, p1, err := listenBetween(first, first+1)
	if err != nil || p1 != first {
		t.Fatalf("port %d, %v", p1, err)
	}
	for _, l := range a {
		if !l.Addr().(*net.TCPAddr).IP.IsLoopback() {
			t.Errorf("listens on %v", l.Addr())
		}
	}
	b, p2, err := listenBetween(first, first+1)
	if err != nil || p2 != first+1 {
		t.Fatalf("the second sign-in: port %d, %v", p2, err)
	}
	_, _, err = listenBetween(first, first+1)
	wantError(t, err, fmt.Sprintf("All ports from %d to %d are in use", first, first+1))
	_, _, err = listenLoopback(first)
	wantError(t, err, "oauth_callback_port", strconv.Itoa(first))
	closeAll(b)
	closeAll(a)

	if !hasIPv6() {
		t.Log("this machine has no ::1: the half-taken port is not tested")
		return
	}
	half, err := net.Listen("tcp6", net.JoinHostPort("::1", strconv.Itoa(first)))
	if err != nil {
		t.Fatal(err)
	}
	defer half.Close()
	c, p3, err := listenBetween(first, first+1)
	if err != nil || p3 != first+1 {
		t.Errorf("a port that somebody holds on ::1 was taken: %d, %v", p3, err)
	}
	closeAll(c)
}

func closeAll(ls []net.Listener) {
	for _, l := range ls {
		l.Close()
	}
}
