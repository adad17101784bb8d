package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// forward NETNS PORT-FILE: takes TCP connections on a free port of this network namespace's loopback and carries them
// to the same port of the loopback inside the namespace NETNS (a path). Writes the port into PORT-FILE once it listens.
//
// So a cluster that lives in a network namespace has an address that works inside and outside alike, and one kubeconfig
// does for both, without an interface, a route or a firewall rule on the machine.
func runForward() {
	if len(os.Args) != 3 {
		fail("usage: forward NETNS PORT-FILE")
	}
	namespace, err := os.Open(os.Args[1])
	check(err)
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	check(err)
	address := listener.Addr().String()
	_, port, err := net.SplitHostPort(address)
	check(err)
	check(os.WriteFile(os.Args[2], []byte(port+"\n"), 0o644))
	for {
		outer, err := listener.Accept()
		check(err)
		go carry(outer.(*net.TCPConn), namespace, address)
	}
}

func carry(outer *net.TCPConn, namespace *os.File, address string) {
	defer outer.Close()
	inner, err := dialIn(namespace, address)
	if err != nil {
		fmt.Fprintln(os.Stderr, "forward:", err)
		return
	}
	defer inner.Close()
	done := make(chan struct{})
	go func() {
		copyHalf(inner, outer)
		close(done)
	}()
	copyHalf(outer, inner)
	<-done
}

func copyHalf(to, from *net.TCPConn) {
	// Errors end this direction, as the end of the stream does: the peer sees a FIN either way.
	_, _ = io.Copy(to, from)
	_ = to.CloseWrite()
}

// A socket belongs for ever to the namespace of the thread that made it. So the thread only has to visit: it is locked
// to a goroutine that ends without unlocking it, which makes the runtime end the thread too.
func dialIn(namespace *os.File, address string) (*net.TCPConn, error) {
	type result struct {
		connection net.Conn
		err        error
	}
	answer := make(chan result)
	go func() {
		runtime.LockOSThread()
		if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
			answer <- result{nil, fmt.Errorf("cannot enter %s: %w", namespace.Name(), err)}
			return
		}
		connection, err := net.Dial("tcp4", address)
		answer <- result{connection, err}
	}()
	got := <-answer
	if got.err != nil {
		return nil, got.err
	}
	return got.connection.(*net.TCPConn), nil
}

func check(err error) {
	if err != nil {
		fail(err.Error())
	}
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, "forward:", message)
	os.Exit(1)
}
