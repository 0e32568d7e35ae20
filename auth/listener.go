package auth

import (
	"fmt"
	"net"
	"strconv"
)

// The ports of the redirect: those that the public client knows, contract
// auth.md, section 3.
const (
	firstPort = 8020
	lastPort  = 8040
)

// listenLoopback opens the redirect listener on 127.0.0.1 and, where the
// machine has it, ::1, on the same port: the redirect says localhost, and a
// browser may take either. A port that somebody else holds on one of the two
// is not taken: the answer could end there.
func listenLoopback(port int) ([]net.Listener, int, error) {
	if port != 0 {
		return listenBetween(port, port)
	}
	return listenBetween(firstPort, lastPort)
}

func listenBetween(first, last int) ([]net.Listener, int, error) {
	withIPv6 := hasIPv6()
	for p := first; p <= last; p++ {
		four, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(p)))
		if err != nil {
			continue
		}
		if !withIPv6 {
			return []net.Listener{four}, p, nil
		}
		six, err := net.Listen("tcp6", net.JoinHostPort("::1", strconv.Itoa(p)))
		if err != nil {
			_ = four.Close()
			continue
		}
		return []net.Listener{four, six}, p, nil
	}
	if first == last {
		return nil, 0, &Error{
			Message: fmt.Sprintf("Port %d, which is set for the end of the sign-in (oauth_callback_port), is in use on this machine or cannot be opened.", first),
			Advice:  "End the program that holds it, or unset oauth_callback_port to use the first free one.",
			noHold:  true,
		}
	}
	return nil, 0, &Error{
		Message: fmt.Sprintf("All ports from %d to %d are in use on this machine or cannot be opened; the sign-in has to end on one of them.", first, last),
		Advice:  "End other sign-ins that are still waiting, or the programs that hold these ports; then try again.",
		noHold:  true,
	}
}

func hasIPv6() bool {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		return false
	}
	_ = l.Close()
	return true
}
