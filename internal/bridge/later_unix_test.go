//go:build unix

package bridge

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"syscall"
	"testing"
)

// closedPort is a port of loopback that belongs to the test and refuses connections, until
// listen is called: a socket with an address that nobody listens at.
func closedPort(t *testing.T) (at string, listen func() net.Listener) {
	t.Helper()
	syscall.ForkLock.RLock() // no child of another test may inherit it
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "port")
	t.Cleanup(func() { file.Close() })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	inet, ok := name.(*syscall.SockaddrInet4)
	if !ok {
		t.Fatalf("the address is a %T", name)
	}
	return fmt.Sprintf("127.0.0.1:%d", inet.Port), func() net.Listener {
		if err := syscall.Listen(fd, syscall.SOMAXCONN); err != nil {
			t.Fatal(err)
		}
		l, err := net.FileListener(file)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
}

// A server that is not there yet is waited for.
func TestServerStartsLater(t *testing.T) {
	t.Parallel()
	at, listen := closedPort(t)
	told := make(chan string, 10)
	c := connect(t, "http://"+at, func(o *Options) { o.Note = func(s string) { told <- s } })
	c.send(hello)
	wants(t, <-told, "cannot be reached")
	s := &httptest.Server{Listener: listen(), Config: &http.Server{Handler: peer()}}
	s.Start()
	defer s.Close()
	wants(t, c.receive(), `"serverInfo"`)
	c.end()
}
