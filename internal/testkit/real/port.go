package real

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// Port gives a port of this host where nobody listens, for a program that must be
// told one. It lies below those the system hands out by itself, so that nobody gets it
// before the program does, neither for a listener nor for the near end of a connection.
func Port(host string) (int, error) {
	err := errors.New("no port is free")
	for range 100 {
		port := 10_000 + rand.IntN(20_000) //nolint:gosec // any will do
		var l net.Listener
		if l, err = net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port))); err == nil {
			return port, l.Close()
		}
	}
	return 0, err
}

// Addr is such a port of 127.0.0.1, with the host before it.
func Addr(t testing.TB) string {
	t.Helper()
	port, err := Port("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}
